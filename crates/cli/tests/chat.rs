//! The chat between headless participants: both ways, to late-comers, and past the end of those who
//! said it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/room.rs"]
mod room;

use std::{collections::BTreeSet, time::Duration};

use quartet_harness::{Participant, ParticipantOptions};
use room::Room;
use serde_json::Value;

/// For what takes some 100 ms on a free machine; the tests share theirs with builds.
const PATIENCE: Duration = Duration::from_secs(20);

fn join(room: &Room, name: &str, text: Option<&str>) -> Participant {
    let extra = ["--bind", "127.0.0.1"].into_iter();
    let extra = extra.chain(text.iter().flat_map(|text| ["--chat", text]));
    room.join(&ParticipantOptions {
        name: name.to_owned(),
        video: "none".to_owned(),
        audio: "none".to_owned(),
        seconds: 120,
        record: None,
        extra: extra.map(str::to_owned).collect(),
    })
}

fn id_of(person: &Participant) -> Value {
    person.wait_for("joined", 1, PATIENCE).unwrap()[0]["peer"].clone()
}

/// What was said to somebody, in the order of the texts, each once.
fn heard(person: &Participant, count: usize) -> Vec<Value> {
    let mut lines = person.wait_for("chat", count, PATIENCE).unwrap();
    assert_eq!(lines.len(), count);
    let ids: BTreeSet<_> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), count, "{lines:?}");
    lines.sort_by_key(|line| line["text"].as_str().unwrap().to_owned());
    lines
}

#[test]
fn what_is_said_reaches_those_who_are_there_and_those_who_come() {
    let room = Room::open();
    let mut ann = join(&room, "Ann", Some("1: hello"));
    let ann_id = id_of(&ann);
    let bo = join(&room, "Bo", Some("2: สวัสดี https://example.org/"));
    let bo_id = id_of(&bo);
    assert_eq!(heard(&bo, 1)[0]["text"], "1: hello");
    assert_eq!(heard(&ann, 1)[0]["text"], "2: สวัสดี https://example.org/");

    let cid = join(&room, "Cid", None);
    let lines = heard(&cid, 2);
    let authors: Vec<_> = lines.iter().map(|line| line["peer"].clone()).collect();
    assert_eq!(authors, [ann_id.clone(), bo_id.clone()]);
    assert!(lines.iter().all(|line| line.get("passed_on_by").is_none()), "{lines:?}");

    // Whoever comes after she is gone has her words from the others, and is told so.
    ann.child().kill().unwrap();
    for person in [&bo, &cid] {
        person.wait_for("peer_left", 1, PATIENCE).unwrap();
    }
    let dee = join(&room, "Dee", None);
    let lines = heard(&dee, 2);
    assert_eq!((&lines[0]["peer"], &lines[0]["text"]), (&ann_id, &Value::from("1: hello")));
    let witnesses = [bo_id.clone(), id_of(&cid)];
    assert!(witnesses.contains(&lines[0]["passed_on_by"]), "{lines:?}");
    assert_eq!((&lines[1]["peer"], lines[1].get("passed_on_by")), (&bo_id, None));
    for person in [&bo, &cid] {
        assert_eq!(
            person.events_named("chat").len(),
            if std::ptr::eq(person, &bo) { 1 } else { 2 }
        );
    }
}
