//! Hands, reactions, volumes and the space bar between a real app window and a guest in a browser.
#![cfg(target_os = "linux")]

use quartet_harness::{
    AppWindow, AppWindowOptions, BrowserKind, BrowserOptions, Display, Guest, Programs, key,
};
use quartet_testkit::sound::SoundServer;
use serde_json::json;

const GUEST_HZ: u32 = 800;
/// The app's own test tone.
const APP_HZ: u32 = 440;

#[test]
fn an_app_and_a_guest_raise_hands_react_and_choose_how_loud_the_other_is() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1000, 700)?;
    let settings = json!({
        "name": "Ada", "language": "en", "camera": "pattern", "microphone": "tone",
        "speaker": "none", "process_voice": false, "start_muted": true,
    });
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings,
        ..AppWindowOptions::default()
    };
    let window = AppWindow::open(&programs, &options)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("join")?;
    window.wait_for("the call", "document.querySelector('main.call')")?;
    let sound = SoundServer::start()?;
    let browser = BrowserOptions {
        kind: BrowserKind::Chromium,
        microphone_hz: GUEST_HZ,
        variables: sound.env().to_vec(),
    };
    let guest = Guest::join(&browser, &link, "Ben")?;
    guest.meets("Ada")?;
    window.wait_for("the guest", &of_guest("[data-connection=connected]"))?;

    // By its key here, by its control there; both see the same order.
    window.press("h")?;
    guest.wait_tile("Ada", "hand", "1")?;
    guest.browser().click("hand")?;
    window.wait_for("the second hand", &of_guest("[data-hand='2']"))?;
    window.wait_for(
        "the own hand",
        "document.querySelector('[data-testid=own-tile][data-hand=\"1\"]')",
    )?;
    window.press("h")?;
    guest.wait_tile("Ada", "hand", "0")?;
    window.wait_for("the first hand", &of_guest("[data-hand='1']"))?;

    // Each way, over the tile of whom it comes from; the sender sees it, too.
    window.press("e")?;
    window.click("react-party")?;
    let cheer = |tile: &str, kind: &str| {
        format!(
            "document.querySelector('[data-testid={tile}] [data-testid=cheer][data-kind={kind}]')"
        )
    };
    guest.browser().wait_for("a reaction", &cheer("tile", "party"))?;
    window.wait_for("the own reaction", &cheer("own-tile", "party"))?;
    guest.browser().click("reactions")?;
    guest.browser().click("react-heart")?;
    window.wait_for("the guest's reaction", &cheer("tile", "heart"))?;
    window.press(key::ESCAPE)?;
    window.wait_for("its end", &format!("!{}", cheer("tile", "heart")))?;

    // Muted, the tone is heard by the own side only, and that is said.
    window.wait_for("that one is muted", "document.querySelector('[data-testid=speaks-muted]')")?;
    guest.hears_nothing_of("Ada")?;
    window.hold(" ")?;
    guest.wait_tile("Ada", "muted", "false")?;
    guest.hears("Ada", APP_HZ)?;
    window.release(" ")?;
    guest.wait_tile("Ada", "muted", "true")?;
    guest.hears_nothing_of("Ada")?;

    // As loud as the guest wants.
    window.press("m")?;
    guest.wait_tile("Ada", "muted", "false")?;
    let usual = guest.loudness_of("Ada")?;
    guest.set_volume("200")?;
    let louder = guest.loudness_of("Ada")? - usual;
    assert!((4.0..8.0).contains(&louder), "twice as loud is 6 dB more, not {louder}");
    guest.hears("Ada", APP_HZ)?;
    guest.set_volume("0")?;
    guest.hears_nothing_of("Ada")?;
    guest.set_volume("100")?;
    let again = guest.loudness_of("Ada")? - usual;
    assert!(again.abs() < 2.0, "{again} dB more than at first");
    guest.has_nothing_to_complain_of()?;
    window.close()
}

/// The only other tile in the app's window is so.
fn of_guest(attributes: &str) -> String {
    format!("document.querySelector('[data-testid=tile]{}')", attributes.replace('\'', "\""))
}
