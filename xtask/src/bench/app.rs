//! The app's start, from its being executed to the first paint of its page (Linux).
//!
//! The driver starts a script that notes the time and becomes the app: same process, so its memory
//! can be found too. The page's own clock says when it painted.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use quartet_harness::{AppWindow, AppWindowOptions, Display, Programs};
use serde_json::json;

use super::Times;

/// Starts that are measured, after one that fills the system's caches.
const STARTS: u32 = 5;

/// What the starts came to.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) first_paint: Times,
    /// Proportional set size of the app and its web processes, in the home screen.
    pub(super) memory_mb: f64,
}

/// Starts the app again and again on a screen that nobody sees.
pub(super) fn measure(programs: &Programs) -> anyhow::Result<Start> {
    let display = Display::start(1280, 800)?;
    let folder = tempfile::tempdir()?;
    let noting = noting_the_time(&programs.path("quartet")?, folder.path())?;
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings: json!({ "name": "Bench", "language": "en", "camera": "none",
                          "microphone": "none", "speaker": "none" }),
        ..AppWindowOptions::default()
    };
    let mut first_paint = Vec::new();
    let mut memory_mb = 0.0;
    for start in 0..=STARTS {
        let window = AppWindow::open(&noting, &options)?;
        let paint = "performance.getEntriesByName('first-contentful-paint')[0]";
        window.wait_for("the first paint", paint)?;
        let painted =
            window.eval(&format!("return performance.timeOrigin + {paint}.startTime;"))?;
        let painted = painted.as_f64().context("no time of the first paint")?;
        let note = fs::read_to_string(folder.path().join("started"))?;
        let (id, started) = note.trim().split_once(' ').context("no note of the start")?;
        if start > 0 {
            first_paint.push(painted - started.parse::<f64>()?);
        }
        memory_mb = proportional_mb(id.parse()?);
        window.close()?;
    }
    Ok(Start { first_paint: Times::new(first_paint)?, memory_mb })
}

/// A folder with a program `quartet` that writes its process id and the Unix time in milliseconds
/// to the file `started`, and becomes the app.
fn noting_the_time(app: &Path, folder: &Path) -> anyhow::Result<Programs> {
    let script = format!(
        "#!/bin/sh\necho \"$$ $(date +%s%3N)\" > '{}/started'\nexec '{}' \"$@\"\n",
        folder.display(),
        app.display()
    );
    let file = folder.join("quartet");
    fs::write(&file, script)?;
    make_executable(&file)?;
    Ok(Programs::in_folder(folder))
}

#[cfg(unix)]
fn make_executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_file: &Path) -> std::io::Result<()> {
    Ok(())
}

/// The memory of a process and of all that come from it, shared pages divided among their users.
fn proportional_mb(root: u32) -> f64 {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for folder in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some((id, parent)) = parent(folder.path()) {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut family = vec![root];
    let mut kilobytes = 0;
    while let Some(id) = family.pop() {
        kilobytes += pss_kb(id).unwrap_or(0);
        family.extend(children.remove(&id).unwrap_or_default());
    }
    f64::from(kilobytes) * 1024.0 / 1e6
}

/// A process and the one that it came from.
fn parent(folder: PathBuf) -> Option<(u32, u32)> {
    let id = folder.file_name()?.to_str()?.parse().ok()?;
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Some((id, line.trim().parse().ok()?))
}

fn pss_kb(id: u32) -> Option<u32> {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}
