//! What ours send is right for another's decoder: a Chromium page takes part in a Quartet call.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

use std::{
    net::TcpListener,
    process::Command,
    time::{Duration, Instant},
};

use quartet_harness::{Participant, ParticipantOptions, Programs, SignallingServer, wait_until};
use quartet_lab::{
    chromium::{Guest, PageLog, PeerLog, QuartetCall},
    figures::Picture,
};
use quartet_proto::JoinLink;

/// What a busy machine may take for anything that a person would wait a second for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long pictures are looked at.
const LOOK: Duration = Duration::from_secs(6);
/// A machine that tests other things meanwhile may decode a little less than 30 a second.
const LEAST_FPS: f64 = 24.0;
const VIDEO_IN: (&str, &str) = ("inbound-rtp", "video");
const AUDIO_IN: (&str, &str) = ("inbound-rtp", "audio");
const AUDIO_OUT: (&str, &str) = ("outbound-rtp", "audio");

/// A call of one of ours, `ann`, and a page.
struct Call {
    ann: Participant,
    guest: Guest,
    _server: SignallingServer,
}

impl Call {
    fn start(red: bool) -> Self {
        let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet-lab")).unwrap();
        let server = SignallingServer::start(&programs, 0).unwrap();
        let link = server.new_link(&programs).unwrap();
        let options = ParticipantOptions {
            // The browser has no address on loopback.
            extra: Vec::new(),
            ..ParticipantOptions::with_tone("ann", 500, 300)
        };
        let ann = Participant::join(&programs, &link, &options).unwrap();
        ann.wait_for("joined", 1, PATIENCE).unwrap();
        let secret = link.split_once('#').unwrap().1.to_owned();
        let link = JoinLink::parse(&link).unwrap();
        let (server_url, room) = (link.server.websocket(), link.secret.room_id());
        let call = QuartetCall { server: server_url, room, secret, red };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let guest = Guest::start("guest", call, listener, |program| Command::new(program)).unwrap();
        let call = Self { ann, guest, _server: server };
        call.wait("a picture", |log| !pictures(log).is_empty());
        call.ann.wait_for("first_video", 1, PATIENCE).unwrap();
        call
    }

    /// Waits until the page has reported something.
    fn wait(&self, what: &str, mut is_so: impl FnMut(&PageLog) -> bool) {
        let look = || {
            let log = self.guest.log();
            assert!(log.failures.is_empty(), "{:?}", log.failures);
            Ok(is_so(&log).then_some(()))
        };
        wait_until(what, PATIENCE, look).unwrap();
    }

    /// What the page reports for a while.
    fn look(&self) -> PageLog {
        let looks = |log: &PageLog| peer(log).map_or(0, |peer| peer.stats.len());
        let enough = looks(&self.guest.log()) + LOOK.as_secs() as usize + 1;
        self.wait("reports", |log| looks(log) >= enough);
        self.guest.log()
    }
}

fn peer(log: &PageLog) -> Option<&PeerLog> {
    log.peers.values().next()
}

fn pictures(log: &PageLog) -> &[Picture] {
    log.pictures.values().next().map(Vec::as_slice).unwrap_or_default()
}

/// By how much a counter grew over the last [`LOOK`], and over how many seconds.
fn growth(log: &PageLog, kind: (&str, &str), name: &str) -> (f64, f64) {
    let looks = peer(log).unwrap().counter(kind, name);
    let recent = &looks[looks.len().saturating_sub(LOOK.as_secs() as usize + 1)..];
    let ((begin, before), (end, after)) = (recent[0], recent[recent.len() - 1]);
    (after - before, end - begin)
}

fn total(log: &PageLog, kind: (&str, &str), name: &str) -> f64 {
    peer(log).unwrap().counter(kind, name).last().map_or(0.0, |(_, value)| *value)
}

#[test]
fn a_browser_decodes_every_picture_of_ours() {
    let call = Call::start(false);
    // It begins small, until the path is known.
    call.wait("the whole picture", |log| pictures(log).last().is_some_and(|it| it.height == 360));
    let log = call.look();

    let (decoded, seconds) = growth(&log, VIDEO_IN, "framesDecoded");
    assert!(decoded / seconds >= LEAST_FPS, "{decoded} in {seconds} s");
    let (key_frames, _) = growth(&log, VIDEO_IN, "keyFramesDecoded");
    assert_eq!(key_frames, 0.0, "no key frame without a reason");
    assert!(total(&log, VIDEO_IN, "pliCount") <= 2.0, "key frames were asked for");
    assert!(total(&log, VIDEO_IN, "keyFramesDecoded") <= 3.0);
    let (lost, _) = growth(&log, VIDEO_IN, "packetsLost");
    assert_eq!(lost, 0.0);

    // Both temporal layers: no number is left out but where the source was too slow.
    let numbers: Vec<u32> =
        pictures(&log).iter().rev().take(100).filter_map(|picture| picture.number).collect();
    assert_eq!(numbers.len(), 100, "a number could not be read");
    assert!(numbers.is_sorted_by(|later, earlier| later > earlier), "{numbers:?}");
    assert!(numbers[0] - numbers[99] <= 120, "{numbers:?}");

    let stats = call.ann.events_named("stats").pop().unwrap();
    let seen = &stats["peers"][0]["video_in"];
    assert!(seen["fps"].as_f64().unwrap() >= LEAST_FPS, "{seen}");
    let heard = &stats["peers"][0]["audio_in"];
    assert!(heard["concealed_ratio"].as_f64().unwrap() < 0.05, "{heard}");
}

#[test]
fn a_browser_is_given_the_size_that_it_shows() {
    let call = Call::start(false);
    let last_height = |log: &PageLog| pictures(log).last().map(|picture| picture.height);
    call.wait("the whole picture", |log| last_height(log) == Some(360));
    for height in [180, 360, 180, 360] {
        let before = call.guest.log();
        let asked = Instant::now();
        call.guest.view(height).unwrap();
        call.wait("another size", |log| last_height(log) == Some(height.into()));
        eprintln!("{height} px after {:?}, with the report's second", asked.elapsed());
        let log = call.look();
        let (decoded, seconds) = growth(&log, VIDEO_IN, "framesDecoded");
        assert!(decoded / seconds >= LEAST_FPS, "{decoded} in {seconds} s at {height}");
        let more = |name| total(&log, VIDEO_IN, name) - total(&before, VIDEO_IN, name);
        assert!(more("keyFramesDecoded") <= 2.0, "{} key frames", more("keyFramesDecoded"));
        assert!(more("pliCount") <= 1.0, "{} key frames were asked for", more("pliCount"));
    }
}

#[test]
fn voice_packets_of_a_browser_with_copies_are_understood() {
    // Its statistics name Opus either way: only the size tells that a copy goes with each packet.
    let [plain, with_copies] = [false, true].map(|red| {
        let call = Call::start(red);
        let log = call.look();
        let (bytes, _) = growth(&log, AUDIO_OUT, "bytesSent");
        let (packets, _) = growth(&log, AUDIO_OUT, "packetsSent");
        let (played, _) = growth(&log, AUDIO_IN, "totalSamplesReceived");
        let (concealed, _) = growth(&log, AUDIO_IN, "concealedSamples");
        assert!(concealed / played < 0.05, "{concealed} of {played} samples");
        let stats = call.ann.events_named("stats").pop().unwrap();
        let heard = &stats["peers"][0]["audio_in"];
        assert!(heard["packets"].as_u64().unwrap() > 200, "{heard}");
        assert!(heard["concealed_window"].as_f64().unwrap() < 0.05, "{heard}");
        bytes / packets
    });
    assert!(with_copies > 1.5 * plain, "{with_copies} bytes a packet, without copies {plain}");
}
