//! Raised hands and reactions between engines: the same order for all, and told to who comes late.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/people.rs"]
mod people;

use people::{Person, server};
use quartet_engine::{Command, Event};
use quartet_proto::{PeerId, Reaction, limits::REACTION_BURST};

async fn enter(person: &mut Person, link: &quartet_proto::JoinLink) -> PeerId {
    person.join(link);
    person
        .hear("the room", |event| match event {
            Event::Joined { you, .. } => Some(you),
            _ => None,
        })
        .await
}

async fn hear_hands(person: &mut Person, expected: &[PeerId]) {
    person.hear("hands", |event| (event == Event::Hands(expected.to_vec())).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hands_and_reactions_reach_everybody() {
    let (_server, link) = server();
    let (mut ann, mut bo) = (Person::new("Ann"), Person::new("Bo"));
    let ann_id = enter(&mut ann, &link).await;
    // Before anybody is there to see it.
    ann.engine.send(Command::RaiseHand(true));
    hear_hands(&mut ann, &[ann_id]).await;
    let bo_id = enter(&mut bo, &link).await;
    hear_hands(&mut bo, &[ann_id]).await;
    bo.engine.send(Command::RaiseHand(true));
    for person in [&mut ann, &mut bo] {
        hear_hands(person, &[ann_id, bo_id]).await;
    }

    // What is too often is neither sent nor shown to oneself.
    for _ in 0..3 * REACTION_BURST {
        bo.engine.send(Command::React(Reaction::Clap));
    }
    bo.engine.send(Command::RaiseHand(false));
    let mut own = 0;
    bo.hear("the end", |event| {
        own += u32::from(event == Event::Reaction(bo_id, Reaction::Clap));
        (event == Event::Hands(vec![ann_id])).then_some(())
    })
    .await;
    assert_eq!(own, REACTION_BURST);
    ann.hear("clapping", |event| (event == Event::Reaction(bo_id, Reaction::Clap)).then_some(()))
        .await;

    // Who comes late sees the hand, which is up, and no reaction, which is over.
    let mut cid = Person::new("Cid");
    enter(&mut cid, &link).await;
    let mut reactions = 0;
    for (what, hands) in [("hands", vec![ann_id]), ("no hand", Vec::new())] {
        cid.hear(what, |event| {
            reactions += u32::from(matches!(event, Event::Reaction(..)));
            (event == Event::Hands(hands.clone())).then_some(())
        })
        .await;
        // The hand of somebody who leaves is down.
        ann.engine.send(Command::Leave);
    }
    assert_eq!(reactions, 0);
}
