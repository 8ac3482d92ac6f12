//! Who gets into a room, with participants and a server that are processes of their own.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/keeper.rs"]
mod keeper;
#[path = "support/killable_server.rs"]
mod killable_server;
#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use keeper::Keeper;
use killable_server::start_server;
use quartet_engine::{Command, Event};
use quartet_harness::{Participant, ParticipantOptions};
use quartet_proto::RoomPolicy;
use room::Room;

/// For what takes some 100 ms on a free machine; the tests share theirs with builds.
const PATIENCE: Duration = Duration::from_secs(20);

fn join(link: &str, name: &str, extra: &[&str]) -> Participant {
    let options = ParticipantOptions {
        name: name.to_owned(),
        video: "none".to_owned(),
        audio: "none".to_owned(),
        seconds: 120,
        record: None,
        extra: ["--bind", "127.0.0.1"].iter().chain(extra).map(|it| (*it).to_owned()).collect(),
    };
    Participant::join(&room::programs(), link, &options).unwrap()
}

/// It ends, because of this error, and was in the room or not.
fn ends_with(mut person: Participant, error: &str, was_in: bool) {
    assert_eq!(person.wait(PATIENCE).unwrap().code(), Some(1));
    let errors = person.events_named("error");
    assert_eq!(errors.last().unwrap()["code"], error, "{errors:?}");
    assert_eq!(!person.events_named("joined").is_empty(), was_in);
}

#[test]
fn who_knocks_waits_until_let_in_and_the_room_outlives_its_starter() {
    let room = Room::open();
    let mut ann = join(&room.link, "Ann", &["--policy", "knock", "--admit", "all"]);
    ann.wait_for("joined", 1, PATIENCE).unwrap();
    let bo = join(&room.link, "Bo", &["--admit", "none"]);
    bo.wait_for("connected", 1, PATIENCE).unwrap();
    let said: Vec<_> = bo.events().iter().map(|it| it["event"].clone()).collect();
    assert_eq!(said[..2], ["waiting", "joined"]);
    ann.wait_for("knock_over", 1, PATIENCE).unwrap();
    assert_eq!(ann.events_named("knock")[0]["name"], "Bo");

    // She is gone; what she has chosen is not.
    ann.child().terminate().unwrap();
    assert_eq!(ann.wait(PATIENCE).unwrap().code(), Some(0));
    bo.wait_for("peer_left", 1, PATIENCE).unwrap();
    let mut cid = join(&room.link, "Cid", &[]);
    cid.wait_for("waiting", 1, PATIENCE).unwrap();
    bo.wait_for("knock", 1, PATIENCE).unwrap();
    assert!(cid.events_named("joined").is_empty(), "Bo lets nobody in");
    // Who gives up is asked about no more.
    cid.child().terminate().unwrap();
    bo.wait_for("knock_over", 1, PATIENCE).unwrap();
}

#[test]
fn who_is_refused_or_removed_is_out_and_has_to_knock_again() {
    let room = Room::open();
    let mut keeper = Keeper::join(&room.link, RoomPolicy::Knock);
    let bo = join(&room.link, "Bo", &[]);
    let id = keeper.hear_knock("Bo");
    keeper.tell(Command::Refuse(id));
    ends_with(bo, "refused", false);

    let bo = join(&room.link, "Bo", &[]);
    let id = keeper.hear_knock("Bo");
    keeper.tell(Command::Admit(id));
    bo.wait_for("connected", 1, PATIENCE).unwrap();

    // Also where everybody else could come in.
    keeper.tell(Command::SetPolicy(RoomPolicy::Open));
    let cid = join(&room.link, "Cid", &[]);
    cid.wait_for("connected", 2, PATIENCE).unwrap();
    assert!(cid.events_named("waiting").is_empty());
    keeper.tell(Command::Remove(id));
    ends_with(bo, "removed", true);
    let removed = cid.wait_for("removed", 1, PATIENCE).unwrap();
    assert_eq!(removed[0]["peer"], id.to_string());

    let bo = join(&room.link, "Bo", &[]);
    let again = keeper.hear_knock("Bo");
    bo.wait_for("waiting", 1, PATIENCE).unwrap();
    assert!(bo.events_named("joined").is_empty());
    keeper.tell(Command::Refuse(again));
    ends_with(bo, "refused", false);
}

#[test]
fn a_locked_room_stays_locked_when_its_server_is_killed() {
    let (mut server, url) = start_server("127.0.0.1:0");
    let link = room::new_link(&url);
    let mut keeper = Keeper::join(&link, RoomPolicy::Open);
    let bo = join(&link, "Bo", &[]);
    bo.wait_for("connected", 1, PATIENCE).unwrap();
    keeper.tell(Command::SetPolicy(RoomPolicy::Locked));
    let policy = bo.wait_for("policy", 1, PATIENCE).unwrap();
    assert_eq!(policy[0]["policy"], "locked");
    ends_with(join(&link, "Cid", &[]), "room_locked", false);

    server.kill().unwrap();
    let (_server, again) = start_server(url.strip_prefix("http://").unwrap());
    assert_eq!(again, url);
    for online in [false, true] {
        keeper.hear("the server's end and its return", |event| {
            (event == Event::Signalling { online }).then_some(())
        });
    }
    // It knows of the room what its members have told it.
    ends_with(join(&link, "Cid", &[]), "room_locked", false);
    assert_eq!(bo.events_named("connected").len(), 1, "the call went on");
    assert!(bo.events_named("peer_left").is_empty());
}
