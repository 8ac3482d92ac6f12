//! Two links in one process, with the signalling between them.

// Each test program uses its own part.
#![allow(dead_code)]

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use quartet_core::{EncodedFrame, LinkAction, LinkEstimate, LinkEvent, LinkState, RtpPacket};
use quartet_proto::{Candidate, PeerMessage};
use quartet_rtc::{Certificate, IceConfig, Link, LinkConfig, LinkRole, MediaSink};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

/// For what takes some 50 ms on a free machine; the tests share theirs with builds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Changes a candidate on its way, or drops it.
pub(crate) type Rewrite = Box<dyn Fn(Candidate) -> Option<Candidate> + Send>;

/// Keeps what a link receives.
#[derive(Debug)]
pub(crate) struct Recorder {
    pictures: mpsc::UnboundedSender<EncodedFrame>,
    screens: mpsc::UnboundedSender<EncodedFrame>,
    voices: mpsc::UnboundedSender<RtpPacket>,
}

impl Recorder {
    /// Keeps nothing.
    pub(crate) fn deaf() -> Self {
        Self {
            pictures: mpsc::unbounded_channel().0,
            screens: mpsc::unbounded_channel().0,
            voices: mpsc::unbounded_channel().0,
        }
    }
}

impl MediaSink for Recorder {
    fn voice(&self, packet: RtpPacket) {
        let _ = self.voices.send(packet);
    }

    fn picture(&self, frame: EncodedFrame) {
        let _ = self.pictures.send(frame);
    }

    fn screen(&self, frame: EncodedFrame) {
        let _ = self.screens.send(frame);
    }
}

/// One end.
pub(crate) struct Side {
    pub(crate) link: Arc<Link>,
    pub(crate) pictures: mpsc::UnboundedReceiver<EncodedFrame>,
    pub(crate) screens: mpsc::UnboundedReceiver<EncodedFrame>,
    pub(crate) voices: mpsc::UnboundedReceiver<RtpPacket>,
    pub(crate) state: watch::Receiver<Option<LinkState>>,
    /// Counts `KeyFrameWanted`.
    pub(crate) key_frames_wanted: Arc<AtomicUsize>,
    pub(crate) key_frame_wanted: Arc<Notify>,
    /// The same of the screen.
    pub(crate) screen_key_frame_wanted: Arc<Notify>,
    pub(crate) broken: Arc<Mutex<Option<String>>>,
    /// The candidates that this side announced.
    pub(crate) candidates: Arc<Mutex<Vec<Candidate>>>,
    /// The descriptions that this side announced.
    pub(crate) descriptions: Arc<Mutex<Vec<String>>>,
    /// So many of the next ones never arrive.
    pub(crate) lost_descriptions: Arc<AtomicUsize>,
    /// What the other side has said.
    pub(crate) said: mpsc::UnboundedReceiver<PeerMessage>,
    /// What happens on the chat's channel.
    pub(crate) chat: mpsc::UnboundedReceiver<LinkEvent>,
    /// What happens on the channels of the files.
    pub(crate) files: mpsc::UnboundedReceiver<LinkEvent>,
    /// The latest estimate that this side announced.
    pub(crate) estimate: watch::Receiver<Option<LinkEstimate>>,
    events: Option<mpsc::Receiver<LinkEvent>>,
    pump: Option<JoinHandle<()>>,
}

impl Side {
    pub(crate) async fn open(role: LinkRole, ice: IceConfig) -> Self {
        let (pictures_in, pictures) = mpsc::unbounded_channel();
        let (voices_in, voices) = mpsc::unbounded_channel();
        let (screens_in, screens) = mpsc::unbounded_channel();
        let sink =
            Arc::new(Recorder { pictures: pictures_in, screens: screens_in, voices: voices_in });
        let mut side = Self::open_with(role, ice, sink).await;
        (side.pictures, side.screens, side.voices) = (pictures, screens, voices);
        side
    }

    /// With a sink of one's own; this side then keeps nothing.
    pub(crate) async fn open_with(
        role: LinkRole,
        ice: IceConfig,
        sink: Arc<dyn MediaSink>,
    ) -> Self {
        let (events_in, events) = mpsc::channel(64);
        let certificate = Certificate::generate().unwrap();
        let config = LinkConfig { role, ice, certificate };
        let link = Link::open(config, sink, events_in).await.unwrap();
        Self {
            link: Arc::new(link),
            pictures: mpsc::unbounded_channel().1,
            screens: mpsc::unbounded_channel().1,
            voices: mpsc::unbounded_channel().1,
            state: watch::channel(None).1,
            key_frames_wanted: Arc::default(),
            key_frame_wanted: Arc::default(),
            screen_key_frame_wanted: Arc::default(),
            broken: Arc::default(),
            candidates: Arc::default(),
            descriptions: Arc::default(),
            lost_descriptions: Arc::default(),
            said: mpsc::unbounded_channel().1,
            chat: mpsc::unbounded_channel().1,
            files: mpsc::unbounded_channel().1,
            estimate: watch::channel(None).1,
            events: Some(events),
            pump: None,
        }
    }

    /// Begins to carry this side's events to the other.
    pub(crate) fn connect_to(&mut self, other: &Arc<Link>, rewrite: Option<Rewrite>) {
        let mut events = self.events.take().unwrap();
        let (state_in, state) = watch::channel(None);
        self.state = state;
        let (said_in, said) = mpsc::unbounded_channel();
        self.said = said;
        let (chat_in, chat) = mpsc::unbounded_channel();
        self.chat = chat;
        let (files_in, files) = mpsc::unbounded_channel();
        self.files = files;
        let (estimate_in, estimate) = watch::channel(None);
        self.estimate = estimate;
        let other = Arc::clone(other);
        let count = Arc::clone(&self.key_frames_wanted);
        let wanted = Arc::clone(&self.key_frame_wanted);
        let screen_wanted = Arc::clone(&self.screen_key_frame_wanted);
        let broken = Arc::clone(&self.broken);
        let candidates = Arc::clone(&self.candidates);
        let descriptions = Arc::clone(&self.descriptions);
        let lost = Arc::clone(&self.lost_descriptions);
        self.pump = Some(tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    LinkEvent::Description { kind, sdp } => {
                        descriptions.lock().push(sdp.clone());
                        let left = |left: usize| left.checked_sub(1);
                        if lost.fetch_update(Relaxed, Relaxed, left).is_err() {
                            other.act(LinkAction::Description { kind, sdp });
                        }
                    }
                    LinkEvent::Candidate(candidate) => {
                        assert!(!descriptions.lock().is_empty(), "a candidate before all else");
                        candidates.lock().push(candidate.clone());
                        let candidate = match &rewrite {
                            Some(rewrite) => rewrite(candidate),
                            None => Some(candidate),
                        };
                        if let Some(candidate) = candidate {
                            other.act(LinkAction::Candidate(candidate));
                        }
                    }
                    LinkEvent::State(state) => {
                        state_in.send_replace(Some(state));
                    }
                    LinkEvent::Said(message) => {
                        let _ = said_in.send(message);
                    }
                    LinkEvent::ChatOpened | LinkEvent::ChatSent | LinkEvent::ChatHeard(_) => {
                        let _ = chat_in.send(event);
                    }
                    LinkEvent::FilesOpened
                    | LinkEvent::FilesHeard(_)
                    | LinkEvent::FilesPiece { .. }
                    | LinkEvent::FilesSent => {
                        let _ = files_in.send(event);
                    }
                    LinkEvent::Estimate(estimate) => {
                        estimate_in.send_replace(Some(estimate));
                    }
                    LinkEvent::ScreenKeyFrameWanted => screen_wanted.notify_one(),
                    LinkEvent::KeyFrameWanted => {
                        count.fetch_add(1, Relaxed);
                        wanted.notify_one();
                    }
                    LinkEvent::Broken(reason) => *broken.lock() = Some(reason),
                }
            }
        }));
    }

    pub(crate) async fn reaches(&mut self, wanted: LinkState) {
        let reached = self.state.wait_for(|state| *state == Some(wanted));
        if timeout(PATIENCE, reached).await.is_err() {
            panic!("never {wanted:?}; broken: {:?}", self.broken.lock());
        }
    }

    pub(crate) async fn next_picture(&mut self) -> EncodedFrame {
        timeout(PATIENCE, self.pictures.recv()).await.expect("no picture").unwrap()
    }

    pub(crate) async fn next_screen(&mut self) -> EncodedFrame {
        timeout(PATIENCE, self.screens.recv()).await.expect("no picture of a screen").unwrap()
    }

    pub(crate) async fn next_voice(&mut self) -> RtpPacket {
        timeout(PATIENCE, self.voices.recv()).await.expect("no voice").unwrap()
    }

    pub(crate) async fn next_said(&mut self) -> PeerMessage {
        timeout(PATIENCE, self.said.recv()).await.expect("nothing was said").unwrap()
    }

    pub(crate) async fn next_of_chat(&mut self) -> LinkEvent {
        timeout(PATIENCE, self.chat.recv()).await.expect("the chat is silent").unwrap()
    }

    pub(crate) async fn next_of_files(&mut self) -> LinkEvent {
        timeout(PATIENCE, self.files.recv()).await.expect("nothing about files").unwrap()
    }

    pub(crate) fn candidate_types(&self) -> Vec<String> {
        let candidates = self.candidates.lock();
        let lines = candidates.iter().filter(|candidate| !candidate.candidate.is_empty());
        lines
            .map(|candidate| {
                let mut fields = candidate.candidate.split(' ').skip_while(|field| *field != "typ");
                fields.nth(1).unwrap().to_owned()
            })
            .collect()
    }

    pub(crate) async fn close(mut self) {
        self.link.close().await;
        if let Some(pump) = self.pump.take() {
            timeout(PATIENCE, pump).await.unwrap().unwrap();
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(pump) = &self.pump {
            // It holds the other side's link.
            pump.abort();
        }
    }
}

/// Two ends that are connected, or about to be.
pub(crate) struct Pair {
    pub(crate) offerer: Side,
    pub(crate) answerer: Side,
}

impl Pair {
    /// Opens both ends and lets the first one offer.
    pub(crate) async fn start(offerer: IceConfig, answerer: IceConfig) -> Self {
        Self::start_through(offerer, answerer, None, None).await
    }

    /// The same, with the candidates of each side changed on their way.
    pub(crate) async fn start_through(
        offerer: IceConfig,
        answerer: IceConfig,
        of_offerer: Option<Rewrite>,
        of_answerer: Option<Rewrite>,
    ) -> Self {
        let mut offerer = Side::open(LinkRole::Offerer, offerer).await;
        let mut answerer = Side::open(LinkRole::Answerer, answerer).await;
        offerer.connect_to(&answerer.link, of_offerer);
        answerer.connect_to(&offerer.link, of_answerer);
        offerer.link.act(LinkAction::Offer { ice_restart: false });
        Self { offerer, answerer }
    }

    /// Two ends connected over 127.0.0.1.
    pub(crate) async fn connected() -> Self {
        let mut pair = Self::start(loopback(), loopback()).await;
        pair.reaches(LinkState::Connected).await;
        pair
    }

    pub(crate) async fn reaches(&mut self, state: LinkState) {
        self.offerer.reaches(state).await;
        self.answerer.reaches(state).await;
    }

    /// Sends a picture and a voice packet each way until they arrive.
    pub(crate) async fn exchange(&mut self) {
        one_way(&self.offerer.link, &mut self.answerer).await;
        one_way(&self.answerer.link, &mut self.offerer).await;
    }

    pub(crate) async fn close(self) {
        self.offerer.close().await;
        self.answerer.close().await;
    }
}

/// Sends numbered key frames and voice packets to `to` until new ones of both arrive.
async fn one_way(from: &Link, to: &mut Side) {
    while to.pictures.try_recv().is_ok() {}
    while to.voices.try_recv().is_ok() {}
    let (mut picture, mut voice) = (false, false);
    let started = tokio::time::Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut number = 0;
    while !(picture && voice) {
        assert!(started.elapsed() < PATIENCE, "picture: {picture}, voice: {voice}");
        tokio::select! {
            _ = ticks.tick() => {
                from.send_video(&key_frame(number, 3_000));
                from.send_voice(number * 960, voice_payload(number));
                number += 1;
            }
            Some(frame) = to.pictures.recv() => {
                assert!(frame.key);
                assert_eq!((frame.width, frame.height), (640, 360));
                assert_eq!(frame.data, key_frame(frame.timestamp / 3_000, 3_000).data);
                picture = true;
            }
            Some(packet) = to.voices.recv() => {
                assert_eq!(packet.payload, voice_payload(packet.timestamp / 960));
                voice = true;
            }
        }
    }
}

/// A VP8 key frame's header (RFC 6386 §9.1) with `len` bytes of anything behind it.
pub(crate) fn key_frame(number: u32, len: usize) -> EncodedFrame {
    let mut data = vec![0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
    data.extend(number.to_be_bytes());
    data.resize(len.max(data.len()), number as u8);
    frame(number, true, data)
}

/// A VP8 frame that needs the one before it.
pub(crate) fn delta_frame(number: u32, len: usize) -> EncodedFrame {
    let mut data = vec![0x11, 0, 0];
    data.extend(number.to_be_bytes());
    data.resize(len.max(data.len()), number as u8);
    frame(number, false, data)
}

fn frame(number: u32, key: bool, data: Vec<u8>) -> EncodedFrame {
    EncodedFrame {
        data: data.into(),
        key,
        width: 640,
        height: 360,
        timestamp: number * 3_000,
        temporal: 0,
    }
}

/// As long as an Opus packet of 20 ms at 32 kbit/s.
pub(crate) fn voice_payload(number: u32) -> Bytes {
    let mut payload = vec![number as u8; 80];
    payload[..4].copy_from_slice(&number.to_be_bytes());
    payload.into()
}

/// Nothing but 127.0.0.1.
pub(crate) fn loopback() -> IceConfig {
    bound_to(Ipv4Addr::LOCALHOST.into())
}

/// Nothing but this address.
pub(crate) fn bound_to(ip: IpAddr) -> IceConfig {
    IceConfig { bind: vec![ip], ..IceConfig::default() }
}
