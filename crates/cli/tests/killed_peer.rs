//! Somebody's process is killed: the others know within ten seconds, and go on.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/room.rs"]
mod room;

use std::time::{Duration, Instant};

use quartet_harness::ParticipantOptions;
use room::Room;

#[test]
fn a_killed_peer_is_gone_for_the_others_within_ten_seconds() {
    let room = Room::open();
    let mut people: Vec<_> = [500, 800, 1100]
        .map(|hz| room.join(&ParticipantOptions::with_tone(&format!("P{hz}"), hz, 60)))
        .into();
    for person in &people {
        person.wait_for("first_video", 2, Duration::from_secs(15)).unwrap();
    }
    let mut killed = people.remove(0);
    let id = killed.events_named("joined")[0]["peer"].clone();
    killed.child().kill().unwrap();
    let killed_at = Instant::now();
    for person in &people {
        let left = Duration::from_secs(10).saturating_sub(killed_at.elapsed());
        let gone = person.wait_for("peer_left", 1, left).unwrap();
        assert_eq!(gone[0]["peer"], id);
        assert_eq!(gone[0]["name"], "P500");
    }
    // The two who are left still see each other.
    for person in &mut people {
        let stats = person.events_named("stats");
        let before = stats.last().unwrap()["peers"].clone();
        let seen = person.wait_for("stats", stats.len() + 2, Duration::from_secs(5)).unwrap();
        let peers = seen.last().unwrap()["peers"].as_array().unwrap().clone();
        assert_eq!(peers.len(), 1);
        let frames = peers[0]["video_in"]["frames"].as_u64().unwrap();
        let earlier = before.as_array().unwrap();
        let earlier = earlier.iter().find(|peer| peer["peer"] == peers[0]["peer"]).unwrap();
        assert!(frames > earlier["video_in"]["frames"].as_u64().unwrap() + 20);
        assert_eq!(peers[0]["video_in"]["freezes"], 0);
    }
    // Ctrl-C's sibling: leaves cleanly.
    for person in &mut people {
        person.child().terminate().unwrap();
        assert_eq!(person.wait(Duration::from_secs(5)).unwrap().code(), Some(0));
        assert_eq!(person.events().last().unwrap()["event"], "left");
    }
}
