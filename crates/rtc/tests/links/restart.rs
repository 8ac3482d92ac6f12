//! An ICE restart, with media on the way.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use quartet_core::{LinkAction, LinkState};
use tokio::time::timeout;

use crate::pair::{PATIENCE, Pair, delta_frame, key_frame};

#[tokio::test]
async fn media_flows_on_after_a_restart() {
    let mut pair = Pair::connected().await;
    pair.exchange().await;
    for round in 1..=3 {
        let ufrag = last_ufrag(&pair);
        pair.offerer.link.act(LinkAction::Offer { ice_restart: true });
        timeout(PATIENCE, async {
            while last_ufrag(&pair) == ufrag {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("no new generation");
        pair.exchange().await;
        pair.reaches(LinkState::Connected).await;
        println!("restart {round} done");
    }
    assert_eq!(*pair.offerer.broken.lock(), None);
    assert_eq!(*pair.answerer.broken.lock(), None);
    pair.close().await;
}

#[tokio::test]
async fn a_restart_whose_offer_was_lost_is_offered_again() {
    let mut pair = Pair::connected().await;
    pair.exchange().await;
    // Either the offer or its answer, each with the candidates that go with it.
    for lost_side in [true, false] {
        let (offers, answers) =
            (pair.offerer.descriptions.lock().len(), pair.answerer.descriptions.lock().len());
        let loses = if lost_side { &pair.offerer } else { &pair.answerer };
        loses.lost_descriptions.store(1, Relaxed);
        pair.offerer.link.act(LinkAction::Offer { ice_restart: true });
        let lost = Arc::clone(&loses.lost_descriptions);
        until(|| lost.load(Relaxed) == 0).await;
        pair.offerer.link.act(LinkAction::RepeatOffer);
        let answers = answers + if lost_side { 1 } else { 2 };
        until(|| pair.answerer.descriptions.lock().len() == answers).await;
        pair.exchange().await;
        pair.reaches(LinkState::Connected).await;
        let descriptions = pair.offerer.descriptions.lock().split_off(offers);
        assert_eq!(descriptions.len(), 2);
        assert_eq!(descriptions[0], descriptions[1], "the repeated offer is another one");
    }
    assert_eq!(*pair.offerer.broken.lock(), None);
    assert_eq!(*pair.answerer.broken.lock(), None);
    pair.close().await;
}

#[tokio::test]
async fn a_restart_costs_a_short_gap_only() {
    let mut pair = Pair::connected().await;
    pair.exchange().await;
    while pair.answerer.pictures.try_recv().is_ok() {}
    let link = Arc::clone(&pair.offerer.link);
    let encode = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for number in 1_000.. {
            ticks.tick().await;
            // A key frame twice a second stands for those that would be asked for.
            let frame =
                if number % 25 == 0 { key_frame(number, 3_000) } else { delta_frame(number, 900) };
            link.send_video(&frame);
            if number == 1_025 {
                link.act(LinkAction::Offer { ice_restart: true });
            }
        }
    });
    let mut last = tokio::time::Instant::now();
    let mut longest = Duration::ZERO;
    loop {
        let frame = pair.answerer.next_picture().await;
        longest = longest.max(last.elapsed());
        last = tokio::time::Instant::now();
        if frame.timestamp / 3_000 > 1_150 {
            break;
        }
    }
    println!("the longest gap around a restart: {longest:?}");
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    encode.abort();
    assert!(encode.await.unwrap_err().is_cancelled());
    pair.close().await;
}

#[tokio::test]
async fn offers_that_overtake_their_answers_wait_for_them() {
    let mut pair = Pair::connected().await;
    for _ in 0..5 {
        pair.offerer.link.act(LinkAction::Offer { ice_restart: true });
    }
    pair.exchange().await;
    assert_eq!(*pair.offerer.broken.lock(), None);
    // The first, and one for all that came before its answer, or hardly more.
    let offers = pair.offerer.descriptions.lock().len();
    assert!((2..=6).contains(&offers), "{offers}");
    assert_eq!(*pair.answerer.broken.lock(), None);
    pair.close().await;
}

async fn until(reached: impl Fn() -> bool) {
    timeout(PATIENCE, async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it does not come to that");
}

fn last_ufrag(pair: &Pair) -> String {
    let descriptions = pair.answerer.descriptions.lock();
    let last = descriptions.last().unwrap();
    last.lines().find(|line| line.starts_with("a=ice-ufrag:")).unwrap().to_owned()
}
