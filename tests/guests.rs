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
const IN_CALL: &str = "document.querySelector('[data-testid=leave]')";

#[test]
fn an_app_and_a_browser_see_each_other_by_the_apps_own_link() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1000, 700)?;
    let window = open_app(&programs, &display)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("join")?;
    window.wait_for("the call", IN_CALL)?;

    let sound = SoundServer::start()?;
    let guest = Guest::join(&browser(BrowserKind::Chromium, &sound), &link, "Ben")?;
    guest.meets("Ada")?;
    guest.sees("Ada")?;
    window.wait_for(
        "the guest's picture",
        &guest_is("[data-connection=connected][data-picture=true]"),
    )?;
    sees_guest(&window)?;

    // What the app's side withholds, the guest is told; and the other way round.
    window.click("camera")?;
    guest.wait_tile("Ada", "cameraOff", "true")?;
    guest.browser().click("mute")?;
    window.wait_for("the mark of the muted guest", &guest_is("[data-muted=true]"))?;

    guest.browser().click("leave")?;
    window.wait_for("an empty room", "document.querySelector('[data-testid=tile]') === null")?;
    guest.has_nothing_to_complain_of()?;
    window.close()
}

#[test]
fn a_guest_who_knocks_at_the_app_is_let_in_by_a_click() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1000, 700)?;
    let window = open_app(&programs, &display)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("ask-first")?;
    window.click("join")?;
    window.wait_for("the call", IN_CALL)?;

    let sound = SoundServer::start()?;
    let guest = Guest::arrive(&browser(BrowserKind::Firefox, &sound), &link, "Fay")?;
    let door = "document.querySelector('[data-testid=door]')";
    guest.browser().wait_for("that somebody has to let one in", door)?;
    guest.press_join()?;
    let waiting = "document.querySelector('[data-testid=waiting]')";
    guest.browser().wait_for("the waiting screen", waiting)?;
    assert!(window.text("knock")?.contains("Fay"));
    window.wait_for("an empty room", "document.querySelector('[data-testid=tile]') === null")?;
    window.click("admit")?;
    guest.is_in_call()?;
    window.wait_for("nobody at the door", "!document.querySelector('[data-testid=knocks]')")?;
    guest.meets("Ada")?;
    guest.sees("Ada")?;
    window.wait_for(
        "the guest's picture",
        &guest_is("[data-connection=connected][data-picture=true]"),
    )?;
    sees_guest(&window)?;

    // Withheld and given again, each way.
    let marks = [("mute", "muted", "muted"), ("camera", "cameraOff", "camera-off")];
    for (button, mark, attribute) in marks {
        for on in [true, false] {
            window.click(button)?;
            guest.wait_tile("Ada", mark, &on.to_string())?;
            guest.browser().click(button)?;
            let marked = guest_is(&format!("[data-{attribute}={on}]"));
            window.wait_for(&format!("{button} {on} at the guest"), &marked)?;
        }
    }
    guest.wait_tile("Ada", "picture", "true")?;
    guest.sees("Ada")?;
    window.wait_for("the guest's picture again", &guest_is("[data-picture=true]"))?;
    sees_guest(&window)?;
    guest.has_nothing_to_complain_of()?;
    window.close()
}

fn open_app(programs: &Programs, display: &Display) -> anyhow::Result<AppWindow> {
    let settings = json!({
        "name": "Ada", "language": "en", "camera": "pattern", "microphone": "tone",
        "speaker": "none",
    });
    let display = display.name().to_owned();
    let options = AppWindowOptions { display, settings, ..AppWindowOptions::default() };
    AppWindow::open(programs, &options)
}

fn browser(kind: BrowserKind, sound: &SoundServer) -> BrowserOptions {
    BrowserOptions { kind, microphone_hz: 800, variables: sound.env().to_vec() }
}

/// The only other tile in the app's window is so.
fn guest_is(attributes: &str) -> String {
    format!("document.querySelector('[data-testid=tile]{attributes}')")
}

/// In the app's window the guest's picture moves.
fn sees_guest(window: &AppWindow) -> anyhow::Result<()> {
    let picture = "document.querySelector('[data-testid=tile] canvas').toDataURL('image/png')";
    let mut before = Value::Null;
    wait_until("a picture that moves", PATIENCE, || {
        let now = window.eval(&format!("return {picture};"))?;
        let moved = before != Value::Null && now != before;
        before = now;
        Ok(moved.then_some(()))
    })
}
