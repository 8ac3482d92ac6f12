//! How a call is shown, in a real app window with two headless participants: one of them large,
//! oneself hidden, the whole screen, and all of it remembered.
#![cfg(target_os = "linux")]

use quartet_harness::{
    AppWindow, AppWindowOptions, Display, Participant, ParticipantOptions, Programs,
};
use serde_json::json;

/// The tiles of the others, by their size, the largest first.
const SIZES: &str = "[...document.querySelectorAll('[data-testid=tile]')]
    .map((it) => it.clientWidth * it.clientHeight).sort((a, b) => b - a)";
const IN_CALL: &str = "document.querySelector('main.call')";
const OWN: &str = "document.querySelector('[data-testid=own-tile]')";

#[test]
fn one_is_large_oneself_is_hidden_and_both_are_as_the_person_left_them() -> anyhow::Result<()> {
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
    let join = |name, hz| {
        let options = ParticipantOptions::with_tone(name, hz, 300);
        Participant::join(&programs, &link, &options)
    };
    let people = [join("Bo", 500)?, join("Cid", 800)?];
    let connected =
        "document.querySelectorAll('[data-testid=tile][data-picture=true]').length === 2";
    window.wait_for("two pictures", connected)?;

    let alike = format!("{SIZES}[0] < 3 * {SIZES}[1]");
    let large = format!("{SIZES}[0] > 6 * {SIZES}[1]");
    window.wait_for("all alike", &alike)?;
    window.press("k")?;
    window.wait_for("one large", &large)?;
    window.press("k")?;
    window.press("k")?;
    window.wait_for("all alike again", &alike)?;

    // Both make a sound without a pause: whoever came first keeps the word.
    window.press("g")?;
    window.click("mode-speaker")?;
    window.click("close-dialog")?;
    window.wait_for("the speaker, large", &large)?;
    window.press("o")?;
    window.wait_for("no own picture", &format!("!{OWN}"))?;
    window.press("x")?;
    window.wait_for("the whole screen", "document.fullscreenElement")?;
    window.press("x")?;
    window.wait_for("the window", "!document.fullscreenElement")?;
    drop(people);

    // Alone, one sees oneself all the same.
    window.wait_for("the own picture", OWN)?;
    window.press("l")?;
    window.click("leave-confirm")?;
    let window = window.reopen(&programs, &options)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("join")?;
    window.wait_for("the call", IN_CALL)?;
    let options = ParticipantOptions::with_tone("Bo", 500, 300);
    let _bo = Participant::join(&programs, &link, &options)?;
    window.wait_for("no own picture, as before", &format!("{SIZES}.length === 1 && !{OWN}"))?;
    window.close()
}
