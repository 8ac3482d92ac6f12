//! STUN and TURN, with a real server.

use std::time::Duration;

use quartet_core::LinkState;
use quartet_rtc::{IceConfig, IcePolicy};
use quartet_testkit::turn::TurnServer;
use tokio::time::Instant;

use crate::pair::{Pair, loopback};

#[tokio::test]
async fn everything_can_go_through_a_relay() {
    let server = TurnServer::start();
    let relayed =
        || IceConfig { servers: vec![server.turn()], policy: IcePolicy::Relay, ..loopback() };
    let mut pair = Pair::start(relayed(), relayed()).await;
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    for side in [&pair.offerer, &pair.answerer] {
        assert!(side.candidate_types().iter().all(|kind| kind == "relay"));
        let stats = side.link.stats().await;
        assert_eq!(stats.local_candidate.as_deref(), Some("relay"));
    }
    pair.close().await;
}

#[tokio::test]
async fn a_relay_does_not_hold_anything_up() {
    let server = TurnServer::start();
    let relayed =
        || IceConfig { servers: vec![server.turn()], policy: IcePolicy::Relay, ..loopback() };
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let mut pair = Pair::start(relayed(), relayed()).await;
        pair.reaches(LinkState::Connected).await;
        println!("connected through a relay: {:?}", start.elapsed());
        fastest = fastest.min(start.elapsed());
        pair.close().await;
    }
    // 0.3 s of that are the head start of direct paths. The library alone makes it 2 s.
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

#[tokio::test]
async fn one_side_behind_a_relay_is_enough() {
    let server = TurnServer::start();
    let relayed =
        IceConfig { servers: vec![server.turn()], policy: IcePolicy::Relay, ..loopback() };
    let mut pair = Pair::start(loopback(), relayed).await;
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    let stats = pair.offerer.link.stats().await;
    assert_eq!(stats.local_candidate.as_deref(), Some("host"));
    assert_eq!(pair.answerer.link.stats().await.local_candidate.as_deref(), Some("relay"));
    pair.close().await;
}

#[tokio::test]
async fn a_stun_server_tells_the_address() {
    let server = TurnServer::start();
    let asking = IceConfig { servers: vec![server.stun()], ..loopback() };
    let mut pair = Pair::start(asking, loopback()).await;
    pair.reaches(LinkState::Connected).await;
    // Without a translator between, the address is that of the host candidate; it is told all the
    // same, before the end of candidates.
    while pair.offerer.candidates.lock().last().is_none_or(|last| !last.candidate.is_empty()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(pair.offerer.candidate_types(), ["host", "srflx"]);
    pair.close().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_delays_nothing() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut server = quartet_proto::IceServer {
        urls: vec![format!("stun:{}", nobody.local_addr().unwrap())],
        username: None,
        credential: None,
    };
    server.urls.push("stun:there-is-no-such-host.invalid".to_owned());
    let asking = IceConfig { servers: vec![server], ..loopback() };
    let start = Instant::now();
    let mut pair = Pair::start(asking, loopback()).await;
    pair.reaches(LinkState::Connected).await;
    println!("connected beside dead servers: {:?}", start.elapsed());
    pair.exchange().await;
    pair.close().await;
}
