//! Files between one of ours and a guest in Chromium, both ways, not a byte wrong.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/room.rs"]
mod room;

use std::{
    fs,
    time::{Duration, Instant},
};

use browser::Sound;
use quartet_harness::{BrowserKind, Guest, ParticipantOptions};
use room::Room;
use serde_json::{Value, json};

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(60);
/// A dozen chunks, and a rest.
const SIZE: usize = 3_200_001;

/// Bytes that are nowhere the same for long; the script makes them, too.
fn content() -> Vec<u8> {
    (0..SIZE).map(|i| ((i * 31) >> 3) as u8).collect()
}

#[test]
fn files_go_both_ways_between_ours_and_a_guest() {
    let (room, sound) = (Room::open(), Sound::start());
    let folder = tempfile::tempdir().unwrap();
    let (film, taken) = (folder.path().join("film.bin"), folder.path().join("taken"));
    fs::write(&film, content()).unwrap();
    let extra = ["--send", film.to_str().unwrap(), "--receive", taken.to_str().unwrap()];
    let ours = room.join(&ParticipantOptions {
        name: "Ours".to_owned(),
        video: "none".to_owned(),
        audio: "none".to_owned(),
        seconds: 120,
        record: None,
        // A browser has no address on loopback.
        extra: extra.map(str::to_owned).into(),
    });
    let guest =
        Guest::join(&sound.browser(BrowserKind::Chromium, 800), &room.link, "Guest").unwrap();
    guest.wait_tile("Ours", "connection", "connected").unwrap();
    let page = guest.browser();

    // From ours to the guest, who takes it by a click.
    page.click("files-toggle").unwrap();
    page.wait_for("the offer", &card("film.bin", "offered")).unwrap();
    page.click("file-accept").unwrap();
    page.wait_for("the whole file", &card("film.bin", "done")).unwrap();
    let same = page
        .eval(&format!(
            "const folder = await navigator.storage.getDirectory();
            for await (const handle of folder.values()) {{
                const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
                return bytes.length === {SIZE} && bytes.every((it, i) => it === ((i * 31) >> 3 & 255));
            }}"
        ))
        .unwrap();
    assert_eq!(same, json!(true));
    wait(&ours, |line| line["name"] == "film.bin" && line["state"] == "done");

    // And from the guest, who pastes it.
    page.eval(&format!(
        "const bytes = Uint8Array.from({{ length: {SIZE} }}, (_, i) => (i * 31) >> 3);
        const data = new DataTransfer();
        data.items.add(new File([bytes.subarray(7)], 'back.bin'));
        window.dispatchEvent(new ClipboardEvent('paste', {{ clipboardData: data }}));"
    ))
    .unwrap();
    wait(&ours, |line| line["name"] == "back.bin" && line["state"] == "done");
    assert!(fs::read(taken.join("back.bin")).unwrap() == content()[7..]);
    page.wait_for("the guest knows", &card("back.bin", "done")).unwrap();
    guest.has_nothing_to_complain_of().unwrap();
}

fn card(name: &str, phase: &str) -> String {
    let name = json!(name);
    format!("document.querySelector('[data-testid=file][data-name={name}][data-phase={phase}]')")
}

#[track_caller]
fn wait(person: &quartet_harness::Participant, wanted: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lines = person.events_named("file");
        if lines.iter().any(&wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "{lines:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
