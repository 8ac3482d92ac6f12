//! `cargo xtask fuzz`: what hostile peers may send, invented by libFuzzer from the paths that the
//! code takes.
//!
//! The targets are laid out for cargo-fuzz, which asks for a nightly compiler. Here they are built
//! with the stable one: the compiler's own coverage pass, checked arithmetic and assertions, and no
//! address sanitizer, for the code that they reach is safe Rust.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use anyhow::{Context as _, anyhow, bail, ensure};

use crate::shell::{cargo, command, output, root, run as execute, step, target};

/// A target in the ordinary test run gets a minute: the shallow mistakes are found in seconds.
pub(crate) const USUAL_SECONDS: u32 = 60;
/// Coverage as libFuzzer wants it, from the pass that LLVM brings along.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";
/// Megabytes: a machine that keeps its bounds needs a tenth.
const MEMORY_LIMIT: u32 = 512;
/// Seconds that one input may take: a machine whose work is bounded takes milliseconds.
const INPUT_LIMIT: u32 = 5;

/// Runs the named targets, or all, each for some seconds; as many at a time as there are cores.
pub(crate) fn run(names: &[&str], seconds: u32) -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") {
        println!("  Fuzzing needs Linux: left out.");
        return Ok(());
    }
    let all = targets()?;
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|known| known == *name)) {
        bail!("there is no target {unknown}; there are: {}", all.join(", "));
    }
    let chosen: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|it| names.is_empty() || names.contains(it))
        .collect();
    let programs = step("Building the fuzz targets", build)?;
    step(&format!("Fuzzing {} for {seconds} s each", chosen.join(", ")), || {
        let waiting = Mutex::new(chosen.into_iter());
        let next = || waiting.lock().ok().and_then(|mut names| names.next());
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let failures: Vec<anyhow::Error> = thread::scope(|scope| {
            let work = || {
                let results = std::iter::from_fn(next).map(|name| fuzz(&programs, name, seconds));
                results.filter_map(Result::err).collect::<Vec<_>>()
            };
            let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .flat_map(|worker| {
                    worker.join().unwrap_or_else(|_| vec![anyhow!("a worker panicked")])
                })
                .collect()
        });
        failures.into_iter().next().map_or(Ok(()), Err)
    })
}

/// Each file of `fuzz/targets`.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder = root().join("fuzz/targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).context("fuzz/targets")? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// The folder of the built targets.
fn build() -> anyhow::Result<PathBuf> {
    let version = output(&mut command("rustc", &["-vV"])).context("rustc does not start")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not name its host")?;
    let folder = target().join("fuzz");
    let mut build = cargo(&["build", "--locked", "--release", "--manifest-path"]);
    // A named target keeps the coverage out of build scripts.
    build.arg("fuzz/Cargo.toml").args(["--target", host, "--target-dir"]).arg(&folder);
    execute(build.env("RUSTFLAGS", COVERAGE))?;
    Ok(folder.join(host).join("release"))
}

/// One target; what it has found interesting is kept for the next time.
fn fuzz(programs: &Path, name: &str, seconds: u32) -> anyhow::Result<()> {
    let folder = target().join("fuzz/found").join(name);
    let corpus = folder.join("corpus");
    fs::create_dir_all(&corpus)?;
    let prefix = format!("{}/", folder.display());
    let result = Command::new(programs.join(name))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MEMORY_LIMIT}"))
        .arg(format!("-timeout={INPUT_LIMIT}"))
        .arg(format!("-artifact_prefix={prefix}"))
        .arg(&corpus)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{name} does not start"))?;
    let said = String::from_utf8_lossy(&result.stderr);
    ensure!(
        result.status.success(),
        "the target {name} found a failure; the input is in {prefix}\n{}",
        last_lines(&said, 40)
    );
    let runs = said.lines().rev().find_map(|line| line.strip_prefix("Done "));
    println!("  {name}: {}", runs.unwrap_or("done"));
    Ok(())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
