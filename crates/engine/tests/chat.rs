//! The chat of two engines, with the server and without it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/people.rs"]
mod people;

use people::{Person, server};
use quartet_engine::{ChatLine, ChatText, Command, Connection, Event};
use quartet_proto::limits::MAX_CHAT_BYTES;

fn say(person: &Person, text: &str) {
    person.engine.send(Command::Say(ChatText(text.to_owned())));
}

async fn hears(person: &mut Person, text: &str) -> ChatLine {
    let line = person
        .hear("something said", |event| match event {
            Event::Chat(line) => Some(line),
            _ => None,
        })
        .await;
    assert_eq!(line.text, text);
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_passes_no_server() {
    let (server, link) = server();
    let (mut ann, mut bo) = (Person::new("Ann"), Person::new("Bo"));
    ann.join(&link);
    ann.hear("joined", |it| matches!(it, Event::Joined { .. }).then_some(())).await;
    say(&ann, "is anybody here?");
    let own = hears(&mut ann, "is anybody here?").await;
    bo.join(&link);
    let line = hears(&mut bo, "is anybody here?").await;
    assert_eq!((line.id, line.name.as_str(), line.passed_on_by), (own.id, "Ann", None));
    ann.hear("a connection", |it| match it {
        Event::PeerConnection(_, Connection::Connected) => Some(()),
        _ => None,
    })
    .await;

    server.stop().await;
    for person in [&mut ann, &mut bo] {
        person
            .hear("the server's end", |it| {
                matches!(it, Event::Signalling { online: false }).then_some(())
            })
            .await;
    }
    let longest = "x".repeat(MAX_CHAT_BYTES);
    say(&bo, &longest);
    hears(&mut bo, &longest).await;
    hears(&mut ann, &longest).await;
    // What cannot be said is not, and does no harm.
    say(&ann, &format!("{longest}x"));
    say(&ann, "yes");
    let line = hears(&mut bo, "yes").await;
    assert_eq!((line.id.seq, line.clock), (2, 3));
    ann.engine.shutdown().await;
    bo.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_visit_has_a_chat_of_its_own() {
    let (_server, link) = server();
    let mut ann = Person::new("Ann");
    for _ in 0..2 {
        ann.join(&link);
        ann.hear("joined", |it| matches!(it, Event::Joined { .. }).then_some(())).await;
        say(&ann, "first");
        assert_eq!(hears(&mut ann, "first").await.id.seq, 1);
        ann.engine.send(Command::Leave);
        ann.hear("the end", |it| matches!(it, Event::Ended(_)).then_some(())).await;
    }
    // Nobody to say it to.
    say(&ann, "late");
    ann.engine.shutdown().await;
}
