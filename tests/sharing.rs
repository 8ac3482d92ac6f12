//! Sharing in a real app window: a window is chosen from the picker and arrives at the others, the
//! note is there as long as it is shared, and what others share is shown beside their faces.
#![cfg(target_os = "linux")]

use std::{process::Command, time::Duration};

use quartet_harness::{
    AppWindow, AppWindowOptions, Display, Page, Participant, Programs, TextWindow,
};
use serde_json::{Value, json};

/// For what takes some 100 ms on a free machine; the tests share theirs with builds.
const PATIENCE: Duration = Duration::from_secs(30);

const NOTE: &str = "document.querySelector('[data-testid=sharing-note]')";

#[test]
fn a_window_is_chosen_shared_and_ended() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1280, 800)?;
    let text = TextWindow::open(&display, (600, 400), (640, 360))?;
    text.draw(&Page::new(640, 360, 1))?;
    let settings = json!({
        "name": "Ada", "language": "en", "camera": "pattern", "microphone": "none",
        "speaker": "none",
    });
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings,
        variables: vec![("WAYLAND_DISPLAY".to_owned(), String::new())],
        ..AppWindowOptions::default()
    };
    let window = AppWindow::open(&programs, &options)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("join")?;
    window.wait_for("the call", "document.querySelector('main.call')")?;
    let bo = join(&programs, &link, "pattern")?;

    // What Bo shares is shown whole, beside his face.
    let screen = "document.querySelector('[data-testid=screen-tile]')";
    window.wait_for("the screen of Bo", &format!("{screen}?.dataset.picture === 'true'"))?;
    let face = "document.querySelector('[data-testid=tile]')";
    window.wait_for("his face", &format!("{face}?.dataset.picture === 'true'"))?;
    let larger = format!("return {screen}.clientWidth > 2 * {face}.clientWidth;");
    assert_eq!(window.eval(&larger)?, true);

    window.press("s")?;
    let choice = format!("document.querySelector('[data-id=\"{}\"]')", text.name());
    window.wait_for("the window among the choices", &choice)?;
    let shown = format!("{choice}.querySelector('canvas').dataset.shown === 'true'");
    window.wait_for("its small picture", &shown)?;
    window.wait_for("the screen too", "document.querySelector('[data-is=screen]')")?;
    window.eval(&format!("{choice}.click();"))?;
    let sharing = bo.wait_for("sharing", 1, PATIENCE)?;
    assert_eq!(sharing[0]["sharing"], "window");
    bo.wait_for("first_screen", 1, PATIENCE)?;
    window.wait_for("the note", NOTE)?;

    // One click ends it.
    window.click("stop-sharing")?;
    window.wait_for("no note", &format!("{NOTE} === null"))?;
    assert_eq!(bo.wait_for("sharing", 2, PATIENCE)?[1]["sharing"], Value::Null);

    // And so does the window, which is told.
    window.press("s")?;
    window.wait_for("the window again", &choice)?;
    window.eval(&format!("{choice}.click();"))?;
    bo.wait_for("sharing", 3, PATIENCE)?;
    window.wait_for("the note again", NOTE)?;
    text.close()?;
    assert_eq!(bo.wait_for("sharing", 4, PATIENCE)?[3]["sharing"], Value::Null);
    window.wait_for("the end of the note", &format!("{NOTE} === null"))?;
    let told = "document.body.textContent.includes('The window was closed')";
    window.wait_for("the reason", told)?;
    window.close()
}

fn join(programs: &Programs, link: &str, share: &str) -> anyhow::Result<Participant> {
    let mut command = Command::new(programs.path("quartet-cli")?);
    command.args(["join", link, "--name", "Bo", "--bind", "127.0.0.1", "--for", "180"]);
    command.args(["--video", "pattern", "--share", share]);
    Participant::from_command("Bo", &mut command)
}
