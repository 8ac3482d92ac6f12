//! The page: its packages and its build, each only when something has changed.

use std::{fs, path::Path, time::SystemTime};

use anyhow::Context as _;

use crate::{
    setup::Tools,
    shell::{root, run, step},
};

/// Installs the page's packages when the lock file has changed since.
pub(crate) fn install(tools: &Tools) -> anyhow::Result<()> {
    let ui = root().join("ui");
    let lock = ui.join("package-lock.json");
    let stamp = ui.join("node_modules/.quartet-lock");
    let wanted = fs::read(&lock).with_context(|| format!("{}", lock.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    step("Installing the page's packages (npm ci)", || {
        run(&mut tools.npm(&["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
        Ok(fs::write(&stamp, &wanted)?)
    })
}

/// Builds the page when one of its sources is newer than the last build.
pub(crate) fn build(tools: &Tools) -> anyhow::Result<()> {
    install(tools)?;
    let ui = root().join("ui");
    // Written last: a build that broke off is done again.
    let stamp = ui.join("dist/.built");
    let built = fs::metadata(&stamp).and_then(|data| data.modified()).ok();
    if built.is_some_and(|built| newest(&ui).is_some_and(|newest| newest <= built)) {
        return Ok(());
    }
    step("Building the page", || {
        run(&mut tools.npm(&["run", "--silent", "build"]))?;
        Ok(fs::write(&stamp, "")?)
    })
}

/// When a source below this folder was last changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    entries
        .filter(|entry| !matches!(entry.file_name().to_str(), Some("node_modules" | "dist")))
        .filter_map(|entry| {
            let path = entry.path();
            if path.is_dir() { newest(&path) } else { entry.metadata().ok()?.modified().ok() }
        })
        .max()
}
