//! What nobody is told: the addresses of whoever allows relayed paths only, and anything at all
//! before *Join* is pressed.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/room.rs"]
mod room;
#[path = "support/tap.rs"]
mod tap;

use std::{
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use browser::Sound;
use quartet_harness::{BrowserKind, Guest, ParticipantOptions};
use quartet_proto::ClientMessage;
use quartet_server::RelayOptions;
use quartet_testkit::stun_counter::StunCounter;
use room::{Room, new_link};
use tap::Tap;

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the relay is: nobody's own address, for neither ours nor Chromium uses loopback here.
const RELAY: &str = "127.0.0.1";

/// The address that this machine has on its network, which no packet is sent to learn.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.250:9").unwrap();
    socket.local_addr().unwrap().ip()
}

/// A room on a server with a relay of its own, which is reached through the tap only.
fn tapped() -> (Room, Tap) {
    let mut room = Room::open_with(|config| {
        config.relay = Some(RelayOptions::at(format!("{RELAY}:0").parse().unwrap()));
    });
    let tap = Tap::before(room.address());
    room.link = new_link(&tap.url());
    (room, tap)
}

/// Nothing in it says where the one is who wrote it.
fn tells_no_address(candidate: &str) {
    let fields: Vec<_> = candidate.split_ascii_whitespace().collect();
    let after = |word: &str| {
        let place = fields.iter().position(|field| *field == word);
        place.and_then(|place| fields.get(place + 1)).copied()
    };
    assert_eq!(after("typ"), Some("relay"), "{candidate}");
    assert_eq!(fields[4], RELAY, "{candidate}");
    assert!(matches!(after("raddr"), None | Some("0.0.0.0" | "::")), "{candidate}");
    assert!(matches!(after("rport"), None | Some("0" | "9")), "{candidate}");
}

#[test]
fn whoever_allows_relayed_paths_only_tells_nobody_their_addresses() {
    let (room, tap) = tapped();
    let sound = Sound::start();
    let mut options = ParticipantOptions::with_tone("Ours", 500, 300);
    // As anybody would, on all of the machine's addresses.
    options.extra = ["--view", "180", "--ice-policy", "relay"].map(str::to_owned).into();
    let mut ours = room.join(&options);
    ours.wait_for("joined", 1, PATIENCE).unwrap();
    let options = sound.browser(BrowserKind::Chromium, 800);
    let guest = Guest::arrive_with(&options, &room.link, "Guest", r#""relay_only": true"#).unwrap();
    guest.enter().unwrap();
    guest.meets("Ours").unwrap();
    guest.sees("Ours").unwrap();
    guest.hears("Ours", 500).unwrap();
    ours.wait_for("first_video", 1, PATIENCE).unwrap();
    ours.wait_for("first_audio", 1, PATIENCE).unwrap();
    let paths = ours.events_named("connected");
    assert_eq!((&paths[0]["local"], &paths[0]["remote"]), (&"relay".into(), &"relay".into()));

    let own = own_address().to_string();
    let (mut descriptions, mut candidates) = (0, 0);
    for text in tap.texts() {
        assert!(!text.contains(&own), "the address is told: {text}");
        assert!(!text.contains(".local"), "its name is told: {text}");
    }
    for message in tap.messages() {
        match message {
            ClientMessage::Description { sdp, .. } => {
                descriptions += 1;
                for line in sdp.lines() {
                    if let Some(candidate) = line.strip_prefix("a=candidate:") {
                        tells_no_address(candidate);
                    } else if line.starts_with("c=") || line.starts_with("o=") {
                        let address = line.split(' ').next_back().unwrap();
                        assert!(["0.0.0.0", "127.0.0.1"].contains(&address), "{line}");
                    } else if line.starts_with("a=rtcp:") {
                        assert!(
                            line.ends_with("IN IP4 0.0.0.0") || line.ends_with(RELAY),
                            "{line}"
                        );
                    }
                }
            }
            ClientMessage::Candidate { candidate, .. } if !candidate.candidate.is_empty() => {
                candidates += 1;
                tells_no_address(&candidate.candidate);
            }
            _ => {}
        }
    }
    // One of each side at least, or the tap heard nothing.
    assert!(descriptions >= 2 && candidates >= 2, "{descriptions}, {candidates}");
    ours.child().terminate().unwrap();
    assert!(ours.wait(PATIENCE).unwrap().success());
}

#[test]
fn nothing_that_holds_an_address_leaves_before_join_is_pressed() {
    let (room, tap) = tapped();
    let (sound, stun) = (Sound::start(), StunCounter::start().unwrap());
    let ours = room.join(&ParticipantOptions::with_tone("Ours", 500, 300));
    ours.wait_for("joined", 1, PATIENCE).unwrap();
    let before = tap.messages().len();
    let options = sound.browser(BrowserKind::Chromium, 800);
    let server =
        format!(r#""ice_servers": [{{"url":"{}","username":"","credential":""}}]"#, stun.url());
    let guest = Guest::arrive_with(&options, &room.link, "Guest", &server).unwrap();
    // Long enough to be told who is there, and to show oneself.
    guest.is_ready().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(stun.count(), 0, "a STUN server was asked before anybody joined");
    for message in &tap.messages()[before..] {
        assert!(
            matches!(
                message,
                ClientMessage::Hello { .. }
                    | ClientMessage::Watch { .. }
                    | ClientMessage::Ping { .. }
            ),
            "{message:?}"
        );
    }
    // And it would have been noticed.
    guest.enter().unwrap();
    guest.wait_tile("Ours", "connection", "connected").unwrap();
    assert!(stun.count() > 0, "the STUN server is not asked at all");
}
