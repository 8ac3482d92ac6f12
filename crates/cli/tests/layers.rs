//! Everybody is sent the size that they show, encoded once whoever else wants it, and nothing at
//! all where nobody looks.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use quartet_harness::{Participant, ParticipantOptions};
use room::Room;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// Joins with a window of that many lines.
fn join(room: &Room, name: &str, view: &str) -> Participant {
    let mut options = ParticipantOptions::with_tone(name, 500, 120);
    options.extra = ["--bind", "127.0.0.1", "--view", view].map(str::to_owned).into();
    let person = room.join(&options);
    person.wait_for("joined", 1, PATIENCE).unwrap();
    person
}

/// Waits for figures that are as they should be.
fn wait_stats(person: &Participant, what: &str, right: impl Fn(&Value) -> bool) {
    let mut looked_at = 0;
    loop {
        looked_at += 1;
        let stats = &person.wait_for("stats", looked_at, PATIENCE).unwrap()[looked_at - 1];
        if right(stats) {
            return;
        }
        assert!(looked_at < 25, "never {what}: {stats}");
    }
}

fn sees(stats: &Value, name: &str) -> bool {
    let peers = stats["peers"].as_array().unwrap();
    peers.len() == 2
        && peers.iter().all(|peer| {
            let picture = &peer["video_in"];
            let voice = peer["audio_in"]["packets"].as_u64().unwrap();
            voice > 50
                && match name {
                    // Some may come before the sender knows.
                    "none" => picture["fps"] == 0.0,
                    "180" => picture["width"] == 320,
                    _ => picture["width"] == 640,
                }
        })
}

/// The heights of what is encoded.
fn encodes(stats: &Value) -> Vec<u64> {
    let running = stats["encode"].as_array().unwrap();
    running.iter().map(|rung| rung["height"].as_u64().unwrap()).collect()
}

#[test]
fn each_window_gets_its_size_and_nothing_is_encoded_that_nobody_sees() {
    let room = Room::open();
    let small = join(&room, "Small", "180");
    let middle = join(&room, "Middle", "360");
    let blind = join(&room, "Blind", "none");

    wait_stats(&small, "180 lines of both", |stats| sees(stats, "180"));
    wait_stats(&middle, "360 lines of both", |stats| sees(stats, "360"));
    wait_stats(&blind, "voices without pictures", |stats| sees(stats, "none"));

    wait_stats(&small, "an encoding for Middle only", |stats| encodes(stats) == [360]);
    wait_stats(&middle, "an encoding for Small only", |stats| encodes(stats) == [180]);
    wait_stats(&blind, "one for each of the two", |stats| encodes(stats) == [180, 360]);
}
