//! Peers that say nothing, or nonsense.

use std::{sync::Arc, time::Duration};

use quartet_core::{EncodedFrame, LinkAction, LinkEvent, LinkState, RtpPacket};
use quartet_proto::{Candidate, DescriptionKind};
use quartet_rtc::{Certificate, Link, LinkConfig, LinkRole, MediaSink};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::pair::{PATIENCE, Pair, Recorder, Side, loopback, voice_payload};

#[tokio::test]
async fn a_remote_that_never_answers_hinders_nothing() {
    let (link, mut events) = open(LinkRole::Offerer).await;
    link.act(LinkAction::Offer { ice_restart: false });
    let first = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
    assert!(matches!(first, LinkEvent::Description { kind: DescriptionKind::Offer, .. }));
    link.request_key_frame();
    link.send_voice(0, bytes::Bytes::from_static(b"x"));
    let stats = timeout(PATIENCE, link.stats()).await.unwrap();
    assert_eq!(stats.local_candidate, None);
    let start = Instant::now();
    link.close().await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_link_can_be_closed_at_any_moment() {
    for moment in 0..12 {
        let pair = Pair::start(loopback(), loopback()).await;
        tokio::time::sleep(Duration::from_millis(3 * moment)).await;
        let start = Instant::now();
        pair.close().await;
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn closing_twice_is_closing_once() {
    let pair = Pair::connected().await;
    let link = &pair.offerer.link;
    tokio::join!(link.close(), link.close());
    link.close().await;
    // After the end everything is still harmless.
    link.act(LinkAction::Offer { ice_restart: true });
    link.request_key_frame();
    link.send_voice(0, bytes::Bytes::from_static(b"x"));
    link.stats().await;
    pair.close().await;
}

#[tokio::test]
async fn garbage_breaks_the_link_and_nothing_else() {
    let pair = Pair::connected().await;
    let offer = pair.offerer.descriptions.lock()[0].clone();
    pair.close().await;
    let mut hostile = vec![
        String::new(),
        "v=0".to_owned(),
        "v=0\r\n".repeat(100),
        "m=audio\r\n".to_owned(),
        "\0\u{ffff}🦀".repeat(1_000),
        "v=0\r\na=x\r\n".repeat(4_000),
        offer.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 zz:"),
        offer.replace("a=mid:0", "a=mid:1"),
        offer.replace("a=mid:", "a=middle:"),
        offer.replace("a=ice-ufrag:", "a=ice-ufrag:\r\na=x:"),
        offer.replace("a=ice-pwd:", "a=no-pwd:"),
        offer.replace("opus/48000", "opus/99999999999999999999"),
        offer.replace("a=ssrc:", "a=ssrc:-"),
        offer.replace("m=audio", "m=video"),
        offer.replace("m=audio 9", "m=audio 99999999"),
        offer.replace("UDP/TLS/RTP/SAVPF", "X"),
        offer.replace("\r\n", "\n\n\n"),
        offer.replace("apt=96", "apt=97"),
        offer.replace("a=extmap:1 ", "a=extmap:99999 "),
        offer.replace("a=sendrecv", "a=inactive"),
        offer.replace(" 96 97", " 97"),
    ];
    // Cut off at every line, and with each line left out.
    let lines: Vec<&str> = offer.split_inclusive('\n').collect();
    for index in 0..lines.len() {
        hostile.push(lines[..index].concat());
        let mut without = lines.clone();
        without.remove(index);
        hostile.push(without.concat());
    }
    // And with bytes changed at random.
    let seed = 20_261_122;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..40 {
        let mut bytes = offer.clone().into_bytes();
        for _ in 0..random.usize(1..20) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(32..127);
        }
        hostile.push(String::from_utf8(bytes).unwrap());
    }
    let (mut broken, mut answered) = (0, 0);
    for sdp in hostile {
        let (link, mut events) = open(LinkRole::Answerer).await;
        link.act(LinkAction::Description { kind: DescriptionKind::Offer, sdp: sdp.clone() });
        let first = timeout(PATIENCE, events.recv()).await;
        match first.unwrap_or_else(|_| panic!("it hangs on\n{sdp}")) {
            Some(LinkEvent::Broken(reason)) => {
                assert!(!reason.contains("a=") && reason.len() < 200, "{reason}");
                broken += 1;
            }
            Some(LinkEvent::Description { .. }) => answered += 1,
            other => panic!("{other:?} to\n{sdp}"),
        }
        link.close().await;
    }
    println!("{broken} were refused, {answered} answered");
    assert!(broken >= 15);
}

#[tokio::test]
async fn what_does_not_fit_the_role_breaks_the_link() {
    let sdp = || "v=0\r\n".to_owned();
    let offer = LinkAction::Description { kind: DescriptionKind::Offer, sdp: sdp() };
    let answer = LinkAction::Description { kind: DescriptionKind::Answer, sdp: sdp() };
    for (role, action) in [
        (LinkRole::Offerer, offer),
        (LinkRole::Answerer, answer),
        (LinkRole::Answerer, LinkAction::Offer { ice_restart: false }),
    ] {
        let (link, mut events) = open(role).await;
        link.act(action);
        let event = timeout(PATIENCE, events.recv()).await.unwrap();
        assert!(matches!(event, Some(LinkEvent::Broken(_))), "{event:?}");
        link.close().await;
    }
}

#[tokio::test]
async fn an_answer_to_no_offer_is_ignored() {
    let mut pair = Pair::connected().await;
    let answer = pair.answerer.descriptions.lock()[0].clone();
    pair.offerer.link.act(LinkAction::Description { kind: DescriptionKind::Answer, sdp: answer });
    pair.exchange().await;
    assert_eq!(*pair.offerer.broken.lock(), None);
    pair.close().await;
}

#[tokio::test]
async fn garbage_candidates_are_ignored() {
    let mut pair = Pair::start(loopback(), loopback()).await;
    for _ in 0..3 {
        for line in [
            "candidate:",
            "candidate:1 1 udp 1 127.0.0.1 0 typ host",
            "candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype passive",
            "candidate:1 2 udp 1 127.0.0.1 9 typ host",
            "candidate:1 1 udp 1 nobody.invalid 9 typ host",
            "candidate:1 1 udp 1 127.0.0.1 9 typ host raddr",
            "\0",
            "🦀",
        ] {
            for link in [&pair.offerer.link, &pair.answerer.link] {
                link.act(LinkAction::Candidate(Candidate {
                    candidate: line.to_owned(),
                    sdp_mid: None,
                    sdp_mline_index: None,
                    username_fragment: None,
                }));
            }
        }
    }
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    assert_eq!(*pair.offerer.broken.lock(), None);
    assert_eq!(*pair.answerer.broken.lock(), None);
    pair.close().await;
}

#[tokio::test]
async fn a_sink_that_panics_breaks_its_own_link_only() {
    #[derive(Debug)]
    struct Panicking;
    impl MediaSink for Panicking {
        fn voice(&self, _: RtpPacket) {
            panic!("this is part of the test");
        }
        fn picture(&self, _: EncodedFrame) {}
    }
    let mut offerer = Side::open(LinkRole::Offerer, loopback()).await;
    let mut answerer = Side::open_with(LinkRole::Answerer, loopback(), Arc::new(Panicking)).await;
    offerer.connect_to(&answerer.link, None);
    answerer.connect_to(&offerer.link, None);
    offerer.link.act(LinkAction::Offer { ice_restart: false });
    offerer.reaches(LinkState::Connected).await;
    timeout(PATIENCE, async {
        while answerer.broken.lock().is_none() {
            offerer.link.send_voice(0, voice_payload(0));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("not broken");
    assert_eq!(answerer.broken.lock().as_deref(), Some("running a link: a task panicked"));
    assert_eq!(*offerer.broken.lock(), None);
    offerer.close().await;
    answerer.close().await;
}

async fn open(role: LinkRole) -> (Link, mpsc::Receiver<LinkEvent>) {
    let (sender, events) = mpsc::channel(64);
    let (ice, certificate) = (loopback(), Certificate::generate().unwrap());
    let link =
        Link::open(LinkConfig { role, ice, certificate }, Arc::new(Recorder::deaf()), sender)
            .await
            .unwrap();
    (link, events)
}
