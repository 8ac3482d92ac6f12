//! A guest is sent the picture in the size in which its page shows it.

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

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_small_page_gets_the_small_picture_and_a_large_one_a_larger() {
    let (room, sound) = (Room::open(), Sound::start());
    let mut options = ParticipantOptions::with_tone("Ours", 500, 300);
    // Ours only sends here: the machine is to be busy with little else.
    options.extra = ["--view", "180"].map(str::to_owned).into();
    let ours = room.join(&options);
    ours.wait_for("joined", 1, PATIENCE).unwrap();
    let guest =
        Guest::join(&sound.browser(BrowserKind::Chromium, 800), &room.link, "Guest").unwrap();
    guest.meets("Ours").unwrap();
    for (width, height, lines) in [(320, 240, 180), (640, 480, 360), (320, 240, 180)] {
        guest.browser().resize(width, height).unwrap();
        guest.wait_lines("Ours", lines).unwrap();
        guest.sees("Ours").unwrap();
    }
    guest.has_nothing_to_complain_of().unwrap();
}
