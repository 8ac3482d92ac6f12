//! `cargo xtask package`: the page and the optimised app as a .deb, by Tauri's bundler.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use crate::{
    run, setup,
    shell::{command, output, run as execute, step, target},
    ui,
};

/// What the app starts at run time, which no linker knows of: to open the browser, and to register
/// the scheme of the links.
const STARTS: &[&str] = &["xdg-utils", "desktop-file-utils"];
const MENU_ENTRY: &str = "usr/share/applications/Quartet.desktop";
/// What must be inside.
const CONTENTS: &[&str] =
    &["usr/bin/quartet", MENU_ENTRY, "usr/share/icons/hicolor/128x128/apps/quartet.png"];
/// What the menu entry must say, for the links to open the app.
const DESKTOP_LINES: &[&str] = &["Exec=quartet %u", "MimeType=x-scheme-handler/quartet;"];

/// Builds, packs and looks into the package.
pub(crate) fn run() -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") || output(&mut command("dpkg", &["--version"])).is_none() {
        bail!("only Debian packages are built so far, on Debian or Ubuntu");
    }
    let tools = setup::to_build()?;
    ui::build(&tools)?;
    run::build_optimised(&["--bins"])?;
    let deb = step("Packing", || {
        if folder().exists() {
            fs::remove_dir_all(folder())?;
        }
        let mut depends = needed_libraries()?;
        depends.extend(STARTS.iter().map(|name| (*name).to_owned()));
        let config = json!({ "bundle": { "linux": { "deb": { "depends": depends }}}});
        let config = config.to_string();
        execute(&mut tools.tauri(&["bundle", "--bundles", "deb", "--config", &config])?)?;
        built().context("the bundler left no package")
    })?;
    step("Looking into the package", || check(&deb))?;
    let size = fs::metadata(&deb)?.len() as f64 / 1e6;
    println!("  {} ({size:.1} MB)", deb.display());
    Ok(())
}

/// The newest package, if there is one.
pub(crate) fn built() -> Option<PathBuf> {
    let files = fs::read_dir(folder()).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok())
}

fn folder() -> PathBuf {
    target().join("release/bundle/deb")
}

/// The packages of the libraries that the app is linked with, as this system names and numbers
/// them: libvpx, for one, is another package in each release of Debian and Ubuntu.
fn needed_libraries() -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    // It reads this file and wants it there; of what is inside nothing matters here.
    fs::create_dir(folder.path().join("debian"))?;
    let control = "Source: quartet\n\nPackage: quartet\nArchitecture: any\n";
    fs::write(folder.path().join("debian/control"), control)?;
    let app = target().join("release/quartet");
    let mut shlibdeps = command("dpkg-shlibdeps", &["-O"]);
    shlibdeps.arg(app).current_dir(folder.path());
    let line = output(&mut shlibdeps).context("dpkg-shlibdeps (of dpkg-dev) does not work")?;
    let names = line.trim().strip_prefix("shlibs:Depends=").context("no dependencies named")?;
    Ok(names.split(", ").map(str::to_owned).collect())
}

/// Fails when something that people need is not in it.
fn check(deb: &Path) -> anyhow::Result<()> {
    let unpacked = tempfile::tempdir()?;
    execute(command("dpkg-deb", &["--extract"]).arg(deb).arg(unpacked.path()))?;
    for file in CONTENTS {
        ensure!(unpacked.path().join(file).is_file(), "{file} is not in it");
    }
    let entry = fs::read_to_string(unpacked.path().join(MENU_ENTRY))?;
    for wanted in DESKTOP_LINES {
        ensure!(entry.lines().any(|line| line == *wanted), "no «{wanted}» in:\n{entry}");
    }
    let depends = output(command("dpkg-deb", &["--field"]).arg(deb).arg("Depends"));
    let depends = depends.context("dpkg-deb does not work")?;
    for library in ["libvpx", "libwebkit2gtk-4.1-0"] {
        ensure!(depends.contains(library), "it does not depend on {library}: {depends}");
    }
    println!("  Depends: {}", depends.trim_end());
    Ok(())
}
