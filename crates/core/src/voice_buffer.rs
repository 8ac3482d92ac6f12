//! The adaptive jitter buffer of one voice.
//!
//! Packets come in as the network gives them ([`VoiceBuffer::push`]); sound goes out at the pace
//! of whoever plays it, 10 ms at a time ([`VoiceBuffer::pull`]). In between:
//!
//! - **When.** A packet's *transit* is its arrival time minus its sampling time, on clocks with an
//!   unknown offset. A sample is played `playout offset` after its sampling time: a high quantile
//!   of the recent transits plus a margin, so that only a small share comes too late. That is
//!   NetEq's idea (quantile of the relative arrival delay) with a sliding window for its forgetting
//!   histogram: both ends' clocks may drift, the window moves along.
//! - **Catching up.** When what is played lies too far from that offset, a pitch period is cut out
//!   or repeated; what is hopelessly old is skipped.
//! - **Holes.** The redundancy of the following packet (RFC 6716 §2.1.7) if it is there, else the
//!   decoder's concealment, faded out. Sequence numbers tell a hole from planned silence (mute,
//!   DTX: timestamps advance, sequence numbers do not), which is not concealment.
//! - **Restarts.** Timestamps that go backwards, or jump, begin a new stream.
//!
//! Inputs: from the network `push`; from the player `pull`. Bounded: [`VoiceTuning::capacity`]
//! packets, and never more than one packet's decoded sound.

mod arrivals;
mod received;
mod stretch;
mod tuning;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;

pub use self::tuning::VoiceTuning;
use self::{arrivals::Arrivals, received::Received};
use crate::{RtpPacket, SAMPLE_RATE, SAMPLES_PER_10_MS};

/// What a decoder sees in a packet without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoicePacketInfo {
    /// How much sound it holds, in samples at 48 kHz; at most [`MAX_PACKET_SAMPLES`].
    pub samples: usize,
    /// It also holds a coarse copy of the sound before it (in-band FEC).
    pub redundant: bool,
    /// It is the last one before planned silence (DTX).
    pub silence: bool,
}

/// The longest Opus packet, 120 ms (RFC 6716 §3.2).
pub const MAX_PACKET_SAMPLES: usize = SAMPLE_RATE as usize * 120 / 1000;

/// The packet is not what the codec's format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the voice packet cannot be decoded")]
pub struct UndecodableVoice;

/// A voice codec; mono, 48 kHz, samples in −1..=1.
pub trait VoiceDecoder {
    /// Looks at a packet; `None` when it is not one.
    fn inspect(&self, payload: &[u8]) -> Option<VoicePacketInfo>;

    /// Decodes the packet that follows what was given out last; `out` is as long as it says.
    fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice>;

    /// Rebuilds the sound just before `next`, as long as `next` is, from what `next` tells of it.
    fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice>;

    /// Invents a continuation of what was given out last; background noise after planned silence.
    fn conceal(&mut self, out: &mut [f32]);
}

/// What became of a voice so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VoiceStats {
    /// Packets that came, each counted once.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that did not come, or not yet.
    pub lost: u64,
    /// Packets that came and could not be played: damaged, too late, or skipped to catch up.
    pub discarded: u64,
    /// Sound rebuilt from the following packet.
    pub recovered: Duration,
    /// Sound invented because there was none to play.
    pub concealed: Duration,
    /// Sound given out in all, planned silence apart; includes the recovered and the concealed.
    pub played: Duration,
    /// How much later sound is played now than the fastest packets of the last seconds would allow.
    pub delay: Duration,
}

/// What is heard of a voice when: the other media of that person are shown in step with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoicePlayout {
    /// The RTP timestamp of a sample…
    pub timestamp: u32,
    /// …and when it is given to the speaker.
    pub at: Instant,
}

#[derive(Debug)]
struct Packet {
    timestamp: i64,
    info: VoicePacketInfo,
    payload: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is played until the first packet's time has come.
    Waiting(Pause),
    /// Sound is given out without a gap.
    Playing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// Nothing has been heard yet, or something quite new is.
    Fresh,
    /// The sender said so, or its timestamps show it: the decoder gives background noise.
    Planned,
    /// Nothing came for too long: silence, whose reason the next packet will tell.
    Stalled,
}

/// See the module's text.
#[derive(Debug)]
pub struct VoiceBuffer<D> {
    decoder: D,
    tuning: VoiceTuning,
    /// Times are counted from here, in samples.
    origin: Option<Instant>,
    /// By unwrapped sequence number.
    packets: BTreeMap<i64, Packet>,
    received: Received,
    arrivals: Arrivals,
    /// The newest timestamp, unwrapped.
    newest: i64,
    /// The sequence number that would follow a packet that fitted nowhere.
    stranger: Option<u16>,
    /// How far back the newest redundant packet reaches, in samples.
    redundancy: i64,
    state: State,
    /// Decoded and not yet given out.
    ready: Vec<f32>,
    /// Holds what is being decoded.
    scratch: Vec<f32>,
    /// The timestamp that follows what was decoded last.
    position: i64,
    /// The sequence number of what was decoded last.
    decoded: Option<i64>,
    /// Samples recovered or concealed since `position`.
    covered: i64,
    /// Concealed samples that may yet turn out to have been planned silence.
    doubtful: i64,
    /// The volume of the last sample: concealment fades out, and back in.
    gain: f32,
    /// How long after its sampling time the next sample was to be played, at the last few pulls.
    lags: [i64; RECENT_PULLS],
    pulls: usize,
    totals: Totals,
}

/// Players often take several frames at once: what counts is the earliest they want one.
const RECENT_PULLS: usize = 16;

#[derive(Debug, Default)]
struct Totals {
    packets: u64,
    bytes: u64,
    discarded: u64,
    recovered: i64,
    concealed: i64,
    /// Decoded or recovered, as long as it was after shortening and lengthening.
    sound: i64,
}

impl<D: VoiceDecoder> VoiceBuffer<D> {
    /// An empty buffer, which owns the decoder.
    pub fn new(decoder: D) -> Self {
        Self::with_tuning(decoder, VoiceTuning::default())
    }

    /// An empty buffer with other constants.
    pub fn with_tuning(decoder: D, tuning: VoiceTuning) -> Self {
        Self {
            decoder,
            origin: None,
            packets: BTreeMap::new(),
            received: Received::default(),
            arrivals: Arrivals::new(tuning.window),
            newest: 0,
            stranger: None,
            redundancy: 0,
            state: State::Waiting(Pause::Fresh),
            ready: Vec::with_capacity(2 * MAX_PACKET_SAMPLES),
            scratch: vec![0.0; MAX_PACKET_SAMPLES],
            position: 0,
            decoded: None,
            covered: 0,
            doubtful: 0,
            gain: 0.0,
            lags: [0; RECENT_PULLS],
            pulls: 0,
            totals: Totals::default(),
            tuning,
        }
    }

    /// Takes a packet that came at `now`.
    pub fn push(&mut self, now: Instant, packet: RtpPacket) {
        let usable = |info: &VoicePacketInfo| (1..=MAX_PACKET_SAMPLES).contains(&info.samples);
        let Some(info) = self.decoder.inspect(&packet.payload).filter(usable) else {
            self.totals.discarded += 1;
            return;
        };
        let now = self.clock(now);
        let mut timestamp = self.unwrap(packet.timestamp);
        if !self.fits(now, packet.sequence, timestamp) {
            if self.stranger.replace(packet.sequence.wrapping_add(1)) != Some(packet.sequence) {
                self.totals.discarded += 1;
                return;
            }
            self.restart();
            timestamp = self.unwrap(packet.timestamp);
        }
        self.stranger = None;
        let Some(sequence) = self.received.record(packet.sequence) else {
            return;
        };
        self.totals.packets += 1;
        self.totals.bytes += packet.payload.len() as u64;
        let first = self.arrivals.len() == 0;
        self.newest = if first { timestamp } else { self.newest.max(timestamp) };
        self.arrivals.record(now - timestamp);
        if info.redundant {
            self.redundancy = info.samples as i64;
        }
        if self.decoded.is_some_and(|decoded| sequence <= decoded) {
            self.totals.discarded += 1;
            return;
        }
        self.packets.insert(sequence, Packet { timestamp, info, payload: packet.payload });
        if self.packets.len() > self.tuning.capacity {
            self.packets.pop_first();
            self.totals.discarded += 1;
        }
    }

    /// Gives the next 10 ms of sound, to be played at `now`.
    pub fn pull(&mut self, now: Instant, out: &mut [f32; SAMPLES_PER_10_MS]) {
        let now = self.clock(now);
        self.note_lag(now);
        while self.ready.len() < out.len() {
            match self.state {
                State::Waiting(pause) => self.wait(now, pause, out.len()),
                State::Playing => self.play(),
            }
        }
        out.copy_from_slice(&self.ready[..SAMPLES_PER_10_MS]);
        self.ready.drain(..out.len());
    }

    /// What became of the voice so far.
    pub fn stats(&self) -> VoiceStats {
        // What happened to a sender that says nothing is known when it speaks again.
        let doubtful = self.doubtful.min(samples(self.tuning.max_conceal));
        let concealed = self.totals.concealed + doubtful;
        let delay = match (self.state, self.arrivals.fastest()) {
            (State::Playing, Some(fastest)) if self.pulls > 0 => self.last_lag() - fastest,
            (_, Some(fastest)) => self.playout_offset().unwrap_or(fastest) - fastest,
            _ => 0,
        };
        VoiceStats {
            packets: self.totals.packets,
            bytes: self.totals.bytes,
            lost: self.received.lost(),
            discarded: self.totals.discarded,
            recovered: duration(self.totals.recovered),
            concealed: duration(concealed),
            played: duration(self.totals.sound + concealed),
            delay: duration(delay),
        }
    }

    /// `now` in samples.
    fn clock(&mut self, now: Instant) -> i64 {
        let origin = *self.origin.get_or_insert(now);
        samples(now.saturating_duration_since(origin))
    }

    /// The unwrapped timestamp that is nearest to the newest one.
    fn unwrap(&self, timestamp: u32) -> i64 {
        self.newest + i64::from(timestamp.wrapping_sub(self.newest as u32).cast_signed())
    }

    /// The packet belongs to the stream that the others make up.
    fn fits(&self, now: i64, sequence: u16, timestamp: i64) -> bool {
        let Some(fastest) = self.arrivals.fastest() else {
            return true;
        };
        let transit = now - timestamp;
        (transit - fastest).abs() <= samples(self.tuning.jump)
            && self.received.is_near(sequence)
            // Whatever the network does, later sequence numbers have later timestamps.
            && (!self.received.is_newer(sequence) || timestamp > self.newest)
    }

    /// Forgets the stream so far; what was decoded of it is still played.
    fn restart(&mut self) {
        self.totals.discarded += self.packets.len() as u64;
        self.packets.clear();
        self.received.restart();
        self.arrivals = Arrivals::new(self.tuning.window);
        self.decoded = None;
        self.newest = 0;
        self.settle(0);
        self.pause(Pause::Fresh);
    }

    fn pause(&mut self, pause: Pause) {
        self.state = State::Waiting(pause);
        self.pulls = 0;
    }

    /// When, after its sampling time, a sample should be played.
    fn playout_offset(&self) -> Option<i64> {
        let VoiceTuning { late_share, margin, first_margin, settled, .. } = self.tuning;
        let mut offset = self.arrivals.quantile(1.0 - late_share)? + samples(margin);
        if self.arrivals.len() < settled {
            offset += samples(first_margin);
        }
        if self.received.loses() {
            // Redundancy helps only when the packet that carries it is there in time.
            offset += self.redundancy;
        }
        let latest = self.arrivals.fastest()? + samples(self.tuning.patience);
        Some(offset.min(latest))
    }

    /// Fills `ready` up to `wanted` samples, or until the first packet's time has come.
    fn wait(&mut self, now: i64, pause: Pause, wanted: usize) {
        let missing = wanted - self.ready.len();
        let at = now + self.ready.len() as i64;
        let due = self.first_due(at);
        if due.is_some_and(|due| due <= 0) {
            self.begin();
            return;
        }
        let length = due.map_or(missing, |due| missing.min(due as usize));
        if pause == Pause::Planned {
            self.decoder.conceal(&mut self.scratch[..length]);
            self.ready.extend_from_slice(&self.scratch[..length]);
        } else {
            self.ready.resize(self.ready.len() + length, 0.0);
            self.gain = 0.0;
        }
        if pause == Pause::Stalled {
            self.doubtful += length as i64;
        }
    }

    /// In how many samples the first packet is to be played; drops those that are far too old.
    fn first_due(&mut self, at: i64) -> Option<i64> {
        let offset = self.playout_offset()?;
        loop {
            let due = self.packets.first_key_value()?.1.timestamp + offset - at;
            if due >= -samples(self.tuning.skip) || self.packets.len() == 1 {
                return Some(due);
            }
            self.packets.pop_first();
            self.totals.discarded += 1;
        }
    }

    /// Plays from the first packet on.
    fn begin(&mut self) {
        let Some((&sequence, first)) = self.packets.first_key_value() else {
            return;
        };
        let (timestamp, length) = (first.timestamp, first.info.samples as i64);
        let lost = self.decoded.map_or(0, |decoded| sequence - decoded - 1);
        self.settle(timestamp - self.position - lost * length);
        self.decoded = Some(sequence - 1);
        self.position = timestamp;
        self.covered = 0;
        self.state = State::Playing;
    }

    /// It is known now how much of the silence was planned.
    fn settle(&mut self, planned: i64) {
        self.totals.concealed += (self.doubtful - planned.max(0)).max(0);
        self.doubtful = 0;
    }

    /// Appends sound to `ready`, or pauses.
    fn play(&mut self) {
        let Some((&sequence, head)) = self.packets.first_key_value() else {
            self.starve();
            return;
        };
        let info = head.info;
        let length = info.samples as i64;
        let gap = head.timestamp - self.position;
        let lost = self.decoded.map_or(0, |decoded| sequence - decoded - 1);
        let missing = gap.min(lost * length) - self.covered;
        self.settle(gap - lost * length);
        if gap <= self.covered {
            self.decode_first();
        } else if missing <= 0 {
            self.pause(Pause::Planned);
        } else if info.redundant && missing <= length {
            self.recover(missing);
        } else {
            let guessed = if info.redundant { missing - length } else { missing };
            self.conceal(guessed.min(SAMPLES_PER_10_MS as i64));
        }
    }

    /// There is nothing to play: lost, late or silence, nobody knows yet.
    fn starve(&mut self) {
        if self.covered >= samples(self.tuning.max_conceal) {
            self.pause(Pause::Stalled);
            return;
        }
        let length = SAMPLES_PER_10_MS as i64;
        self.conceal(length);
        self.totals.concealed -= length;
        self.doubtful += length;
    }

    fn conceal(&mut self, length: i64) {
        let out = &mut self.scratch[..length as usize];
        self.decoder.conceal(out);
        self.covered += length;
        self.totals.concealed += length;
        let VoiceTuning { fade_after, max_conceal, .. } = self.tuning;
        let faded = (self.covered - samples(fade_after)) as f32
            / samples(max_conceal.saturating_sub(fade_after)).max(1) as f32;
        let gain = self.gain.min(1.0 - faded.clamp(0.0, 1.0));
        ramp(out, self.gain, gain);
        self.gain = gain;
        self.ready.extend_from_slice(out);
    }

    /// The last `missing` samples before the first packet, from that packet.
    fn recover(&mut self, missing: i64) {
        let Some((_, head)) = self.packets.first_key_value() else {
            return;
        };
        let out = &mut self.scratch[..head.info.samples];
        if self.decoder.recover(&head.payload, out).is_err() {
            self.conceal(missing.min(SAMPLES_PER_10_MS as i64));
            return;
        }
        let skipped = out.len() - missing as usize;
        self.totals.recovered += missing;
        self.totals.sound += missing;
        self.covered += missing;
        self.append(skipped..skipped + missing as usize);
    }

    fn decode_first(&mut self) {
        let Some((sequence, packet)) = self.packets.pop_first() else {
            return;
        };
        let length = packet.info.samples;
        let decoded = self.decoder.decode(&packet.payload, &mut self.scratch[..length]);
        self.decoded = Some(sequence);
        self.position = packet.timestamp;
        self.covered = 0;
        if decoded.is_err() {
            self.totals.discarded += 1;
            self.conceal(length as i64);
            self.covered = 0;
        } else {
            self.totals.sound += length as i64;
            self.append(0..length);
        }
        self.position += length as i64;
        if packet.info.silence {
            self.pause(Pause::Planned);
        } else {
            self.adapt();
        }
    }

    /// Appends decoded sound, faded in after concealment.
    fn append(&mut self, range: std::ops::Range<usize>) {
        /// 5 ms: no click, and too short to be missed.
        const FADE_IN: usize = SAMPLE_RATE as usize / 200;
        let sound = &mut self.scratch[range];
        if self.gain < 1.0 {
            let fade = sound.len().min(FADE_IN);
            ramp(&mut sound[..fade], self.gain, 1.0);
            self.gain = 1.0;
        }
        self.ready.extend_from_slice(sound);
    }

    fn note_lag(&mut self, now: i64) {
        if self.state == State::Playing && self.covered == 0 {
            self.lags[self.pulls % RECENT_PULLS] = now - (self.position - self.ready.len() as i64);
            self.pulls += 1;
        }
    }

    fn last_lag(&self) -> i64 {
        self.lags[(self.pulls + RECENT_PULLS - 1) % RECENT_PULLS]
    }

    /// Shortens or lengthens what is ready when it is played too late or too early.
    fn adapt(&mut self) {
        let Some(offset) = self.playout_offset().filter(|_| self.pulls >= RECENT_PULLS) else {
            return;
        };
        let lag = self.lags.iter().copied().min().unwrap_or(offset);
        let late = lag - offset;
        let change = if late > samples(self.tuning.skip) {
            self.gain = 0.0;
            self.pause(Pause::Fresh);
            return;
        } else if late > samples(self.tuning.slack) {
            // A voice that is far behind is heard to hurry either way.
            let urgent = late > 4 * samples(self.tuning.slack);
            -(stretch::shorten(&mut self.ready, late as usize, urgent) as i64)
        } else if late < -samples(self.tuning.haste) {
            stretch::lengthen(&mut self.ready) as i64
        } else {
            0
        };
        self.totals.sound += change;
        for lag in &mut self.lags {
            *lag += change;
        }
    }
}

/// Linear change of volume.
fn ramp(sound: &mut [f32], from: f32, to: f32) {
    let step = (to - from) / sound.len().max(1) as f32;
    for (i, sample) in sound.iter_mut().enumerate() {
        *sample *= from + step * (i + 1) as f32;
    }
}

fn samples(time: Duration) -> i64 {
    (time.as_nanos() * u128::from(SAMPLE_RATE) / 1_000_000_000) as i64
}

fn duration(samples: i64) -> Duration {
    Duration::from_micros(samples.max(0).cast_unsigned() * 1_000_000 / u64::from(SAMPLE_RATE))
}
