//! The protocol page is enough for a stranger: the example client in Python, which knows nothing
//! else of ours, meets a participant.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/record.rs"]
mod record;
#[path = "support/room.rs"]
mod room;

use std::{path::Path, process::Command, time::Duration};

use quartet_harness::{Participant, ParticipantOptions};
use room::Room;
use serde_json::Value;

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(30);
const OURS_HZ: u32 = 500;
const PYTHON_HZ: u32 = 700;
/// So many pictures the example has to see that are not the one before: two seconds of a film.
const PICTURES: u64 = 60;

#[test]
fn the_example_client_sees_and_hears_and_is_seen_and_heard() {
    let room = Room::open();
    let folder = tempfile::tempdir().unwrap();
    let mut options = ParticipantOptions::with_tone("Ours", OURS_HZ, 300);
    options.record = Some(folder.path().to_owned());
    options.extra = ["--view", "180"].map(str::to_owned).into();
    let mut ours = room.join(&options);
    ours.wait_for("joined", 1, PATIENCE).unwrap();

    let python = room::programs().tool("example-client/bin/python").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/client.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&room.link).args(["--name", "Python", "--tone"]);
    command.arg(PYTHON_HZ.to_string());
    // It prints lines of JSON as ours do.
    let mut example = Participant::from_command("Python", &mut command).unwrap();

    let is_right = |seen: &Value| {
        let count = |name: &str| seen[name].as_u64().unwrap_or_default();
        count("changes") >= PICTURES && count("hz").abs_diff(OURS_HZ.into()) <= 2
    };
    quartet_harness::wait_until("picture and voice in the example", PATIENCE, || {
        assert!(example.child().is_running(), "{:?}", example.events());
        Ok(example.events_named("seen").iter().any(is_right).then_some(()))
    })
    .unwrap();
    ours.wait_for("first_video", 1, PATIENCE).unwrap();
    ours.wait_for("first_audio", 1, PATIENCE).unwrap();

    example.child().terminate().unwrap();
    let left = ours.wait_for("peer_left", 1, PATIENCE).unwrap();
    ours.child().terminate().unwrap();
    assert!(ours.wait(PATIENCE).unwrap().success());
    let peer = left[0]["peer"].as_str().unwrap();
    record::is_a_tone(folder.path(), peer, PYTHON_HZ);
    record::moves(folder.path(), peer);
}
