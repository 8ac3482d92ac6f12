//! `cargo xtask test`: everything, cheapest first.

use crate::{
    fuzz, setup,
    shell::{cargo, run as execute, step},
    tidy, ui,
};

pub(crate) fn run() -> anyhow::Result<()> {
    let tools = setup::to_test()?;
    step("Checking the formatting", || {
        execute(&mut cargo(&["fmt", "--all", "--check"]))?;
        execute(&mut cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))
    })?;
    step("Checking the rules of the house", tidy::run)?;
    ui::build(&tools)?;
    step("Checking the page's types and style", || {
        execute(&mut tools.npm(&["run", "--silent", "lint"]))?;
        execute(&mut tools.npm(&["run", "--silent", "check"]))
    })?;
    step("Testing the page", || execute(&mut tools.npm(&["run", "--silent", "test"])))?;
    step("Checking the code (clippy)", || {
        let arguments =
            ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
        execute(&mut cargo(&arguments))
    })?;
    step("Building the programs and tests", || {
        execute(&mut cargo(&["build", "--locked", "--workspace", "--all-targets"]))
    })?;
    // Whole-product tests start processes and play in real time: one after the other, after the rest.
    // All of them, also after a failure: a run takes long, and one failure seldom comes alone.
    step("Testing", || {
        execute(&mut cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]))
    })?;
    fuzz::run(&[], fuzz::USUAL_SECONDS)
}

/// Writes `ui/src/bindings.ts`.
pub(crate) fn write_bindings() -> anyhow::Result<()> {
    let test = ["test", "--locked", "-p", "quartet", "--lib", "the_pages_bindings"];
    execute(cargo(&test).env("QUARTET_WRITE_BINDINGS", "1"))
}
