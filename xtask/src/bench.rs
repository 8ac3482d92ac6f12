//! `cargo xtask bench`: measures calls of headless participants and the app's start, and prints
//! what it found as tables for the README.

mod app;
mod call;
mod machine;
pub(crate) mod server;

use std::fs;

use quartet_harness::Programs;

use crate::{
    package, run, setup,
    shell::{step, target},
    ui,
};

use self::{app::Start, call::Call, machine::Load};

/// A busier machine than this (in cores) before the start distorts the figures.
const IDLE: f64 = 0.1;
/// The goal: encoded once, whatever the number of peers.
const MOST_ENCODER_GROWTH: f64 = 1.15;

/// Builds, measures and prints.
pub(crate) fn run() -> anyhow::Result<()> {
    let tools = setup::to_test()?;
    let load_before = machine::load_average();
    ui::build(&tools)?;
    run::build_optimised(&["--bins", "--example", "latency"])?;
    let programs = Programs::in_folder(&target().join("release"));

    let busy = machine::busy_now()?;
    let calls = [2, 3, 4]
        .map(|people| {
            let what = format!("Measuring a call of {people} ({} s)", call::SECONDS);
            step(&what, || call::measure(&programs, people))
        })
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    // Recording costs time of its own: a call that nothing else is taken from.
    let latency = step("Measuring the latency, in a call of its own", || call::latency(&programs))?;
    let joins = step("Joining again and again", || call::joins(&programs))?;
    let start = if cfg!(target_os = "linux") {
        Some(step("Starting the app again and again", || app::measure(&programs))?)
    } else {
        None // driving its window needs WebKitGTK's driver
    };

    println!("\n{}", machine::description(load_before, busy));
    if busy.is_none_or(|busy| busy.cores > IDLE) {
        println!("\n**Not an idle machine, or none that tells: take these figures as too high.**");
    }
    print_calls(&calls);
    print_times(&latency, &joins, start.as_ref());
    print_sizes(&programs)
}

fn print_calls(calls: &[Call]) {
    println!(
        "\nA participant sends 640×360 at 30 fps once, and decodes everybody else. CPU in cores:"
    );
    println!(
        "\n| people | CPU each | encoder each | all together | other programs | encoded \
        | slowest stream | freezes | memory each |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for call in calls {
        println!(
            "| {} | {:.3} | {:.3} | {:.2} | {} | {}×{}, {:.1} fps, {:.0} kbit/s | {:.1} fps | {} \
            | {:.0} MB |",
            call.people,
            call.cpu_each,
            call.encoder_each,
            call.cpu_all,
            call.others.map_or_else(|| "?".to_owned(), |others| format!("{others:.2}")),
            call.encoded.width,
            call.encoded.height,
            call.encoded.fps,
            call.encoded.kbps,
            call.slowest_fps,
            call.freezes,
            call.memory_mb,
        );
    }
    if let [two, .., four] = calls {
        let growth = four.encoder_each / two.encoder_each;
        let judged = if growth <= MOST_ENCODER_GROWTH { "within" } else { "ABOVE" };
        println!(
            "\nEncoder at 4 people against 2: {growth:.2} ×, {judged} the goal of \
            {MOST_ENCODER_GROWTH} ×."
        );
    }
}

fn print_times(latency: &[String], joins: &call::Joins, start: Option<&Start>) {
    println!("\n| time | p50 | worst |");
    println!("|---|---|---|");
    let row = |what: &str, times: &Times| {
        println!("| {what} | {:.0} ms | {:.0} ms |", times.middle(), times.worst());
    };
    row("joined to connected", &joins.connected);
    row("joined to first picture decoded", &joins.first_picture);
    row("program started to first picture decoded", &joins.from_start);
    if let Some(start) = start {
        row("app started to first paint", &start.first_paint);
    }
    println!("\nCapture to decoded picture, in a call of two:");
    for line in latency {
        println!("- {line}");
    }
    if let Some(start) = start {
        println!(
            "\nFirst paint: from just before the program is executed to the page's \
            first-contentful-paint, under Xvfb and WebDriver, {} starts. At home the app and its \
            web processes hold {:.0} MB (PSS).",
            start.first_paint.0.len(),
            start.memory_mb,
        );
    }
}

fn print_sizes(programs: &Programs) -> anyhow::Result<()> {
    println!("\n| file | size |");
    println!("|---|---|");
    for name in ["quartet", "quartet-cli", "quartet-server"] {
        println!("| {name} | {:.1} MB |", megabytes(fs::metadata(programs.path(name)?)?.len()));
    }
    if let Some(deb) = package::built() {
        let name = deb.file_name().unwrap_or_default().to_string_lossy();
        println!("| {name} | {:.1} MB |", megabytes(fs::metadata(&deb)?.len()));
    }
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Times of the same thing done again and again, in milliseconds, in rising order.
#[derive(Debug)]
struct Times(Vec<f64>);

impl Times {
    fn new(mut times: Vec<f64>) -> anyhow::Result<Self> {
        let sound = !times.is_empty() && times.iter().all(|time| time.is_finite());
        anyhow::ensure!(sound, "a time is missing: {times:?}");
        times.sort_by(f64::total_cmp);
        Ok(Self(times))
    }

    fn middle(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    fn worst(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

/// What the machine's other programs took, where that is known.
fn others(before: Option<Load>, after: Option<Load>, own_cpu_s: f64) -> Option<f64> {
    let (before, after) = before.zip(after)?;
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    Some(((after.busy_s - before.busy_s - own_cpu_s) / seconds).max(0.0))
}
