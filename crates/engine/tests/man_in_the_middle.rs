//! Somebody stands between two real engines and ends DTLS on both sides: without the link they hear
//! nothing, and both people are told; with it they hear, and the codes of the two differ.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/middle.rs"]
mod middle;
#[path = "support/people.rs"]
mod people;

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use middle::{Middle, Power};
use people::{Person, link, until};
use quartet_engine::{Connection, Event};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_dtls_itself_hears_nothing_and_both_are_told() {
    let middle = Middle::start(Power::Server).await;
    let link = link(&middle.url);
    let mut ann = Person::with_tone("Ann", 500.0);
    let mut bo = Person::with_tone("Bo", 800.0);
    ann.join(&link);
    ann.hear("joined", |it| matches!(it, Event::Joined { .. }).then_some(())).await;
    bo.join(&link);
    let untrusted = |event| match event {
        Event::PeerConnection(_, Connection::Untrusted) => Some(()),
        Event::Connected { .. } | Event::FirstAudio(_) | Event::FirstVideo(_) => {
            panic!("connected to somebody in the middle: {event:?}")
        }
        _ => None,
    };
    ann.hear("that Bo is not to be trusted", untrusted).await;
    bo.hear("that Ann is not to be trusted", untrusted).await;
    // It goes on trying as long as they do.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let overheard = &middle.overheard;
    assert!(overheard.told.load(Relaxed) >= 2, "it did not even try");
    assert_eq!(overheard.connected.load(Relaxed), 0);
    assert_eq!(overheard.voices.load(Relaxed) + overheard.pictures.load(Relaxed), 0);
    ann.engine.shutdown().await;
    bo.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_has_the_link_too_hears_but_the_codes_differ() {
    // The name of the server is part of the link, and its secret is not.
    let any = link("http://127.0.0.1:1");
    let middle = Middle::start(Power::Link(any.secret.auth_key())).await;
    let link = quartet_proto::JoinLink { secret: any.secret, ..link(&middle.url) };
    let mut ann = Person::with_tone("Ann", 500.0);
    let mut bo = Person::with_tone("Bo", 800.0);
    ann.join(&link);
    ann.hear("joined", |it| matches!(it, Event::Joined { .. }).then_some(())).await;
    bo.join(&link);
    let code = |event| match event {
        Event::PeerTrust(_, trust) => trust.code,
        _ => None,
    };
    let code_of_ann = ann.hear("a code", code).await;
    let code_of_bo = bo.hear("a code", code).await;
    assert_ne!(code_of_ann, code_of_bo);
    let overheard = &middle.overheard;
    until("both are connected to the middle", || overheard.connected.load(Relaxed) >= 2).await;
    until("it hears", || overheard.voices.load(Relaxed) > 0).await;
    until("and sees", || overheard.pictures.load(Relaxed) > 0).await;
    ann.engine.shutdown().await;
    bo.engine.shutdown().await;
}
