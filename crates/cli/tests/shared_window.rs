//! A real window is shared: what it shows can be read by the others, also while another window covers
//! it and after it has changed its size; and when it is closed, sharing ends with that reason.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/film.rs"]
mod film;
#[path = "support/room.rs"]
mod room;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use film::Film;
use quartet_harness::{Display, Page, Participant, ParticipantOptions, TextWindow};
use room::{Room, programs};
use serde_json::Value;

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(30);
const SIZE: (usize, usize) = (640, 360);
/// Letters of 5×7 pixels are told apart at 22 dB (`text_stays_readable_at_a_low_bitrate`, in
/// `quartet-media`); of a page at rest there is no reason to be content with that.
const READ_WELL_DB: f64 = 30.0;

fn sharer(room: &Room, display: &Display, share: &str) -> Participant {
    let mut command = Command::new(programs().path("quartet-cli").unwrap());
    command
        .args(["join", &room.link, "--name", "Giver", "--bind", "127.0.0.1"])
        .args(["--for", "120", "--stats-every", "1", "--share", share])
        .env("DISPLAY", display.name())
        .env_remove("WAYLAND_DISPLAY");
    Participant::from_command("Giver", &mut command).unwrap()
}

/// Waits for figures of the shared screen that are as wanted.
fn wait_for(taker: &Participant, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    let mut seen = taker.events_named("stats").len();
    loop {
        seen += 1;
        let stats = taker.wait_for("stats", seen, PATIENCE).unwrap().pop().unwrap();
        let screen = &stats["peers"][0]["screen_in"];
        if wanted(screen) {
            return screen.clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{stats}");
    }
}

/// Two seconds of a screen at rest: what was coarse at first has become fine.
fn rest(taker: &Participant) {
    let frames = |screen: &Value| screen["frames"].as_u64().unwrap_or_default();
    let before = wait_for(taker, |_| true);
    wait_for(taker, |screen| frames(screen) >= frames(&before) + 10);
}

#[test]
fn a_window_is_readable_also_when_it_is_covered_and_its_end_is_told() {
    let display = Display::start(1280, 720).unwrap();
    let window = TextWindow::open(&display, (50, 50), (SIZE.0 as u16, SIZE.1 as u16)).unwrap();
    let pages: Vec<_> = (0..3).map(|number| Page::new(SIZE.0, SIZE.1, number)).collect();
    window.draw(&pages[0]).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let room = Room::open();
    let mut options = ParticipantOptions::with_tone("Taker", 440, 120);
    options.record = Some(folder.path().to_owned());
    options.extra = ["--bind", "127.0.0.1", "--view", "720"].map(str::to_owned).into();
    let mut taker = room.join(&options);
    taker.wait_for("joined", 1, PATIENCE).unwrap();
    let giver = sharer(&room, &display, &window.name());
    let sharing = taker.wait_for("sharing", 1, PATIENCE).unwrap();
    assert_eq!(sharing[0]["sharing"], "window");
    taker.wait_for("first_screen", 1, PATIENCE).unwrap();
    rest(&taker);

    let cover = TextWindow::open(&display, (0, 0), (800, 600)).unwrap();
    window.draw(&pages[1]).unwrap();
    rest(&taker);
    cover.close().unwrap();

    window.resize(800, 400).unwrap();
    wait_for(&taker, |screen| screen["width"] == 800 && screen["height"] == 400);

    window.close().unwrap();
    let over = taker.wait_for("sharing", 2, PATIENCE).unwrap();
    assert_eq!(over[1]["sharing"], Value::Null);
    let told = giver.wait_for("error", 1, PATIENCE).unwrap();
    assert_eq!(told[0]["code"], "screen_failed");
    assert_eq!(told[0]["message"], "the shared window was closed");

    taker.child().terminate().unwrap();
    assert!(taker.wait(PATIENCE).unwrap().success());
    let peer = sharing[0]["peer"].as_str().unwrap();
    let film = Film::read(&folder.path().join(format!("{peer}.screen.y4m")));
    assert_eq!(film.size(), (SIZE.0 as u16, SIZE.1 as u16));
    let likeness: Vec<_> = pages.iter().map(|page| film.likeness(page.luma())).collect();
    println!("in the open {:.1} dB, covered {:.1} dB", likeness[0], likeness[1]);
    assert!(likeness[0] > READ_WELL_DB && likeness[1] > READ_WELL_DB, "{likeness:?}");
    assert!(likeness[2] < 15.0, "a page that was never shown: {likeness:?}");
}

#[test]
fn a_whole_screen_is_shared_and_a_window_that_is_not_there_is_told() {
    let display = Display::start(1280, 720).unwrap();
    let room = Room::open();
    let mut options = ParticipantOptions::with_tone("Taker", 440, 120);
    options.extra = ["--bind", "127.0.0.1", "--view", "720"].map(str::to_owned).into();
    let taker = room.join(&options);
    taker.wait_for("joined", 1, PATIENCE).unwrap();
    let giver = sharer(&room, &display, "screen");
    taker.wait_for("first_screen", 1, PATIENCE).unwrap();
    wait_for(&taker, |screen| screen["width"] == 1280 && screen["height"] == 720);
    drop(giver);

    let giver = sharer(&room, &display, "window:7");
    let told = giver.wait_for("error", 1, PATIENCE).unwrap();
    assert_eq!(told[0]["code"], "screen_failed");
}
