//! One of ours, a Chromium guest and a Firefox guest in one call: everybody sees and hears the two
//! others, what is withheld is marked, and who leaves is gone.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/record.rs"]
mod record;
#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use browser::Sound;
use quartet_harness::{BrowserKind, Guest, ParticipantOptions};
use room::Room;

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(30);
const OURS_HZ: u32 = 500;
const CHROMIUM_HZ: u32 = 800;
const FIREFOX_HZ: u32 = 1100;

#[test]
fn ours_and_two_browsers_are_equals_in_a_call() {
    let (room, sound) = (Room::open(), Sound::start());
    let folder = tempfile::tempdir().unwrap();
    let mut options = ParticipantOptions::with_tone("Ours", OURS_HZ, 300);
    options.record = Some(folder.path().to_owned());
    // A browser has no address on loopback; and two large films would be too much for the disk.
    options.extra = ["--view", "180"].map(str::to_owned).into();
    let mut ours = room.join(&options);
    ours.wait_for("joined", 1, PATIENCE).unwrap();

    let chromium =
        Guest::join(&sound.browser(BrowserKind::Chromium, CHROMIUM_HZ), &room.link, "Chromium")
            .unwrap();
    let firefox =
        Guest::join(&sound.browser(BrowserKind::Firefox, FIREFOX_HZ), &room.link, "Firefox")
            .unwrap();
    let guests = [&chromium, &firefox];
    for guest in guests {
        for other in ["Ours", "Chromium", "Firefox"] {
            if other != guest.name() {
                guest.meets(other).unwrap();
            }
        }
    }
    ours.wait_for("first_video", 2, PATIENCE).unwrap();
    ours.wait_for("first_audio", 2, PATIENCE).unwrap();

    for guest in guests {
        guest.sees("Ours").unwrap();
        guest.hears("Ours", OURS_HZ).unwrap();
    }
    chromium.sees("Firefox").unwrap();
    chromium.hears("Firefox", FIREFOX_HZ).unwrap();
    firefox.sees("Chromium").unwrap();
    firefox.hears("Chromium", CHROMIUM_HZ).unwrap();

    for guest in guests {
        guest.reads_details_of(2).unwrap();
    }

    // What a guest withholds is marked at the other one, does not arrive, and comes again.
    chromium.browser().click("mute").unwrap();
    firefox.wait_tile("Chromium", "muted", "true").unwrap();
    firefox.hears_nothing_of("Chromium").unwrap();
    chromium.browser().click("camera").unwrap();
    firefox.wait_tile("Chromium", "cameraOff", "true").unwrap();
    chromium.browser().click("camera").unwrap();
    chromium.browser().click("mute").unwrap();
    firefox.wait_tile("Chromium", "muted", "false").unwrap();
    firefox.wait_tile("Chromium", "picture", "true").unwrap();
    firefox.sees("Chromium").unwrap();
    firefox.hears("Chromium", CHROMIUM_HZ).unwrap();

    // Who leaves is gone at once, whoever it is.
    chromium.browser().click("leave").unwrap();
    let left = ours.wait_for("peer_left", 1, PATIENCE).unwrap();
    assert_eq!(left[0]["name"], "Chromium");
    for guest in guests {
        guest.has_nothing_to_complain_of().unwrap();
    }
    ours.child().terminate().unwrap();
    assert!(ours.wait(PATIENCE).unwrap().success());
    firefox.is_alone().unwrap();

    for event in ours.events_named("peer_joined") {
        let hz = if event["name"] == "Chromium" { CHROMIUM_HZ } else { FIREFOX_HZ };
        record::is_a_tone(folder.path(), event["peer"].as_str().unwrap(), hz);
        record::moves(folder.path(), event["peer"].as_str().unwrap());
    }
}
