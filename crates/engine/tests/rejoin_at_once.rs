//! Back in the room before the last visit's links are closed: they do not touch the new ones.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/people.rs"]
mod people;

use people::{Person, server};
use quartet_engine::{Command, Connection, EndReason, Event};

const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn links_of_the_last_visit_do_not_break_those_of_the_next() {
    let (_server, link) = server();
    let mut host = Person::with_tone("Host", 500.0);
    host.join(&link);
    host.hear("joined", |it| matches!(it, Event::Joined { .. }).then_some(())).await;
    let mut guest = Person::with_tone("Guest", 800.0);
    guest.join(&link);
    for _ in 0..ROUNDS {
        // Connected at the first try, and still so when the first picture is there.
        let mut states = Vec::new();
        guest
            .hear("a picture", |it| {
                if let Event::PeerConnection(_, state) = it {
                    states.push(state);
                }
                (states.contains(&Connection::Connected) && matches!(it, Event::FirstVideo(_)))
                    .then_some(())
            })
            .await;
        assert_eq!(states, [Connection::Connected]);
        guest.engine.send(Command::Leave);
        guest.join(&link);
        guest.hear("the end", |it| (it == Event::Ended(EndReason::Left)).then_some(())).await;
    }
    guest.engine.shutdown().await;
    host.engine.shutdown().await;
}
