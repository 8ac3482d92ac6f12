//! Two people behind symmetric NATs, who hide from each other: everything goes through coturn, with
//! the credentials that the signalling server hands out.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

use std::{fs, path::Path};

use quartet_harness::Programs;
use quartet_lab::{namespace, quartet::QuartetCall, run};
use quartet_testkit::network::Scenario;
use serde_json::Value;

const SCENARIO: &str = "
about = 'symmetric NATs'
seconds = 6
warm_up_s = 1
people = 2
servers = 'turn'
relay_only = true

[all]
address = 'symmetric'
up = { delay_ms = 10 }
down = { delay_ms = 10 }

[goals]
fps = 5
";

/// What a participant said of this kind.
fn events(folder: &Path, name: &str, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(name).join("events.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["event"] == kind).collect()
}

#[test]
fn two_people_behind_symmetric_nats_meet_through_a_relay_at_both_ends() {
    if let Some(missing) = namespace::missing() {
        eprintln!("left out: {missing}");
        return;
    }
    namespace::remove_leftovers();
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet-lab")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let scenario = Scenario::parse("relayed", SCENARIO).unwrap();
    let report = run::run(&scenario, |network| {
        Ok(Box::new(QuartetCall::start(network, &scenario, &programs, folder.path())?))
    })
    .unwrap();
    report.print();
    assert!(report.connected);
    assert!(report.goals.iter().all(|goal| goal.met), "{:?}", report.goals);
    assert_eq!(report.figures.streams.len(), 2);
    for stream in &report.figures.streams {
        assert!(stream.first_picture_ms.is_some(), "{stream:?}");
        assert!(stream.voice.concealed < 0.5, "{stream:?}");
    }
    for name in ["ann", "bob"] {
        let [connected] = &*events(folder.path(), name, "connected") else {
            panic!("{name} did not connect once")
        };
        assert_eq!((&connected["local"], &connected["remote"]), (&"relay".into(), &"relay".into()));
        assert_eq!(events(folder.path(), name, "first_audio").len(), 1, "{name} hears nothing");
    }
}
