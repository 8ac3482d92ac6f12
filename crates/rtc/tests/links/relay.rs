//! STUN and TURN, with a real server.

use std::time::{Duration, SystemTime};

use quartet_core::{LinkAction, LinkState};
use quartet_proto::{IceServer, PeerId};
use quartet_rtc::{IceConfig, IcePolicy};
use quartet_testkit::turn::TurnServer;
use tokio::time::{Instant, timeout};

use crate::pair::{PATIENCE, Pair, loopback};

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
        assert!(!stats.relayed_by_stream);
    }
    pair.close().await;
}

/// Relays only, to be reached in this way.
fn by(server: &TurnServer, way: IceServer) -> IceConfig {
    let certificates = vec![server.certificate().to_vec()];
    IceConfig { servers: vec![way], policy: IcePolicy::Relay, certificates, ..loopback() }
}

#[tokio::test]
async fn a_relay_can_be_reached_by_tcp() {
    let server = TurnServer::start();
    let way = || by(&server, server.turn_tcp());
    let mut pair = Pair::start(way(), way()).await;
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    for side in [&pair.offerer, &pair.answerer] {
        let stats = side.link.stats().await;
        assert_eq!(stats.local_candidate.as_deref(), Some("relay"));
        assert!(stats.relayed_by_stream);
    }
    // After an ICE restart too, which makes new sockets and so new streams.
    pair.offerer.link.act(LinkAction::Offer { ice_restart: true });
    while pair.answerer.descriptions.lock().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pair.exchange().await;
    assert_eq!(*pair.offerer.broken.lock(), None);
    pair.close().await;
}

#[tokio::test]
async fn a_relay_can_be_reached_by_tls() {
    let server = TurnServer::start();
    let way = || by(&server, server.turn_tls());
    let mut pair = Pair::start(way(), way()).await;
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    pair.close().await;
}

#[tokio::test]
async fn ends_that_reach_the_relay_in_different_ways_reach_each_other() {
    let server = TurnServer::start();
    let mut pair = Pair::start(by(&server, server.turn_tls()), by(&server, server.turn())).await;
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    pair.close().await;
}

#[tokio::test]
async fn a_relay_whose_certificate_nobody_vouches_for_is_not_used() {
    let server = TurnServer::start();
    let unknown = IceConfig { certificates: Vec::new(), ..by(&server, server.turn_tls()) };
    let pair = Pair::start(unknown, loopback()).await;
    timeout(PATIENCE, async {
        while pair.offerer.candidates.lock().last().is_none_or(|last| !last.candidate.is_empty()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the end of candidates is told");
    assert!(pair.offerer.candidate_types().is_empty());
    pair.close().await;
}

#[tokio::test]
async fn one_relay_can_be_named_with_all_its_ways() {
    let server = TurnServer::start();
    let all = || {
        let servers = vec![server.turn_tls(), server.turn_tcp(), server.turn()];
        IceConfig { servers, ..by(&server, server.turn()) }
    };
    let mut pair = Pair::start(all(), all()).await;
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    pair.close().await;
}

#[tokio::test]
async fn a_relayed_candidate_tells_nothing_but_the_relay() {
    let server = TurnServer::start();
    for way in [server.turn(), server.turn_tcp()] {
        let mut pair = Pair::start(by(&server, way.clone()), by(&server, way)).await;
        pair.reaches(LinkState::Connected).await;
        let candidates = pair.offerer.candidates.lock().clone();
        for line in candidates.iter().map(|it| &it.candidate).filter(|line| !line.is_empty()) {
            assert!(line.contains("typ relay raddr 0.0.0.0 rport 0"), "{line}");
        }
        for description in pair.offerer.descriptions.lock().iter() {
            assert!(!description.contains("a=candidate"), "{description}");
        }
        pair.close().await;
    }
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
    let mut server = IceServer {
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

/// A relay that knows a secret, and what makes credentials for it from then on.
fn guarded() -> (TurnServer, impl Fn(SystemTime, Duration) -> IceServer) {
    let server = TurnServer::start_with_secret("a long secret");
    let urls = server.turn().urls;
    let issue = move |from, ttl| {
        quartet_testkit::turn::credentials("a long secret", urls.clone(), ttl)
            .issue(from, PeerId::from_u64(7))
    };
    (server, issue)
}

#[tokio::test]
async fn credentials_are_refused_once_they_have_ended() {
    let (_server, issue) = guarded();
    let relayed = |from| IceConfig {
        servers: vec![issue(from, HOUR)],
        policy: IcePolicy::Relay,
        ..loopback()
    };
    let now = SystemTime::now();
    let mut pair = Pair::start(relayed(now), relayed(now)).await;
    pair.reaches(LinkState::Connected).await;
    pair.close().await;

    let pair = Pair::start(relayed(now), relayed(now - HOUR - SECOND)).await;
    // All of it is gathered, and there is nothing.
    while pair.answerer.candidates.lock().last().is_none_or(|last| !last.candidate.is_empty()) {
        tokio::task::yield_now().await;
    }
    assert!(pair.answerer.candidate_types().is_empty());
    pair.close().await;
}

/// A restart that comes while the names of servers are still looked up is too early for them.
async fn restart_until(pair: &Pair, relayed: impl Fn() -> bool) {
    timeout(PATIENCE, async {
        while !relayed() {
            pair.offerer.link.act(LinkAction::Offer { ice_restart: true });
            tokio::time::sleep(SECOND).await;
        }
    })
    .await
    .expect("no relay after the restart");
}

#[tokio::test]
async fn a_restart_uses_the_credentials_that_came_last() {
    let (_server, issue) = guarded();
    let short = 3 * SECOND;
    let begin = SystemTime::now();
    let relayed =
        || IceConfig { servers: vec![issue(begin, short)], policy: IcePolicy::Relay, ..loopback() };
    let mut pair = Pair::start(relayed(), relayed()).await;
    pair.reaches(LinkState::Connected).await;
    // They end; the path goes on.
    tokio::time::sleep_until(Instant::now() + short + 2 * SECOND).await;
    pair.exchange().await;
    for side in [&pair.offerer, &pair.answerer] {
        side.link.act(LinkAction::IceServers(vec![issue(SystemTime::now(), HOUR)]));
    }
    let before = pair.offerer.candidate_types().len();
    restart_until(&pair, || pair.offerer.candidate_types().len() > before).await;
    pair.exchange().await;
    assert_eq!(*pair.offerer.broken.lock(), None);
    pair.close().await;
}

#[tokio::test]
async fn a_restart_reaches_relays_by_tcp_and_tls_that_were_named_later() {
    let server = TurnServer::start();
    let without = || IceConfig {
        servers: Vec::new(),
        policy: IcePolicy::All,
        ..by(&server, server.turn_tls())
    };
    let mut pair = Pair::start(without(), without()).await;
    pair.reaches(LinkState::Connected).await;
    for way in [server.turn_tls(), server.turn_tcp()] {
        pair.offerer.link.act(LinkAction::IceServers(vec![way]));
        let relayed = || {
            let types = pair.offerer.candidate_types();
            types.iter().filter(|kind| *kind == "relay").count()
        };
        let before = relayed();
        restart_until(&pair, || relayed() > before).await;
    }
    pair.exchange().await;
    assert_eq!(*pair.offerer.broken.lock(), None);
    pair.close().await;
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
