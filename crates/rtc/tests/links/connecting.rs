//! Two links find each other, and media passes both ways.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

use quartet_core::LinkState;
use quartet_rtc::IceConfig;
use tokio::time::Instant;

use crate::pair::{Pair, bound_to, loopback};

#[tokio::test]
async fn media_passes_both_ways() {
    let mut pair = Pair::connected().await;
    pair.exchange().await;
    let stats = pair.offerer.link.stats().await;
    assert_eq!(stats.local_candidate.as_deref(), Some("host"));
    // Whether the peer's check or its candidate came first is chance.
    assert!(matches!(stats.remote_candidate.as_deref(), Some("host" | "prflx")));
    for stream in [stats.video_in, stats.video_out] {
        assert!(stream.packets >= 3 && stream.bytes >= 3_000 && stream.frames >= 1, "{stream:?}");
        assert_eq!(stream.lost, 0);
    }
    for stream in [stats.voice_in, stats.voice_out] {
        assert!(stream.packets >= 1 && stream.bytes == 80 * stream.packets, "{stream:?}");
    }
    pair.close().await;
}

#[tokio::test]
async fn the_round_trip_is_known() {
    let pair = Pair::connected().await;
    let stats = pair.offerer.link.stats().await;
    let rtt = stats.rtt.expect("no round trip");
    assert!(rtt.as_millis() < 1_000, "{rtt:?}");
    pair.close().await;
}

#[tokio::test]
async fn connecting_takes_well_under_a_second() {
    let mut fastest = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let pair = Pair::connected().await;
        let took = start.elapsed().as_secs_f64() * 1e3;
        println!("from opening to connected on both sides: {took:.0} ms");
        fastest = fastest.min(took);
        pair.close().await;
    }
    // The library's own waits would make it more, whatever else the machine does.
    assert!(fastest < 900.0, "{fastest} ms");
}

#[tokio::test]
async fn ipv6_works() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        println!("this machine has no IPv6");
        return;
    }
    let ipv6 = || bound_to(Ipv6Addr::LOCALHOST.into());
    let mut pair = Pair::start(ipv6(), ipv6()).await;
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    pair.close().await;
}

#[tokio::test]
async fn every_interface_is_used_without_a_choice() {
    let mut pair = Pair::start(IceConfig::default(), IceConfig::default()).await;
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    pair.close().await;
}

#[tokio::test]
async fn only_the_chosen_addresses_are_used() {
    let pair = Pair::connected().await;
    let candidates = pair.offerer.candidates.lock().clone();
    let (end, candidates) = candidates.split_last().unwrap();
    assert_eq!(end.candidate, "");
    assert_eq!(candidates.len(), 1);
    assert!(candidates[0].candidate.contains(&format!(" {} ", Ipv4Addr::LOCALHOST)));
    assert_eq!(candidates[0].sdp_mid.as_deref(), Some("0"));
    assert_eq!(candidates[0].sdp_mline_index, Some(0));
    assert!(candidates[0].username_fragment.is_some());
    pair.close().await;
}

#[tokio::test]
async fn the_offer_is_what_a_browser_understands() {
    let pair = Pair::start(loopback(), loopback()).await;
    let mut pair = pair;
    pair.reaches(LinkState::Connected).await;
    for sdp in [&pair.offerer, &pair.answerer].map(|side| side.descriptions.lock()[0].clone()) {
        for line in [
            "a=group:BUNDLE 0 1 2 3",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1",
            "a=rtpmap:63 red/48000/2",
            "a=fmtp:63 111/111",
            "a=rtpmap:96 VP8/90000",
            "a=rtpmap:97 rtx/90000",
            "a=fmtp:97 apt=96",
            "a=rtcp-fb:96 nack ",
            "a=rtcp-fb:96 nack pli",
            "a=rtcp-fb:96 ccm fir",
            "a=rtcp-fb:96 transport-cc ",
            "a=rtcp-fb:111 transport-cc ",
            "a=rtcp-mux",
            "a=ice-options:trickle",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "a=sctp-port:5000",
        ] {
            assert!(sdp.lines().any(|l| l.trim_end() == line.trim_end()), "no {line} in\n{sdp}");
        }
        assert_eq!(sdp.matches("m=").count(), 4, "{sdp}");
        assert_eq!(sdp.matches("a=sendrecv").count(), 4, "{sdp}");
        assert_eq!(sdp.matches("a=ssrc-group:FID").count(), 2, "{sdp}");
        assert_eq!(sdp.matches("transport-wide-cc-extensions-01").count(), 3, "{sdp}");
        assert!(!sdp.contains("a=candidate"), "{sdp}");
        assert_eq!(sdp.matches("a=rtpmap").count(), 6, "{sdp}");
    }
    pair.close().await;
}
