//! A peer that stands still costs the others nothing.

use std::{sync::Arc, time::Duration};

use quartet_core::{LinkAction, LinkEvent};
use quartet_rtc::{Certificate, Link, LinkConfig, LinkRole};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::pair::{PATIENCE, Pair, Recorder, delta_frame, key_frame, loopback, voice_payload};

#[tokio::test]
async fn sending_never_waits() {
    // One link whose events nobody takes: its actor stands still after the first.
    let (full, _events) = mpsc::channel(1);
    full.send(LinkEvent::KeyFrameWanted).await.unwrap();
    let (role, certificate) = (LinkRole::Offerer, Certificate::generate().unwrap());
    let config = LinkConfig { role, ice: loopback(), certificate };
    let stalled = Link::open(config, Arc::new(Recorder::deaf()), full).await.unwrap();
    stalled.act(LinkAction::Offer { ice_restart: false });
    let mut pair = Pair::connected().await;

    let mut longest = Duration::ZERO;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for number in 0..150 {
        ticks.tick().await;
        // What a link begins with carries this; of more, pictures would be left out.
        let frame =
            if number % 30 == 0 { key_frame(number, 1_500) } else { delta_frame(number, 150) };
        let start = Instant::now();
        for link in [&stalled, &pair.offerer.link] {
            link.send_video(&frame);
            link.send_voice(number * 960, voice_payload(number));
            link.act(LinkAction::Candidate(candidate()));
            link.request_key_frame();
        }
        longest = longest.max(start.elapsed());
    }
    println!("the longest call: {longest:?}");
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    for number in 0..150 {
        assert_eq!(pair.answerer.next_picture().await.timestamp, number * 3_000);
        assert_eq!(pair.answerer.next_voice().await.timestamp, number * 960);
    }
    timeout(PATIENCE, stalled.close()).await.unwrap();
    pair.close().await;
}

#[tokio::test]
async fn more_actions_than_a_stalled_link_can_keep_break_it() {
    let (full, mut events) = mpsc::channel(1);
    full.send(LinkEvent::KeyFrameWanted).await.unwrap();
    let (role, certificate) = (LinkRole::Offerer, Certificate::generate().unwrap());
    let config = LinkConfig { role, ice: loopback(), certificate };
    let link = Link::open(config, Arc::new(Recorder::deaf()), full).await.unwrap();
    for _ in 0..2_000 {
        link.act(LinkAction::Offer { ice_restart: true });
    }
    let broken = async {
        loop {
            if let LinkEvent::Broken(reason) = events.recv().await.unwrap() {
                return reason;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, broken).await.unwrap(), "taking an action: there are too many");
    link.close().await;
}

fn candidate() -> quartet_proto::Candidate {
    quartet_proto::Candidate {
        candidate: "candidate:1 1 tcp 1 127.0.0.1 9 typ host".to_owned(),
        sdp_mid: None,
        sdp_mline_index: None,
        username_fragment: None,
    }
}
