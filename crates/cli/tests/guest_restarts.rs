//! What a guest's page goes through in the middle of a call: it is loaded again, and the path to the
//! other side is looked for again, from either side. Picture and voice go on.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/room.rs"]
mod room;

use std::{collections::HashSet, time::Duration};

use browser::Sound;
use quartet_harness::{BrowserKind, Guest, Participant, ParticipantOptions};
use room::Room;

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so many visits both roles have been seen, but for once in 5000 times.
const MOST_VISITS: usize = 16;
const OURS_HZ: u32 = 500;
const GUEST_HZ: u32 = 800;

#[test]
fn a_reloaded_chromium_comes_back_and_restarts_keep_the_media() {
    reload_and_restart(BrowserKind::Chromium);
}

#[test]
fn a_reloaded_firefox_comes_back_and_restarts_keep_the_media() {
    reload_and_restart(BrowserKind::Firefox);
}

fn reload_and_restart(kind: BrowserKind) {
    let sound = Sound::start();
    let mut options = ParticipantOptions::with_tone("Ours", OURS_HZ, 300);
    options.extra = ["--view", "360"].map(str::to_owned).into();
    let (room, ours) = joined_in_the_middle(&options);
    let guest = Guest::join(&sound.browser(kind, GUEST_HZ), &room.link, "Guest").unwrap();

    // Which side of a pair offers is a matter of their ids, and each visit has another one.
    let mut roles = HashSet::new();
    for visit in 1..=MOST_VISITS {
        guest.meets("Ours").unwrap();
        ours.wait_for("first_video", visit, PATIENCE).unwrap();
        if roles.insert(role(&guest)) {
            restart(&guest);
            goes_on(&guest, &ours);
            assert_eq!(ours.events_named("peer_left").len(), visit - 1, "nobody was gone");
            let connections = guest.browser().eval("return watch.connections.length;").unwrap();
            assert_eq!(connections, 1, "no new connection");
        }
        guest.has_nothing_to_complain_of().unwrap();
        if roles.len() == 2 && visit > 1 {
            return;
        }
        guest.browser().reload().unwrap();
        ours.wait_for("peer_left", visit, PATIENCE).unwrap();
        guest.enter().unwrap();
    }
    panic!("the guest was {roles:?} each time");
}

/// A room with somebody whose id half of all are above, so that a guest is as often on the one side
/// as on the other: next to an id at the edge, hardly any visit is different from that before.
fn joined_in_the_middle(options: &ParticipantOptions) -> (Room, Participant) {
    loop {
        let room = Room::open();
        let ours = room.join(options);
        let joined = ours.wait_for("joined", 1, PATIENCE).unwrap();
        if joined[0]["peer"].as_str().unwrap().starts_with(['7', '8']) {
            return (room, ours);
        }
    }
}

/// `offer` or `answer`: what the page says to the other side.
fn role(guest: &Guest) -> String {
    let kind = "return watch.connections.at(-1).currentLocalDescription.type;";
    guest.browser().eval(kind).unwrap().as_str().unwrap().to_owned()
}

/// As after a change of network. The page offers new ICE credentials, or asks the other side to.
fn restart(guest: &Guest) {
    const UFRAG: &str = "watch.connections.at(-1).currentRemoteDescription
        .sdp.match(/a=ice-ufrag:(\\S+)/)[1]";
    let before = guest.browser().eval(&format!("return {UFRAG};")).unwrap();
    guest.browser().eval("dispatchEvent(new Event('online'));").unwrap();
    let restarted =
        format!("{UFRAG} !== {before} && watch.connections.at(-1).connectionState === 'connected'");
    guest.browser().wait_for("other ICE credentials", &restarted).unwrap();
}

/// Both ways picture and voice.
fn goes_on(guest: &Guest, ours: &Participant) {
    guest.sees("Ours").unwrap();
    guest.hears("Ours", OURS_HZ).unwrap();
    let flow = |ours: &Participant| {
        let stats = ours.events_named("stats").pop().unwrap();
        let peer = &stats["peers"][0];
        let count = |kind: &str, what: &str| peer[kind][what].as_u64().unwrap_or_default();
        (count("video_in", "frames"), count("audio_in", "packets"))
    };
    let (pictures, packets) = flow(ours);
    quartet_harness::wait_until("more from the guest", PATIENCE, || {
        let (more_pictures, more_packets) = flow(ours);
        Ok((more_pictures > pictures + 20 && more_packets > packets + 20).then_some(()))
    })
    .unwrap();
}
