//! A call of which not a packet goes directly: through a real TURN server.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]
#![cfg(unix)]

#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use quartet_harness::{Participant, ParticipantOptions};
use quartet_testkit::turn::{CREDENTIAL, TurnServer, USER};
use room::Room;

/// Through the relay or not at all.
fn relayed(name: &str, hz: u32, seconds: u32, turn: &TurnServer, word: &str) -> ParticipantOptions {
    let mut options = ParticipantOptions::with_tone(name, hz, seconds);
    let server = format!("turn:{USER}:{word}@{}", turn.address());
    options.extra.extend(["--ice-policy", "relay", "--ice-server"].map(str::to_owned));
    options.extra.push(server);
    options
}

#[test]
fn two_people_see_and_hear_each_other_through_a_relay() {
    let turn = TurnServer::start();
    let room = Room::open();
    let mut people = [("Ann", 500, 5), ("Bo", 900, 5)]
        .map(|(name, hz, seconds)| room.join(&relayed(name, hz, seconds, &turn, CREDENTIAL)));
    for person in &people {
        let paths = person.wait_for("connected", 1, Duration::from_secs(10)).unwrap();
        assert_eq!((&paths[0]["local"], &paths[0]["remote"]), (&"relay".into(), &"relay".into()));
        person.wait_for("first_audio", 1, Duration::from_secs(10)).unwrap();
        person.wait_for("first_video", 1, Duration::from_secs(10)).unwrap();
    }
    for person in &mut people {
        assert_eq!(person.wait(Duration::from_secs(15)).unwrap().code(), Some(0));
        let figures = person.events_named("stats");
        let most = |kind: &str, what: &str| {
            let peers = figures.iter().filter_map(|stats| stats["peers"].get(0));
            peers.filter_map(|peer| peer[kind][what].as_u64()).max()
        };
        assert!(most("video_in", "frames") > Some(60), "{figures:?}");
        assert!(most("audio_in", "packets") > Some(40), "{figures:?}");
    }
}

#[test]
fn a_relay_that_refuses_is_a_failed_connection_and_holds_nobody_up() {
    let turn = TurnServer::start();
    let room = Room::open();
    let mut people = [("Ann", 500), ("Bo", 900)]
        .map(|(name, hz)| room.join(&relayed(name, hz, 13, &turn, "wrong")));
    let failed = |person: &Participant| {
        let states = person.events_named("state");
        states.iter().any(|event| event["state"] == "failed")
    };
    for person in &mut people {
        assert_eq!(person.wait(Duration::from_secs(20)).unwrap().code(), Some(0));
        assert!(failed(person), "{:?}", person.events_named("state"));
        assert!(person.events_named("connected").is_empty());
        assert_eq!(person.events_named("left").len(), 1);
    }
}
