//! Files between headless participants: to everybody and to one, from several holders, past a
//! killed receiver, a killed sender and a killed server.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/room.rs"]
mod room;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use quartet_harness::{Participant, ParticipantOptions};
use room::Room;
use serde_json::Value;

/// For what takes some 100 ms on a free machine; the tests share theirs with builds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder of its own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("quartet-files-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A file that is like no other.
    fn file(&self, name: &str, size: usize) -> PathBuf {
        let mut state = size as u64;
        let bytes = std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        });
        let path = self.0.join(name);
        fs::write(&path, bytes.take(size).collect::<Vec<_>>()).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn join(room: &Room, name: &str, extra: &[&str]) -> Participant {
    let extra = ["--bind", "127.0.0.1"].iter().chain(extra);
    room.join(&ParticipantOptions {
        name: name.to_owned(),
        video: "none".to_owned(),
        audio: "none".to_owned(),
        seconds: 120,
        record: None,
        extra: extra.map(|it| (*it).to_owned()).collect(),
    })
}

/// Waits until a `file` line is as wanted.
#[track_caller]
fn wait(person: &Participant, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lines = person.events_named("file");
        if let Some(line) = lines.iter().rev().find(|line| wanted(line)) {
            return line.clone();
        }
        assert!(Instant::now() < deadline, "{lines:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is(state: &str) -> impl Fn(&Value) -> bool {
    move |line| line["state"] == state
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn assert_same(a: &Path, b: &Path) {
    assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "{} is not {}", b.display(), a.display());
}

#[test]
fn a_file_reaches_whom_it_is_for() {
    let (room, folder) = (Room::open(), Folder::new("one"));
    let (all, one) = (folder.file("for all.bin", 3_000_000), folder.file("for Bo.txt", 70_000));
    let nothing = folder.file("empty", 0);
    let (bo_folder, cid_folder) = (folder.path("bo"), folder.path("cid"));
    let ann = join(&room, "Ann", &["--send", text(&all), "--send", text(&nothing)]);
    let bo = join(&room, "Bo", &["--receive", text(&bo_folder)]);
    let cid = join(&room, "Cid", &["--receive", text(&cid_folder)]);
    let dee = join(&room, "Dee", &["--send", text(&one), "--to", "Bo"]);
    for (name, person) in [("for all.bin", &bo), ("for Bo.txt", &bo), ("for all.bin", &cid)] {
        let line = wait(person, |line| line["name"] == name && line["state"] == "done");
        assert_eq!(line["bytes"], line["of"]);
    }
    assert_same(&all, &bo_folder.join("for all.bin"));
    assert_same(&all, &cid_folder.join("for all.bin"));
    assert_same(&one, &bo_folder.join("for Bo.txt"));
    wait(&bo, |line| line["name"] == "empty" && line["state"] == "done");
    assert_same(&nothing, &bo_folder.join("empty"));
    wait(&dee, is("done"));
    for person in [&ann, &cid] {
        let of_bo = |line: &Value| line["name"] == "for Bo.txt";
        assert!(!person.events_named("file").iter().any(of_bo));
    }
    // Dee takes nothing by itself, and is offered what is for everybody.
    wait(&dee, |line| line["name"] == "for all.bin" && line["state"] == "offered");
    assert!(!folder.path("for all.bin.1").exists());
}

#[test]
fn a_killed_receiver_goes_on_and_so_does_a_killed_sender() {
    let (room, folder) = (Room::open(), Folder::new("resume"));
    let (film, target) = (folder.file("film.bin", 60_000_000), folder.path("in"));
    let mut ann = join(&room, "Ann", &["--send", text(&film)]);
    let mut bo = join(&room, "Bo", &["--receive", text(&target)]);
    let far = |line: &Value| line["bytes"].as_u64() >= Some(2_000_000);
    wait(&bo, far);
    bo.child().kill().unwrap();
    drop(bo);
    let bo = join(&room, "Bo", &["--receive", text(&target)]);
    // What is there is not sent again.
    let lines = |line: &Value| line["state"] == "sending" && line["bytes"] != 0;
    let first = wait(&bo, lines);
    assert!(first["bytes"].as_u64() >= Some(1_500_000), "{first}");
    ann.child().kill().unwrap();
    drop(ann);
    let again = join(&room, "Ann", &["--send", text(&film)]);
    wait(&bo, is("done"));
    wait(&again, is("done"));
    assert_same(&film, &target.join("film.bin"));
    assert_eq!(fs::read_dir(&target).unwrap().count(), 1, "nothing else is left there");
}

#[test]
fn three_holders_give_at_once_and_a_dead_server_ends_nothing() {
    let (room, folder) = (Room::open(), Folder::new("three"));
    let film = folder.file("film.bin", 40_000_000);
    let ann = join(&room, "Ann", &["--send", text(&film)]);
    let (bo_folder, cid_folder) = (folder.path("bo"), folder.path("cid"));
    let bo = join(&room, "Bo", &["--receive", text(&bo_folder)]);
    let cid = join(&room, "Cid", &["--receive", text(&cid_folder)]);
    for person in [&bo, &cid] {
        wait(person, is("done"));
    }
    let target = folder.path("dee");
    let dee = join(&room, "Dee", &["--receive", text(&target)]);
    wait(&dee, |line| line["bytes"].as_u64() >= Some(1_000_000));
    // The server and the one who offered it are gone; the others have it.
    drop(room);
    drop(ann);
    wait(&dee, is("done"));
    assert_same(&film, &target.join("film.bin"));
}
