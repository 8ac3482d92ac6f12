//! The server is killed and started again on its port: nobody in the call notices, and somebody
//! who comes late gets in.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/killable_server.rs"]
mod killable_server;
#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use killable_server::start_server;
use quartet_harness::{Participant, ParticipantOptions};
use serde_json::Value;

#[test]
fn a_call_outlives_its_server() {
    let (mut server, url) = start_server("127.0.0.1:0");
    let link = room::new_link(&url);
    let join = |name, hz| {
        let options = ParticipantOptions::with_tone(name, hz, 60);
        Participant::join(&room::programs(), &link, &options).unwrap()
    };
    let mut people = vec![join("Ann", 500), join("Bo", 800)];
    for person in &people {
        person.wait_for("first_video", 1, Duration::from_secs(15)).unwrap();
        person.wait_for("stats", 1, Duration::from_secs(5)).unwrap();
    }

    server.kill().unwrap();
    let address = url.strip_prefix("http://").unwrap();
    // Long enough for everybody to notice, and to try in vain.
    let without: Vec<_> = people.iter().map(|it| stats_after(it, 3)).collect();
    let (_server, again) = start_server(address);
    assert_eq!(again, url);

    let late = join("Late", 1100);
    late.wait_for("joined", 1, Duration::from_secs(15)).unwrap();
    // Those who were there find their way back to the server, and so the late one to them.
    late.wait_for("first_video", 2, Duration::from_secs(20)).unwrap();
    late.wait_for("first_audio", 2, Duration::from_secs(20)).unwrap();

    for (person, before) in people.iter().zip(&without) {
        person.wait_for("connected", 2, Duration::from_secs(10)).unwrap();
        assert!(person.events_named("peer_left").is_empty());
        let after = stats_after(person, 1);
        let old = &before["peers"][0];
        let now = after["peers"].as_array().unwrap();
        let now = now.iter().find(|peer| peer["peer"] == old["peer"]).unwrap();
        assert_eq!(now["video_in"]["freezes"], 0, "{now}");
        let frames = |stats: &Value| stats["video_in"]["frames"].as_f64().unwrap();
        let seconds = after["t"].as_f64().unwrap() - before["t"].as_f64().unwrap();
        assert!(frames(now) - frames(old) > 28.0 * seconds - 5.0);
        assert_eq!(person.events_named("connected").len(), 2, "no link was made anew");
    }
    people.push(late);
    for mut person in people {
        person.child().terminate().unwrap();
        assert_eq!(person.wait(Duration::from_secs(5)).unwrap().code(), Some(0));
    }
}

/// The `count`-th figures from now on.
fn stats_after(person: &Participant, count: usize) -> Value {
    let wanted = person.events_named("stats").len() + count;
    let deadline = Duration::from_secs(5 + count as u64);
    person.wait_for("stats", wanted, deadline).unwrap().swap_remove(wanted - 1)
}
