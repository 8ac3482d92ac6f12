//! Measures calls of 2, 3 and 4 headless participants, and prints a table for the README.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use quartet_harness::{Participant, ParticipantOptions, Programs, SignallingServer};
use serde_json::Value;

use crate::{
    setup,
    shell::{cargo, output, run as execute, step, target},
};

/// How long a call is measured; the first seconds, in which everything starts, are left out.
const SECONDS: u32 = 20;
const WARM_UP: usize = 5;

/// What one call came to.
struct Figures {
    people: usize,
    cpu_each: f64,
    encoder_cpu: f64,
    fps_least: f64,
    freezes: u64,
    rss_mb: f64,
    connected_ms: f64,
    first_video_ms: f64,
    latency: String,
}

/// `cargo xtask bench`.
pub(crate) fn run() -> anyhow::Result<()> {
    setup::to_test()?;
    step("Building with optimisation (some minutes the first time)", || {
        let build = ["build", "--locked", "--release", "-p", "quartet-cli", "-p", "quartet-server"];
        execute(cargo(&build).args(["--example", "latency", "--bins"]))
    })?;
    let programs = Programs::in_folder(&target().join("release"));
    let mut all = Vec::new();
    for people in [2, 3, 4] {
        let what = format!("Measuring a call of {people} for {SECONDS} s");
        all.push(step(&what, || measure(&programs, people))?);
    }
    print(&all);
    for name in ["quartet-cli", "quartet-server"] {
        let bytes = fs::metadata(programs.path(name)?)?.len();
        println!("{name}: {:.1} MB", bytes as f64 / 1e6);
    }
    Ok(())
}

fn measure(programs: &Programs, people: usize) -> anyhow::Result<Figures> {
    let server = SignallingServer::start(programs, 0)?;
    let link = server.new_link(programs)?;
    let records = tempfile::tempdir()?;
    let mut participants = Vec::new();
    for number in 0..people {
        let name = format!("p{number}");
        let mut options = ParticipantOptions::with_tone(&name, 300 + 100 * number as u32, SECONDS);
        // Recording costs time of its own: the latency is taken from one call of two.
        options.record = (people == 2).then(|| records.path().join(&name));
        participants.push(Participant::join(programs, &link, &options)?);
    }
    for participant in &mut participants {
        let status = participant.wait(Duration::from_secs(u64::from(SECONDS) + 20))?;
        anyhow::ensure!(status.success(), "a participant failed: {status}");
    }
    figures(&participants, people, records.path())
}

fn figures(all: &[Participant], people: usize, records: &Path) -> anyhow::Result<Figures> {
    let mut figures = Figures {
        people,
        cpu_each: 0.0,
        encoder_cpu: 0.0,
        fps_least: f64::INFINITY,
        freezes: 0,
        rss_mb: 0.0,
        connected_ms: f64::NAN,
        first_video_ms: f64::NAN,
        latency: "–".to_owned(),
    };
    for participant in all {
        let stats = participant.events_named("stats");
        let (first, last) =
            (stats.get(WARM_UP).context("too few figures")?, stats.last().context("no figures")?);
        let seconds = number(last, "t") - number(first, "t");
        figures.cpu_each += (number(last, "cpu_s") - number(first, "cpu_s")) / seconds;
        let encoder = |stats: &Value| number(&stats["encode"][0], "cpu_ms");
        figures.encoder_cpu += (encoder(last) - encoder(first)) / 1000.0 / seconds;
        figures.rss_mb += number(last, "rss_mb");
        for (then, now) in peers(first).iter().zip(peers(last)) {
            let frames = number(&now["video_in"], "frames") - number(&then["video_in"], "frames");
            figures.fps_least = figures.fps_least.min(frames / seconds);
            figures.freezes += now["video_in"]["freezes"].as_u64().unwrap_or_default();
        }
    }
    for sum in [&mut figures.cpu_each, &mut figures.encoder_cpu, &mut figures.rss_mb] {
        *sum /= people as f64;
    }
    // The last to come finds everybody there: from its own joining to the last connection.
    let newest = all.last().context("nobody")?;
    let events = newest.events();
    let time = |name: &str| {
        let times = events.iter().filter(|event| event["event"] == name);
        times.map(|event| number(event, "t")).fold(f64::NAN, f64::max)
    };
    figures.connected_ms = (time("connected") - time("joined")) * 1000.0;
    figures.first_video_ms = (time("first_video") - time("joined")) * 1000.0;
    if people == 2 {
        let latency = target().join("release/examples/latency");
        let folders = [records.join("p0"), records.join("p1")];
        let mut command = crate::shell::command(&latency.to_string_lossy(), &[]);
        figures.latency = output(command.args(folders)).context("latency")?.trim().to_owned();
    }
    Ok(figures)
}

fn print(all: &[Figures]) {
    println!(
        "\n| people | CPU each (cores) | encoder (cores) | slowest stream (fps) | freezes \
        | memory each (MB) | joined → connected | joined → pictures | capture → ready |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for figures in all {
        println!(
            "| {} | {:.3} | {:.3} | {:.1} | {} | {:.0} | {:.0} ms | {:.0} ms | {} |",
            figures.people,
            figures.cpu_each,
            figures.encoder_cpu,
            figures.fps_least,
            figures.freezes,
            figures.rss_mb,
            figures.connected_ms,
            figures.first_video_ms,
            figures.latency,
        );
    }
    let encoder = |people| {
        all.iter().find(|figures| figures.people == people).map_or(f64::NAN, |f| f.encoder_cpu)
    };
    println!("\nEncoder, 4 people against 2: {:.2} ×", encoder(4) / encoder(2));
}

fn peers(stats: &Value) -> Vec<Value> {
    stats["peers"].as_array().cloned().unwrap_or_default()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}
