//! Calls of headless participants, from their own words: the JSON lines that they print.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use quartet_harness::{Participant, ParticipantOptions, Programs, SignallingServer};
use serde_json::Value;

use crate::shell::{command, output, target};

use super::{Times, machine::Load, others};

/// How long a call is measured.
pub(super) const SECONDS: u32 = 30;
/// The first seconds, in which everything starts, are left out; one report a second.
const WARM_UP: u32 = 5;
/// Everybody stays this much longer, so that nobody is measured while the first ones leave.
const LEAVE_LATER: u32 = 4;
/// How often somebody joins, for the times until they see.
const JOINS: u32 = 15;
/// What a person who joins may take to see, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one call came to; CPU in cores, averages over the participants.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) people: usize,
    pub(super) cpu_each: f64,
    pub(super) cpu_all: f64,
    /// Of programs that do not belong to the call; the signalling server and this one are among them.
    pub(super) others: Option<f64>,
    pub(super) encoder_each: f64,
    pub(super) encoded: Encoded,
    pub(super) slowest_fps: f64,
    pub(super) freezes: u64,
    pub(super) memory_mb: f64,
}

/// What an encoder gave.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) fps: f64,
    pub(super) kbps: f64,
}

/// Joining a room where one person is.
#[derive(Debug)]
pub(super) struct Joins {
    pub(super) connected: Times,
    pub(super) first_picture: Times,
    pub(super) from_start: Times,
}

/// One call without recording.
pub(super) fn measure(programs: &Programs, people: usize) -> anyhow::Result<Call> {
    let server = SignallingServer::start(programs, 0)?;
    let link = server.new_link(programs)?;
    let before = Load::now();
    let stay = WARM_UP + SECONDS + LEAVE_LATER;
    let mut all = (0..people)
        .map(|number| Participant::join(programs, &link, &options(number, stay)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    for participant in &mut all {
        finish(participant, stay)?;
    }
    let after = Load::now();
    let mut call = figures(&all)?;
    let own_cpu = all.iter().filter_map(|one| one.events_named("stats").pop());
    call.others = others(before, after, own_cpu.map(|last| number(&last, "cpu_s")).sum());
    Ok(call)
}

/// A call of two that write everything down; a line for each direction.
pub(super) fn latency(programs: &Programs) -> anyhow::Result<Vec<String>> {
    let server = SignallingServer::start(programs, 0)?;
    let link = server.new_link(programs)?;
    let records = tempfile::tempdir()?;
    let folders = ["a", "b"].map(|name| records.path().join(name));
    let mut all = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        let mut options = options(number, SECONDS);
        options.record = Some(folder.clone());
        all.push(Participant::join(programs, &link, &options)?);
    }
    for participant in &mut all {
        finish(participant, SECONDS)?;
    }
    let latency = target().join("release/examples/latency");
    let mut latency = command(&latency.to_string_lossy(), &[]);
    let lines = output(latency.args(&folders)).context("the recordings do not match")?;
    Ok(lines.lines().map(str::to_owned).collect())
}

/// One stays, another joins again and again until they see.
pub(super) fn joins(programs: &Programs) -> anyhow::Result<Joins> {
    let server = SignallingServer::start(programs, 0)?;
    let link = server.new_link(programs)?;
    let host = Participant::join(programs, &link, &options(0, 600))?;
    host.wait_for("joined", 1, PATIENCE)?;
    let (mut connected, mut first_picture, mut from_start) = (Vec::new(), Vec::new(), Vec::new());
    for visit in 0..JOINS {
        let started = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        let mut guest = Participant::join(programs, &link, &options(1, 2))?;
        finish(&mut guest, 2)?;
        host.wait_for("peer_left", visit as usize + 1, PATIENCE)?;
        let time = |name: &str| {
            let events = guest.events_named(name);
            events.first().map_or(f64::NAN, |event| number(event, "t"))
        };
        let joined = time("joined");
        connected.push((time("connected") - joined) * 1000.0);
        first_picture.push((time("first_video") - joined) * 1000.0);
        from_start.push((time("first_video") - started) * 1000.0);
    }
    Ok(Joins {
        connected: Times::new(connected)?,
        first_picture: Times::new(first_picture)?,
        from_start: Times::new(from_start)?,
    })
}

fn options(number: usize, seconds: u32) -> ParticipantOptions {
    ParticipantOptions::with_tone(&format!("p{number}"), 300 + 100 * number as u32, seconds)
}

fn finish(participant: &mut Participant, seconds: u32) -> anyhow::Result<()> {
    let status = participant.wait(Duration::from_secs(seconds.into()) + PATIENCE)?;
    ensure!(status.success(), "a participant failed: {status}");
    Ok(())
}

fn figures(all: &[Participant]) -> anyhow::Result<Call> {
    let people = all.len() as f64;
    let mut call = Call {
        people: all.len(),
        cpu_each: 0.0,
        cpu_all: 0.0,
        others: None,
        encoder_each: 0.0,
        encoded: Encoded::default(),
        slowest_fps: f64::INFINITY,
        freezes: 0,
        memory_mb: 0.0,
    };
    for participant in all {
        let stats = participant.events_named("stats");
        let last = (WARM_UP + SECONDS) as usize;
        let window = stats.get(WARM_UP as usize..=last).context("too few figures")?;
        let (first, last) = (&window[0], &window[window.len() - 1]);
        let seconds = number(last, "t") - number(first, "t");
        call.cpu_all += (number(last, "cpu_s") - number(first, "cpu_s")) / seconds;
        let encoder_ms = |stats: &Value| number(&stats["encode"][0], "cpu_ms");
        call.encoder_each += (encoder_ms(last) - encoder_ms(first)) / 1000.0 / seconds / people;
        call.memory_mb += number(last, "rss_mb") / people;

        let encode = &last["encode"][0];
        call.encoded.width = encode["width"].as_u64().unwrap_or_default();
        call.encoded.height = encode["height"].as_u64().unwrap_or_default();
        let average = |key| {
            let values = window[1..].iter().map(|stats| number(&stats["encode"][0], key));
            values.sum::<f64>() / (window.len() - 1) as f64
        };
        call.encoded.fps += average("fps") / people;
        call.encoded.kbps += average("kbps") / people;

        let peers = last["peers"].as_array().context("no peers")?;
        ensure!(peers.len() + 1 == all.len(), "somebody left early");
        for now in peers {
            let then = peer(first, &now["peer"]).context("somebody came late")?;
            let (then, now) = (&then["video_in"], &now["video_in"]);
            let fps = (number(now, "frames") - number(then, "frames")) / seconds;
            call.slowest_fps = call.slowest_fps.min(fps);
            call.freezes += (number(now, "freezes") - number(then, "freezes")) as u64;
        }
    }
    call.cpu_each = call.cpu_all / people;
    Ok(call)
}

fn peer<'a>(stats: &'a Value, id: &Value) -> Option<&'a Value> {
    stats["peers"].as_array()?.iter().find(|peer| peer["peer"] == *id)
}

/// What cannot be read turns the figure that it goes into into NaN, which is seen.
fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}
