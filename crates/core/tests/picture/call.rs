//! One picture from one person to another over two paths.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    time::{Duration, Instant},
};

use bytes::Bytes;
use quartet_core::{
    Assembled, AssemblerConfig, EncodedFrame, FrameAssembler, FreezeMeter, PicturePlayout,
    RtpPacket, vp8::Packetizer,
};
use quartet_testkit::network::{Path, PathConfig};

const MS: Duration = Duration::from_millis(1);
/// IP, UDP, SRTP and RTP around a payload.
const OVERHEAD: usize = 28 + 22;
/// A packet is not sent again sooner than this after the last time.
const SUPPRESSION: Duration = Duration::from_millis(15);
/// The sender makes no key frames closer together.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);

/// From here on, in ms, what is seen is measured: by then it is known how long repairs take.
const BEGUN: u32 = 2_000;

/// How the pictures are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Two temporal layers.
    Layers,
    /// One, and its fields on the wire.
    OneLayer,
    /// Without the fields of temporal layers, as browsers send.
    Plain,
}

#[derive(Debug, Clone)]
enum Feedback {
    Resend(Vec<u16>),
    KeyFrame,
}

/// What became of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// When the first picture was shown.
    pub(crate) first: Duration,
    /// When the first one after the cut was.
    pub(crate) back_at: Duration,
    /// All below is of the time from [`BEGUN`] on.
    pub(crate) longest: Duration,
    pub(crate) fps: f64,
    pub(crate) freezes: u64,
    /// Frozen share of the time.
    pub(crate) frozen: f64,
    pub(crate) key_frames: u32,
    /// Packets asked for, for each that was sent.
    pub(crate) asked: f64,
    pub(crate) p95: Duration,
}

pub(crate) struct Call {
    pub(crate) coding: Coding,
    pub(crate) there: PathConfig,
    pub(crate) back: PathConfig,
    pub(crate) length: Duration,
    /// When nothing passes, either way.
    pub(crate) cut: Range<Duration>,
}

struct Sender {
    coding: Coding,
    packetizer: Packetizer,
    rng: fastrand::Rng,
    sequence: u16,
    pictures: u32,
    base: u32,
    key_wanted: bool,
    key_at: Option<Instant>,
    key_frames: u32,
    /// What each picture builds on.
    builds_on: HashMap<u32, u32>,
    sent: VecDeque<(RtpPacket, Option<Instant>)>,
    queue: VecDeque<RtpPacket>,
}

impl Sender {
    fn picture(&mut self, now: Instant, ticks: u32) {
        let number = self.pictures;
        self.pictures += 1;
        let may = self.key_at.is_none_or(|at| now >= at + KEY_FRAME_INTERVAL);
        let key = self.key_wanted && may;
        if key {
            self.key_wanted = false;
            self.key_at = Some(now);
            self.key_frames += 1;
        }
        let upper = self.coding == Coding::Layers && !key && (number - self.base) % 2 == 1;
        // 500 kbit/s at 30 a second.
        let usual = match (key, self.coding, upper) {
            (true, ..) => 9_000,
            (_, Coding::Layers, false) => 2_700,
            (_, Coding::Layers, true) => 1_450,
            _ => 2_080,
        };
        let len = usual * self.rng.usize(70..130) / 100;
        let mut data = vec![0; len];
        data[0] = if key { 0x10 } else { 0x11 };
        if key {
            data[3..10].copy_from_slice(&[0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01]);
        } else {
            self.builds_on.insert(number, self.base);
        }
        data[10..14].copy_from_slice(&number.to_be_bytes());
        if !upper {
            self.base = number;
        }
        let frame = EncodedFrame {
            data: data.into(),
            key,
            width: 640,
            height: 360,
            timestamp: ticks,
            temporal: u8::from(upper),
        };
        let payloads = self.packetizer.packetize(&frame);
        let last = payloads.len() - 1;
        for (index, payload) in payloads.into_iter().enumerate() {
            let payload = if self.coding == Coding::Plain { plain(&payload) } else { payload };
            let packet = RtpPacket {
                sequence: self.sequence,
                timestamp: ticks,
                marker: index == last,
                redundant: false,
                payload,
            };
            self.sequence = self.sequence.wrapping_add(1);
            self.sent.push_back((packet.clone(), None));
            self.queue.push_back(packet);
        }
        while self.sent.len() > 512 {
            self.sent.pop_front();
        }
    }

    fn hear(&mut self, now: Instant, feedback: Feedback) {
        let lost = match feedback {
            Feedback::KeyFrame => {
                self.key_wanted = true;
                return;
            }
            Feedback::Resend(lost) => lost,
        };
        for sequence in lost {
            let found = self.sent.iter_mut().find(|(packet, _)| packet.sequence == sequence);
            if let Some((packet, again)) = found
                && again.is_none_or(|last| now >= last + SUPPRESSION)
            {
                *again = Some(now);
                self.queue.push_back(packet.clone());
            }
        }
    }
}

/// The payload with nothing but the picture id in its descriptor.
fn plain(payload: &Bytes) -> Bytes {
    let mut plain = vec![payload[0] & 0xdf, 0x80];
    plain.extend_from_slice(&payload[2..4]);
    plain.extend_from_slice(&payload[6..]);
    plain.into()
}

fn number(frame: &EncodedFrame) -> u32 {
    frame.data[10..14].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

impl Call {
    /// Runs it; panics when a picture is given out whose reference was not.
    pub(crate) fn run(&self, seed: u64) -> Outcome {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let start = Instant::now();
        let mut there: Path<Option<RtpPacket>> = Path::new(self.there.clone(), seed * 2);
        let mut back: Path<Option<Feedback>> = Path::new(self.back.clone(), seed * 2 + 1);
        let mut sender = Sender {
            coding: self.coding,
            packetizer: Packetizer::new(rng.u16(..), 1_100),
            sequence: rng.u16(..),
            rng,
            pictures: 0,
            base: 0,
            key_wanted: true,
            key_at: None,
            key_frames: 0,
            builds_on: HashMap::new(),
            sent: VecDeque::new(),
            queue: VecDeque::new(),
        };
        let mut assembler = FrameAssembler::new(AssemblerConfig::default());
        let mut playout = PicturePlayout::default();
        let mut delays = Vec::new();
        let mut meter = FreezeMeter::default();
        let (mut first, mut back_at) = (None, None);
        let mut given_out = HashMap::new();
        let (mut asked, mut packets) = (0, 0);
        let mut now = start;
        for tick in 0..self.length.as_millis() as u32 {
            now = start + MS * tick;
            let cut = self.cut.contains(&(now - start));
            if there.config().cut != cut {
                there.set_config(now, PathConfig { cut, ..self.there.clone() });
                back.set_config(now, PathConfig { cut, ..self.back.clone() });
            }
            if tick * 30 / 1_000 != (tick + 1) * 30 / 1_000 || tick == 0 {
                sender.picture(now, tick * 90);
            }
            // A packet a millisecond.
            if let Some(packet) = sender.queue.pop_front() {
                packets += 1;
                there.push(now, packet.payload.len() + OVERHEAD, Some(packet));
            }
            // Both speak, and show a picture too.
            if tick % 20 == 0 {
                there.push(now, 80 + OVERHEAD, None);
                back.push(now, 80 + OVERHEAD, None);
            }
            if tick % 15 == 0 {
                back.push(now, 1_000 + OVERHEAD, None);
            }
            while let Some(feedback) = back.poll(now) {
                feedback.into_iter().for_each(|feedback| sender.hear(now, feedback));
            }
            while let Some(packet) = there.poll(now) {
                packet.into_iter().for_each(|packet| assembler.push(now, packet));
            }
            if assembler.poll_timeout().is_some_and(|at| at <= now) {
                assembler.handle_timeout(now);
            }
            while let Some(output) = assembler.poll() {
                match output {
                    Assembled::Frame(frame) => {
                        let number = number(&frame);
                        let known = sender.builds_on.get(&number);
                        assert_eq!(known.is_none(), frame.key);
                        assert!(
                            known.is_none_or(|base| given_out.contains_key(base)),
                            "{number} builds on {known:?}"
                        );
                        assert!(given_out.insert(number, ()).is_none());
                        playout.push(now, frame);
                    }
                    Assembled::KeyFrameWanted => back.push(now, 80, Some(Feedback::KeyFrame)),
                    Assembled::Resend(lost) => {
                        asked += lost.len();
                        back.push(now, 80, Some(Feedback::Resend(lost)));
                    }
                }
            }
            while let Some(frame) = playout.poll(now) {
                delays.push(
                    now - (start + Duration::from_micros(u64::from(frame.timestamp) * 100 / 9)),
                );
                first.get_or_insert(now - start);
                back_at = back_at.or((now >= start + self.cut.end).then(|| now - start));
                if tick >= BEGUN {
                    meter.shown(now);
                }
            }
        }
        delays.sort_unstable();
        let totals = meter.totals(now);
        let seconds = self.length.as_secs_f64() - f64::from(BEGUN) / 1e3;
        let outcome = Outcome {
            first: first.unwrap_or(self.length),
            back_at: back_at.unwrap_or(self.length),
            longest: totals.longest,
            fps: totals.frames as f64 / seconds,
            freezes: totals.freezes,
            frozen: totals.frozen.as_secs_f64() / seconds,
            key_frames: sender.key_frames,
            asked: f64::from(asked as u32) / f64::from(packets),
            p95: delays[delays.len() * 19 / 20],
        };
        println!("{outcome:?}");
        outcome
    }
}
