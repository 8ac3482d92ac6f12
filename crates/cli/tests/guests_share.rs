//! Shared screens between ours, a Chromium guest and a Firefox guest: both see what ours shares beside
//! the face, and what Chromium shares arrives at the two others.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use browser::Sound;
use quartet_harness::{BrowserKind, Guest, ParticipantOptions};
use room::Room;
use serde_json::Value;

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_screen_is_seen_beside_the_face_whoever_shares_it() {
    let (room, sound) = (Room::open(), Sound::start());
    let mut options = ParticipantOptions::with_tone("Ours", 500, 300);
    // A browser has no address on loopback.
    options.extra = ["--view", "360", "--share", "pattern"].map(str::to_owned).into();
    let ours = room.join(&options);
    ours.wait_for("joined", 1, PATIENCE).unwrap();
    let chromium =
        Guest::join(&sound.browser(BrowserKind::Chromium, 800), &room.link, "Chromium").unwrap();
    let firefox =
        Guest::join(&sound.browser(BrowserKind::Firefox, 1100), &room.link, "Firefox").unwrap();
    for guest in [&chromium, &firefox] {
        guest.meets("Ours").unwrap();
        guest.sees_screen("Ours").unwrap();
        guest.sees("Ours").unwrap();
    }
    chromium.meets("Firefox").unwrap();

    chromium.browser().click("share").unwrap();
    chromium
        .browser()
        .wait_for("the note", "document.querySelector('[data-testid=sharing-note]')")
        .unwrap();
    firefox.sees_screen("Chromium").unwrap();
    firefox.sees("Chromium").unwrap();
    let sharing = ours.wait_for("sharing", 1, PATIENCE).unwrap();
    assert!(sharing[0]["sharing"].is_string(), "{sharing:?}");
    ours.wait_for("first_screen", 1, PATIENCE).unwrap();

    // One click ends it, for everybody.
    chromium.browser().click("stop-sharing").unwrap();
    firefox.sees_no_screen("Chromium").unwrap();
    let over = ours.wait_for("sharing", 2, PATIENCE).unwrap();
    assert_eq!(over[1]["sharing"], Value::Null);
    for guest in [&chromium, &firefox] {
        guest.has_nothing_to_complain_of().unwrap();
    }
}
