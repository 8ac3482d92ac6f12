//! What a link finds out about its path.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::pair::{PATIENCE, Pair, delta_frame, key_frame, voice_payload};

#[tokio::test]
async fn an_estimate_is_announced_with_the_connection_and_follows_the_feedback() {
    let mut pair = Pair::connected().await;
    let estimate = &mut pair.offerer.estimate;
    let first = timeout(PATIENCE, estimate.wait_for(Option::is_some)).await.unwrap();
    let first = first.unwrap().unwrap();
    assert!(first.bitrate_bps > 0 && first.loss == 0.0 && first.rtt.is_none(), "{first:?}");
    let link = &pair.offerer.link;
    let send = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for number in 0.. {
            ticks.tick().await;
            let frame = if number == 0 { key_frame(0, 9_000) } else { delta_frame(number, 1_500) };
            link.send_video(&frame);
            link.send_voice(number * 960, voice_payload(number));
        }
    };
    let known = estimate.wait_for(|estimate| estimate.is_some_and(|e| e.rtt.is_some()));
    let known = tokio::select! {
        () = send => unreachable!(),
        known = timeout(PATIENCE, known) => known.unwrap().unwrap().unwrap(),
    };
    assert!(known.rtt.unwrap() < PATIENCE && known.loss < 0.5, "{known:?}");
    let stats = link.stats().await;
    assert!(stats.estimate_bps.is_some_and(|bps| bps > 0), "{stats:?}");
    pair.close().await;
}

#[tokio::test]
async fn probes_find_what_an_open_path_carries_beyond_what_is_sent() {
    let mut pair = Pair::connected().await;
    let link = Arc::clone(&pair.offerer.link);
    let send = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(33));
        for number in 0.. {
            ticks.tick().await;
            let frame = if number == 0 { key_frame(0, 9_000) } else { delta_frame(number, 1_200) };
            link.send_video(&frame);
        }
    };
    // 300 kbit/s are sent.
    let found = pair.offerer.estimate.wait_for(|e| e.is_some_and(|e| e.bitrate_bps > 1_500_000));
    let start = tokio::time::Instant::now();
    tokio::select! {
        () = send => unreachable!(),
        found = timeout(PATIENCE, found) => {
            found.expect("the estimate does not grow").unwrap();
        }
    }
    println!("1.5 Mbit/s found after {:?}", start.elapsed());
    pair.close().await;
}
