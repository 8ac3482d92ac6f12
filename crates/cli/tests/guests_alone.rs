//! Guests need nobody with the app: a room of a Chromium and a Firefox.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/room.rs"]
mod room;

use browser::Sound;
use quartet_harness::{BrowserKind, Guest};
use room::Room;

const CHROMIUM_HZ: u32 = 800;
const FIREFOX_HZ: u32 = 1100;

#[test]
fn two_browsers_call_each_other() {
    let (room, sound) = (Room::open(), Sound::start());
    let firefox =
        Guest::join(&sound.browser(BrowserKind::Firefox, FIREFOX_HZ), &room.link, "Firefox")
            .unwrap();
    let chromium =
        Guest::join(&sound.browser(BrowserKind::Chromium, CHROMIUM_HZ), &room.link, "Chromium")
            .unwrap();
    firefox.meets("Chromium").unwrap();
    chromium.meets("Firefox").unwrap();
    firefox.sees("Chromium").unwrap();
    firefox.hears("Chromium", CHROMIUM_HZ).unwrap();
    chromium.sees("Firefox").unwrap();
    chromium.hears("Firefox", FIREFOX_HZ).unwrap();

    firefox.browser().click("leave").unwrap();
    chromium.is_alone().unwrap();
    for guest in [&firefox, &chromium] {
        guest.has_nothing_to_complain_of().unwrap();
    }
}
