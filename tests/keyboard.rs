//! The whole way through the app without a mouse, and a language that stays.
#![cfg(target_os = "linux")]

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;
use quartet_harness::{AppWindow, AppWindowOptions, Display, Programs, key, wait_until};
use serde_json::{Value, json};

/// No screen has as many controls.
const MANY_TABS: usize = 40;

#[test]
fn a_call_needs_no_mouse() -> anyhow::Result<()> {
    let (programs, _display, options) = prepare("en")?;
    let window = AppWindow::open(&programs, &options)?;

    tab_to(&window, "new-call")?;
    window.press(key::ENTER)?;
    // With a name, Enter is enough.
    focus_comes_to(&window, "join")?;
    window.press(key::ENTER)?;
    own_picture_moves(&window)?;
    focus_comes_to_the_screen(&window)?;

    window.press("m")?;
    window.wait_for("the microphone to be off", &pressed("mute", true))?;
    window.press("m")?;
    window.wait_for("the microphone to be on", &pressed("mute", false))?;

    window.press("v")?;
    window.wait_for("the camera to be off", &pressed("camera", true))?;
    window.wait_for("initials instead of the picture", &own_picture(false))?;
    window.press("v")?;
    window.wait_for("the camera to be on", &pressed("camera", false))?;
    own_picture_moves(&window)?;

    tab_to(&window, "mute")?;
    window.press(key::ENTER)?;
    window.wait_for("Enter to press the button", &pressed("mute", true))?;
    assert_eq!(window.focused()?.as_deref(), Some("mute"), "a switch keeps the focus");

    window.press(",")?;
    window.wait_for("the settings", &present("settings-dialog"))?;
    let within = reachable(&window)?;
    assert!(within.contains("device-camera"), "the settings can be reached: {within:?}");
    assert!(!within.contains("leave"), "the call behind them cannot: {within:?}");
    window.press(key::ESCAPE)?;
    window.wait_for("the settings to close", &format!("!({})", present("settings-dialog")))?;
    assert_eq!(window.focused()?.as_deref(), Some("mute"), "the focus is back where it was");

    window.press("l")?;
    focus_comes_to(&window, "leave-confirm")?;
    window.press(key::ENTER)?;
    window.wait_for("the last screen", &present("rejoin"))?;
    focus_comes_to_the_screen(&window)?;
    tab_to(&window, "home")?;
    window.press(key::ENTER)?;
    window.wait_for("home", &present("new-call"))?;
    window.close()
}

#[test]
fn a_chosen_language_stays() -> anyhow::Result<()> {
    let (programs, _display, options) = prepare("en")?;
    let window = AppWindow::open(&programs, &options)?;
    assert_eq!(window.eval("return document.documentElement.lang;")?, "en");
    assert_eq!(window.text("new-call")?, "New call");

    tab_to(&window, "language")?;
    // A list goes to the entry that begins with what is typed.
    window.press("ไ")?;
    in_thai(&window)?;

    let window = window.reopen(&programs, &options)?;
    in_thai(&window)?;
    window.close()
}

fn prepare(language: &str) -> anyhow::Result<(Programs, Display, AppWindowOptions)> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1120, 720)?;
    let settings = json!({
        "name": "Ada", "language": language, "camera": "pattern", "microphone": "tone:440",
        "speaker": "none",
    });
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings,
        ..AppWindowOptions::default()
    };
    Ok((programs, display, options))
}

fn in_thai(window: &AppWindow) -> anyhow::Result<()> {
    window.wait_for("the language", "document.documentElement.lang === 'th'")?;
    assert_eq!(window.text("new-call")?, "เริ่มการโทรใหม่");
    Ok(())
}

fn tab_to(window: &AppWindow, test_id: &str) -> anyhow::Result<()> {
    for _ in 0..MANY_TABS {
        window.press(key::TAB)?;
        if window.focused()?.as_deref() == Some(test_id) {
            return Ok(());
        }
    }
    anyhow::bail!("Tab does not lead to {test_id}")
}

/// What Tab leads to.
fn reachable(window: &AppWindow) -> anyhow::Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for _ in 0..MANY_TABS {
        window.press(key::TAB)?;
        all.extend(window.focused()?);
    }
    Ok(all)
}

fn focus_comes_to(window: &AppWindow, test_id: &str) -> anyhow::Result<()> {
    let is = format!("document.activeElement?.dataset.testid === {}", json!(test_id));
    window.wait_for(&format!("the focus on {test_id}"), &is)
}

fn focus_comes_to_the_screen(window: &AppWindow) -> anyhow::Result<()> {
    window.wait_for("the focus on the screen", "document.activeElement?.tagName === 'MAIN'")
}

fn present(test_id: &str) -> String {
    format!("document.querySelector('[data-testid={test_id}]')")
}

fn pressed(test_id: &str, on: bool) -> String {
    format!("document.querySelector('[data-testid={test_id}][aria-pressed={on}]')")
}

fn own_picture(shown: bool) -> String {
    format!("document.querySelector('main.call [data-testid=own-tile][data-picture={shown}]')")
}

fn own_picture_moves(window: &AppWindow) -> anyhow::Result<()> {
    window.wait_for("the own picture", &own_picture(true))?;
    let mut before = Value::Null;
    wait_until("the own picture to move", Duration::from_secs(30), || {
        let now = window.eval(
            "const canvas = document.querySelector('[data-testid=own-tile] canvas');
            if (!canvas?.width) return null;
            const { width, height } = canvas;
            const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
            return pixels.reduce((sum, value) => (sum * 31 + value) % 4294967291, 0);",
        )?;
        let moves = now != Value::Null && before != Value::Null && now != before;
        before = now;
        Ok(moves.then_some(()))
    })
    .context("in the call")
}
