//! `cargo xtask lab`: builds the laboratory and what it measures, and runs it.

use anyhow::bail;

use crate::{
    setup,
    shell::{cargo, command, run as execute, step, target},
};

/// Namespaces, and a relay for those behind NATs.
const PACKAGES: &[&str] = &["iproute2", "coturn"];
/// And for putting it side by side.
const BROWSER: &str = "chromium";
/// With optimisation: their CPU is among the figures.
const PROGRAMS: &[&str] = &["-p", "quartet-cli", "-p", "quartet-server", "-p", "quartet-lab"];

/// Runs the laboratory with these arguments.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("the laboratory needs Linux, with its network namespaces");
    }
    setup::to_build()?;
    setup::system_packages(PACKAGES)?;
    if arguments.iter().any(|argument| argument.contains(BROWSER)) {
        setup::system_packages(&[BROWSER])?;
    }
    step("Building the programs with optimisation (many minutes the first time)", || {
        execute(cargo(&["build", "--locked", "--release"]).args(PROGRAMS))
    })?;
    let lab = target().join("release/quartet-lab");
    let mut lab = command(&lab.to_string_lossy(), arguments);
    execute(lab.arg("--out").arg(target().join("lab")))
}
