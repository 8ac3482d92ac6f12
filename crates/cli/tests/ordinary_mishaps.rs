//! What goes wrong on the command line every day ends with plain words and the right exit status.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/room.rs"]
mod room;

use std::{
    process::{Command, Output, Stdio},
    time::Duration,
};

use quartet_harness::ParticipantOptions;
use room::Room;

fn quartet_cli(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quartet-cli")).args(arguments).output().unwrap()
}

#[test]
fn new_prints_the_link_and_nothing_else() {
    let output = quartet_cli(&["new", "--server", "http://127.0.0.1:8460"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let link = text.strip_suffix('\n').unwrap();
    quartet_proto::JoinLink::parse(link).unwrap();
    assert!(link.starts_with("http://127.0.0.1:8460/j#"));
    assert!(output.stderr.is_empty());
}

#[test]
fn an_unknown_file_is_a_usage_error_that_names_it() {
    let link = room::new_link("http://127.0.0.1:9");
    for source in [["--video", "no-such.y4m"], ["--audio", "no-such.wav"]] {
        let output = quartet_cli(&["join", &link, "--name", "A", source[0], source[1]]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(source[0]) && said.contains(source[1]), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_file_that_is_no_film_and_no_sound_is_a_usage_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let link = room::new_link("http://127.0.0.1:9");
    let contents: [&[u8]; 4] = [
        b"",
        b"this is no film and no sound",
        b"YUV4MPEG2 W640 H360 F30:1 C444\nFRAME\n",
        b"RIFF\xff\xff\xff\xffWAVEfmt ",
    ];
    for content in contents {
        for (option, name) in [("--video", "bad.y4m"), ("--audio", "bad.wav")] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let path = path.to_str().unwrap();
            let output = quartet_cli(&["join", &link, "--name", "A", option, path]);
            assert_eq!(output.status.code(), Some(2));
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains(option) && said.contains(name), "{said}");
            assert!(output.stdout.is_empty());
        }
    }
}

#[test]
fn a_film_that_breaks_off_costs_the_picture_and_not_the_visit() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("half.y4m");
    let mut content = b"YUV4MPEG2 W16 H16 F30:1 C420\nFRAME\n".to_vec();
    content.resize(content.len() + 16 * 16 * 3 / 2, 128);
    content.extend(b"FRAME\nhalf");
    std::fs::write(&film, content).unwrap();
    let room = Room::open();
    // A recording opens the camera, also for somebody who is alone.
    let record = folder.path().join("recording");
    let (film, record) = (film.to_str().unwrap(), record.to_str().unwrap());
    let arguments = ["join", &room.link, "--name", "A", "--for", "2", "--video", film];
    let output = quartet_cli(&[&arguments[..], &["--record", record]].concat());
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    let events: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The film may break off before the room is entered.
    let (errors, others): (Vec<_>, Vec<_>) =
        events.iter().partition(|event| event["event"] == "error");
    assert_eq!(others.iter().map(|event| &event["event"]).collect::<Vec<_>>(), ["joined", "left"]);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["code"], "camera_failed");
    assert!(errors[0]["message"].as_str().unwrap().contains("half.y4m"));
}

#[test]
fn a_recording_that_has_no_place_is_a_usage_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let link = room::new_link("http://127.0.0.1:9");
    let folder = file.path().join("below-a-file");
    let output = quartet_cli(&["join", &link, "--name", "A", "--record", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("recording"));
}

#[test]
fn a_server_that_is_not_there_is_an_error_and_exit_1() {
    // Bound and let go: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let link = room::new_link(&format!("http://127.0.0.1:{port}"));
    let output = quartet_cli(&["join", &link, "--name", "A"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    let event: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(event["event"], "error");
    assert_eq!(event["code"], "server_unreachable");
}

#[test]
fn somebody_without_camera_and_microphone_sees_hears_and_is_seen_in_the_room() {
    let room = Room::open();
    let mut with = room.join(&ParticipantOptions::with_tone("With", 440, 4));
    let mut options = ParticipantOptions::with_tone("Without", 440, 3);
    (options.video, options.audio) = ("none".to_owned(), "none".to_owned());
    let mut without = room.join(&options);
    without.wait_for("first_video", 1, Duration::from_secs(10)).unwrap();
    without.wait_for("first_audio", 1, Duration::from_secs(10)).unwrap();
    with.wait_for("peer_joined", 1, Duration::from_secs(10)).unwrap();
    assert_eq!(without.wait(Duration::from_secs(15)).unwrap().code(), Some(0));
    assert_eq!(with.wait(Duration::from_secs(15)).unwrap().code(), Some(0));
    assert!(with.events_named("first_video").is_empty());
    let stats = without.events_named("stats");
    assert_eq!(stats.last().unwrap()["encode"].as_array().unwrap().len(), 0);
}

#[test]
fn a_closed_stdout_is_survived() {
    let room = Room::open();
    let mut child = Command::new(env!("CARGO_BIN_EXE_quartet-cli"))
        .args(["join", &room.link, "--name", "A", "--for", "1", "--stats-every", "0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
