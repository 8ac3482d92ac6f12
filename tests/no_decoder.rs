//! A web view without a video decoder: the app decodes for it, and pictures still move.
#![cfg(target_os = "linux")]

use std::time::Duration;

use quartet_harness::{
    AppWindow, AppWindowOptions, Display, Participant, ParticipantOptions, Programs,
    SignallingServer, wait_until,
};
use serde_json::{Value, json};

#[test]
fn pictures_move_without_a_decoder_in_the_page() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let server = SignallingServer::start(&programs, 0)?;
    let link = server.new_link(&programs)?;
    let mut other = ParticipantOptions::with_tone("Ben", 440, 120);
    // The app window is on every interface of this machine; so is the other one.
    other.extra = ["--view", "360"].map(str::to_owned).into();
    let other = Participant::join(&programs, &link, &other)?;
    other.wait_for("joined", 1, Duration::from_secs(30))?;

    let display = Display::start(1120, 720)?;
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings: json!({
            "name": "Ada", "language": "en", "camera": "pattern", "microphone": "none",
            "speaker": "none",
        }),
        ..AppWindowOptions::default()
    };
    let window = AppWindow::open(&programs, &options)?;
    // The page looks for it when it attaches its first picture, in the green room.
    let gone = window.eval("delete window.VideoDecoder; return typeof VideoDecoder;")?;
    assert_eq!(gone, "undefined");

    window.fill("link-input", &link)?;
    window.click("open-link")?;
    moves(&window, "own-tile")?;
    window.click("join")?;
    window.wait_for(
        "the other one",
        "document.querySelector('[data-testid=tile][data-connection=connected]')",
    )?;
    moves(&window, "tile")?;
    moves(&window, "own-tile")?;
    window.close()
}

/// Waits until a tile shows three different pictures in colour: planes in the wrong order, or of
/// the wrong size, would not be the test picture's.
fn moves(window: &AppWindow, test_id: &str) -> anyhow::Result<()> {
    let script = format!(
        "const canvas = document.querySelector('[data-testid={test_id}] canvas');
        if (!canvas?.width) return null;
        const {{ width, height }} = canvas;
        const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
        let sum = 0, coloured = 0;
        for (let i = 0; i < pixels.length; i += 4) {{
            const [red, green, blue] = pixels.subarray(i, i + 3);
            sum = (sum * 31 + red + green * 256 + blue) % 4294967291;
            if (Math.max(red, green, blue) - Math.min(red, green, blue) > 60) coloured++;
        }}
        return coloured > width * height / 4 ? sum : null;",
    );
    let mut seen: Vec<Value> = Vec::new();
    wait_until(&format!("moving pictures in {test_id}"), Duration::from_secs(60), || {
        let now = window.eval(&script)?;
        if now != Value::Null && !seen.contains(&now) {
            seen.push(now);
        }
        Ok((seen.len() >= 3).then_some(()))
    })
}
