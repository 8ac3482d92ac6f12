//! Key frames are asked for, and not too often.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::time::{Instant, timeout};

use crate::pair::{PATIENCE, Pair, delta_frame, key_frame};

#[tokio::test]
async fn a_request_arrives_at_the_other_side() {
    let mut pair = Pair::connected().await;
    // One is wanted at the very beginning, without being asked for.
    timeout(PATIENCE, pair.offerer.key_frame_wanted.notified()).await.unwrap();
    pair.exchange().await;
    let before = pair.offerer.key_frames_wanted.load(Relaxed);
    pair.answerer.link.request_key_frame();
    timeout(PATIENCE, async {
        while pair.offerer.key_frames_wanted.load(Relaxed) == before {
            pair.offerer.key_frame_wanted.notified().await;
        }
    })
    .await
    .expect("no request");
    pair.close().await;
}

#[tokio::test]
async fn requests_are_spaced() {
    let mut pair = Pair::connected().await;
    pair.exchange().await;
    let before = pair.offerer.key_frames_wanted.load(Relaxed);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1_000) {
        pair.answerer.link.request_key_frame();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = start.elapsed();
    let most = took.as_millis() / 300 + 2;
    let asked = pair.offerer.key_frames_wanted.load(Relaxed) - before;
    assert!(asked as u128 <= most, "{asked} in {took:?}");
    assert!(asked >= 1);
    pair.close().await;
}

#[tokio::test]
async fn a_receiver_that_joins_in_the_middle_gets_a_key_frame() {
    let mut pair = Pair::connected().await;
    let (sender, receiver) = (&pair.offerer, &mut pair.answerer);
    // As an encoder does: a key frame when one is wanted, else deltas.
    let encode = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(33));
        for number in 1.. {
            ticks.tick().await;
            let wanted = sender.key_frames_wanted.swap(0, Relaxed) > 0;
            let frame = if wanted { key_frame(number, 5_000) } else { delta_frame(number, 2_000) };
            sender.link.send_video(&frame);
        }
    };
    let watch = async {
        let first = receiver.next_picture().await;
        assert!(first.key);
        let mut last = first.timestamp;
        for _ in 0..30 {
            let next = receiver.next_picture().await;
            assert_eq!(next.timestamp, last + 3_000);
            last = next.timestamp;
        }
    };
    tokio::select! {
        () = encode => unreachable!(),
        () = watch => {}
    }
    pair.close().await;
}
