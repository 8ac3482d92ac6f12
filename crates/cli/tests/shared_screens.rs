//! What is shared beside the camera: both arrive, each as what it is, and who does not look gets
//! nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/film.rs"]
mod film;
#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use film::Film;
use quartet_harness::{Participant, ParticipantOptions};
use room::Room;
use serde_json::Value;

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(30);

fn options(name: &str, share: &str, view: &str) -> ParticipantOptions {
    let mut options = ParticipantOptions::with_tone(name, 440, 120);
    options.extra =
        ["--bind", "127.0.0.1", "--view", view, "--share", share].map(str::to_owned).into();
    options
}

/// The figures of the only other one, once they are as wanted.
fn wait_for_figures(of: &Participant, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = std::time::Instant::now();
    let mut seen = 0;
    loop {
        seen += 1;
        let stats = of.wait_for("stats", seen, PATIENCE).unwrap().pop().unwrap();
        if wanted(&stats["peers"][0]) {
            return stats["peers"][0].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{stats}");
    }
}

#[test]
fn a_screen_arrives_beside_the_camera_with_the_right_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room::open();
    let mut taker = options("Taker", "none", "720");
    taker.record = Some(folder.path().to_owned());
    let taker = room.join(&taker);
    taker.wait_for("joined", 1, PATIENCE).unwrap();
    let giver = room.join(&options("Giver", "pattern", "360"));

    let sharing = taker.wait_for("sharing", 1, PATIENCE).unwrap();
    assert_eq!(sharing[0]["sharing"], "screen");
    taker.wait_for("first_screen", 1, PATIENCE).unwrap();
    taker.wait_for("first_video", 1, PATIENCE).unwrap();
    let least = |it: &Value| it["frames"].as_u64().is_some_and(|frames| frames > 45);
    let seen = wait_for_figures(&taker, |it| least(&it["screen_in"]) && least(&it["video_in"]));
    assert_eq!(
        (&seen["screen_in"]["width"], &seen["screen_in"]["height"]),
        (&1280.into(), &720.into())
    );
    assert!(seen["screen_in"]["kbps"].as_f64().unwrap() > 10.0, "{seen}");
    assert_eq!(seen["screen_out"]["frames"], Value::Null);
    let sent = wait_for_figures(&giver, |it| it["screen_out"]["fps"].as_f64().unwrap() > 1.0);
    assert_eq!(sent["screen_out"]["width"], 1280);
    assert_eq!(sent["screen_out"]["limited_by"], "none");
    assert_eq!(sent["screen_in"]["frames"], 0);

    for participant in [giver, taker] {
        let mut participant = participant;
        participant.child().terminate().unwrap();
        assert!(participant.wait(PATIENCE).unwrap().success());
    }
    let peer = sharing[0]["peer"].as_str().unwrap();
    let screen = Film::read(&folder.path().join(format!("{peer}.screen.y4m")));
    let camera = Film::read(&folder.path().join(format!("{peer}.y4m")));
    // A picture of the camera is small beside a screen; that of the screen is never scaled.
    assert_eq!(screen.size(), (1280, 720));
    assert!(camera.size().1 <= 360, "{:?}", camera.size());
    for film in [screen, camera] {
        let numbers = film.numbers();
        assert!(numbers.len() >= 45, "{} pictures", numbers.len());
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
}

#[test]
fn who_does_not_look_gets_no_screen_and_whoever_comes_later_does() {
    let room = Room::open();
    let giver = room.join(&options("Giver", "pattern", "360"));
    giver.wait_for("joined", 1, PATIENCE).unwrap();
    let hidden = room.join(&options("Hidden", "none", "none"));
    hidden.wait_for("sharing", 1, PATIENCE).unwrap();
    wait_for_figures(&giver, |it| it["screen_out"]["limited_by"] == "view");
    wait_for_figures(&giver, |it| it["screen_out"]["kbps"].as_f64().unwrap() == 0.0);

    let late = room.join(&options("Late", "none", "720"));
    late.wait_for("first_screen", 1, PATIENCE).unwrap();
}
