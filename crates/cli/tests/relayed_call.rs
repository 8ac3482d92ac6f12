//! A call of which not a packet goes directly: through a real TURN server.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]
#![cfg(unix)]

#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use quartet_harness::{Participant, ParticipantOptions};
use quartet_server::{RelayOptions, TurnCredentials};
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

/// Both ends of the path are relayed, and what comes by it is a picture and a voice.
fn sees_and_hears_through_a_relay(person: &mut Participant) {
    let paths = person.wait_for("connected", 1, Duration::from_secs(10)).unwrap();
    assert_eq!((&paths[0]["local"], &paths[0]["remote"]), (&"relay".into(), &"relay".into()));
    person.wait_for("first_audio", 1, Duration::from_secs(10)).unwrap();
    person.wait_for("first_video", 1, Duration::from_secs(10)).unwrap();
    assert_eq!(person.wait(Duration::from_secs(15)).unwrap().code(), Some(0));
    let figures = person.events_named("stats");
    let most = |kind: &str, what: &str| {
        let peers = figures.iter().filter_map(|stats| stats["peers"].get(0));
        peers.filter_map(|peer| peer[kind][what].as_u64()).max()
    };
    assert!(most("video_in", "frames") > Some(60), "{figures:?}");
    assert!(most("audio_in", "packets") > Some(40), "{figures:?}");
}

#[test]
fn two_people_see_and_hear_each_other_through_a_relay() {
    let turn = TurnServer::start();
    let room = Room::open();
    let mut people = [("Ann", 500, 5), ("Bo", 900, 5)]
        .map(|(name, hz, seconds)| room.join(&relayed(name, hz, seconds, &turn, CREDENTIAL)));
    for person in &mut people {
        sees_and_hears_through_a_relay(person);
    }
}

#[test]
fn the_servers_own_relay_carries_a_call_with_what_it_hands_out() {
    let room = Room::open_with(|config| {
        config.relay = Some(RelayOptions::at("127.0.0.1:0".parse().unwrap()));
    });
    let mut people = [("Ann", 500), ("Bo", 900)].map(|(name, hz)| {
        let mut options = ParticipantOptions::with_tone(name, hz, 5);
        options.extra.extend(["--ice-policy", "relay"].map(str::to_owned));
        room.join(&options)
    });
    for person in &mut people {
        sees_and_hears_through_a_relay(person);
    }
}

#[test]
fn whoever_came_long_ago_meets_a_newcomer_with_fresh_credentials() {
    let turn = TurnServer::start_with_secret("a long secret");
    let ttl = Duration::from_secs(4);
    let room = Room::open_with(|config| {
        let urls = turn.turn().urls;
        config.turn = Some(TurnCredentials::new("a long secret", urls, ttl));
    });
    let join = |name, hz| {
        let mut options = ParticipantOptions::with_tone(name, hz, 60);
        options.extra.extend(["--ice-policy", "relay"].map(str::to_owned));
        room.join(&options)
    };
    let ann = join("Ann", 500);
    ann.wait_for("joined", 1, Duration::from_secs(10)).unwrap();
    // What Ann came with has ended when Bo comes, and his path to her is a new one.
    std::thread::sleep(ttl + Duration::from_secs(2));
    let bo = join("Bo", 900);
    let paths = ann.wait_for("connected", 1, Duration::from_secs(10)).unwrap();
    assert_eq!((&paths[0]["local"], &paths[0]["remote"]), (&"relay".into(), &"relay".into()));
    // And so has what Bo came with, while they see and hear each other.
    std::thread::sleep(ttl + Duration::from_secs(2));
    for mut person in [ann, bo] {
        assert_eq!(person.events_named("connected").len(), 1);
        let figures = person.events_named("stats").pop().unwrap();
        assert!(figures["peers"][0]["video_in"]["frames"].as_u64() > Some(90), "{figures}");
        person.child().terminate().unwrap();
        assert_eq!(person.wait(Duration::from_secs(5)).unwrap().code(), Some(0));
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
