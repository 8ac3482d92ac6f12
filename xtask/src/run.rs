//! Builds and opens the app.

use anyhow::bail;

use crate::{
    setup::{self, Tools},
    shell::{cargo, command, run as execute, step, target},
    ui,
};

/// The packages that programs are built from.
const PROGRAMS: &[&str] = &["-p", "quartet", "-p", "quartet-cli", "-p", "quartet-server"];

/// `cargo xtask run [LINK]`.
pub(crate) fn run(link: Option<&str>) -> anyhow::Result<()> {
    if !has_display() {
        bail!("there is no display here to open a window on: try `cargo xtask demo`");
    }
    build(&setup::to_build()?)?;
    println!("▸ Opening Quartet");
    let app = target().join("debug").join(format!("quartet{}", std::env::consts::EXE_SUFFIX));
    let mut app = command(&app.to_string_lossy(), &[]);
    app.args(link);
    execute(&mut app)
}

/// The page and every program, without further optimisation: the codecs are optimised anyway.
pub(crate) fn build(tools: &Tools) -> anyhow::Result<()> {
    ui::build(tools)?;
    step("Building the programs (some minutes the first time)", || {
        execute(cargo(&["build", "--locked"]).args(PROGRAMS))
    })
}

/// Every program as people get it; `targets` as Cargo calls them.
pub(crate) fn build_optimised(targets: &[&str]) -> anyhow::Result<()> {
    step("Building the programs with optimisation (many minutes the first time)", || {
        execute(cargo(&["build", "--locked", "--release"]).args(PROGRAMS).args(targets))
    })
}

/// There is a screen that a window can be opened on.
pub(crate) fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
