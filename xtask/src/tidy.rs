//! Rules that no compiler checks: which crate may use which, one door per library, no clock and no
//! randomness in the pure crates.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::shell::{cargo, output, root};

/// What each crate may use of the others, besides for its tests. The arrows go one way.
const ARROWS: &[(&str, &[&str])] = &[
    ("quartet-proto", &[]),
    ("quartet-core", &["proto"]),
    ("quartet-media", &["core", "proto"]),
    ("quartet-devices", &["media", "core"]),
    ("quartet-rtc", &["core", "proto"]),
    ("quartet-engine", &["rtc", "media", "core", "proto"]),
    ("quartet-server", &["proto"]),
    ("quartet-cli", &["engine", "devices", "rtc", "media", "core", "proto"]),
    ("quartet", &["engine", "devices", "server", "rtc", "media", "core", "proto"]),
    ("quartet-testkit", &["core", "proto", "server"]),
    ("quartet-harness", &[]),
    ("quartet-lab", &["harness", "testkit", "media", "core", "proto"]),
    ("xtask", &["harness"]),
];
/// One door per library: nobody else depends on it.
const DOORS: &[(&str, &[&str])] = &[
    ("quartet-rtc", &["webrtc", "rtc"]),
    ("quartet-devices", &["nokhwa", "cpal"]),
    ("quartet-media", &["env-libvpx-sys", "opus", "sonora"]),
    ("quartet", &["tauri"]),
    ("quartet-server", &["axum", "turn-types"]),
];
/// Pure crates and what they may not name.
const PURE: &[&str] =
    &["crates/proto/src", "crates/core/src", "crates/server/src/hub", "crates/server/src/cluster"];
const IMPURE: &[&str] =
    &["Instant::now", "SystemTime::now", "std::net", "std::fs", "tokio::", "rand::", "thread::"];
/// Above this a file is split, or says why not in its first lines (`Long because`).
const MAX_LINES: usize = 600;

pub(crate) fn run() -> anyhow::Result<()> {
    let mut broken = Vec::new();
    dependencies(&mut broken)?;
    for folder in PURE {
        each_source(&root().join(folder), &mut |file, text| purity(file, text, &mut broken))?;
    }
    for folder in ["crates", "src-tauri", "xtask", "tests"] {
        each_source(&root().join(folder), &mut |file, text| length(file, text, &mut broken))?;
    }
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

fn dependencies(broken: &mut Vec<String>) -> anyhow::Result<()> {
    let arguments = ["metadata", "--locked", "--no-deps", "--format-version", "1"];
    let text =
        output(&mut cargo(&arguments)).context("cargo metadata fails (a stale Cargo.lock?)")?;
    let metadata: Value = serde_json::from_str(&text)?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            broken.push(format!("{name}: say in xtask/src/tidy.rs what it may use"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            if dependency["kind"] != "dev" {
                let own = used.strip_prefix("quartet-");
                if own.is_some_and(|own| !allowed.contains(&own)) {
                    broken.push(format!("{name} may not use {used}"));
                }
            }
            if DOORS.iter().any(|(door, behind)| *door != name && behind.contains(&used)) {
                broken.push(format!("{name} may not use {used}: it has a door elsewhere"));
            }
        }
    }
    Ok(())
}

fn purity(file: &str, text: &str, broken: &mut Vec<String>) {
    if file.ends_with("tests.rs") {
        return;
    }
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    for (number, line) in code.lines().enumerate() {
        let line = line.trim();
        if !line.starts_with("//")
            && let Some(word) = IMPURE.iter().find(|word| line.contains(**word))
        {
            broken.push(format!("{file}:{}: {word} in a pure crate", number + 1));
        }
    }
}

fn length(file: &str, text: &str, broken: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > MAX_LINES && !text.contains("Long because") {
        broken.push(format!("{file}: {lines} lines; split it, or say «Long because» why not"));
    }
}

fn each_source(folder: &Path, look: &mut dyn FnMut(&str, &str)) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            each_source(&path, look)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
            look(&name, &fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_a_pure_crate_is_found_outside_comments_and_tests() {
        let found = |text| {
            let mut broken = Vec::new();
            purity("file.rs", text, &mut broken);
            broken.len()
        };
        assert_eq!(found("let now = Instant::now();"), 1);
        assert_eq!(found("// Instant::now is not used here"), 0);
        assert_eq!(found("fn f() {}\n#[cfg(test)]\nmod tests { Instant::now() }"), 0);
    }

    #[test]
    fn a_long_file_is_found_unless_it_says_why() {
        let found = |text: &str| {
            let mut broken = Vec::new();
            length("file.rs", text, &mut broken);
            broken.len()
        };
        let long = "x\n".repeat(MAX_LINES + 1);
        assert_eq!(found(&long), 1);
        assert_eq!(found(&format!("//! Long because: one table.\n{long}")), 0);
        assert_eq!(found("x\n"), 0);
    }
}
