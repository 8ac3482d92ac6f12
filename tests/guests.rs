//! Somebody with the app begins a call, and somebody without it opens the link in a browser: the
//! page comes from the app itself.
#![cfg(target_os = "linux")]

use std::time::Duration;

use quartet_harness::{
    AppWindow, AppWindowOptions, BrowserKind, BrowserOptions, Display, Guest, Programs, wait_until,
};
use quartet_testkit::sound::SoundServer;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn an_app_and_a_browser_see_each_other_by_the_apps_own_link() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1000, 700)?;
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings: json!({
            "name": "Ada", "language": "en", "camera": "pattern", "microphone": "none",
            "speaker": "none",
        }),
        ..AppWindowOptions::default()
    };
    let window = AppWindow::open(&programs, &options)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("join")?;
    window.wait_for("the call", "document.querySelector('[data-testid=leave]')")?;

    let sound = SoundServer::start()?;
    let browser = BrowserOptions {
        kind: BrowserKind::Chromium,
        microphone_hz: 800,
        variables: sound.env().to_vec(),
    };
    let guest = Guest::join(&browser, &link, "Ben")?;
    guest.meets("Ada")?;
    guest.sees("Ada")?;
    window.wait_for(
        "the guest's picture",
        "document.querySelector('[data-testid=tile][data-connection=connected][data-picture=true]')",
    )?;
    let mut before = Value::Null;
    wait_until("a picture that moves", PATIENCE, || {
        let now = window.eval(
            "return document.querySelector('[data-testid=tile] canvas').toDataURL('image/png');",
        )?;
        let moved = before != Value::Null && now != before;
        before = now;
        Ok(moved.then_some(()))
    })?;

    // What the app's side withholds, the guest is told; and the other way round.
    window.click("camera")?;
    guest.wait_tile("Ada", "cameraOff", "true")?;
    guest.browser().click("mute")?;
    let muted = "document.querySelector('[data-testid=tile][data-muted=true]')";
    window.wait_for("the mark of the muted guest", muted)?;

    guest.browser().click("leave")?;
    window.wait_for("an empty room", "document.querySelector('[data-testid=tile]') === null")?;
    guest.has_nothing_to_complain_of()?;
    window.close()
}
