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
//!   or repeated; what is hopelessly old is skipped. A queue that is filling up just now is
//!   answered at once, before the quantile knows of it: what is there is drawn out.
//! - **Holes.** A copy that came with a later packet (RFC 2198), else the coarse copy inside the
//!   following packet (RFC 6716 §2.1.7), else the decoder's concealment, faded out. Where losses
//!   show that copies repair something, the playout waits for them, as far back as they reach.
//!   Sequence numbers tell a hole from planned silence (mute, DTX: timestamps advance, sequence
//!   numbers do not), which is not concealment.
//! - **Restarts.** Timestamps that go backwards, or jump, begin a new stream.
//!
//! Inputs: from the network `push`; from the player `pull`. Bounded: [`VoiceTuning::capacity`]
//! packets, and never more than one packet's decoded sound.

mod arrivals;
mod playing;
mod received;
mod repairs;
mod stretch;
mod tuning;
mod types;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;

use self::{arrivals::Arrivals, received::Received, repairs::Repairs, stretch::Stretch};
pub use self::{
    tuning::VoiceTuning,
    types::{
        MAX_PACKET_SAMPLES, UndecodableVoice, VoiceDecoder, VoicePacketInfo, VoicePlayout,
        VoiceStats,
    },
};
use crate::{RtpPacket, SAMPLE_RATE, SAMPLES_PER_10_MS};

#[derive(Debug)]
struct Packet {
    timestamp: i64,
    info: VoicePacketInfo,
    payload: Bytes,
    /// It came inside a later packet.
    copy: bool,
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
    repairs: Repairs,
    /// How long the playout waits for repairs, in samples.
    wait: i64,
    /// What [`Self::set_minimum_delay`] asks for, in samples.
    minimum_delay: i64,
    state: State,
    /// Decoded and not yet given out.
    ready: Vec<f32>,
    /// Holds what is being decoded.
    scratch: Vec<f32>,
    stretch: Stretch,
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
    playout: Option<VoicePlayout>,
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
            repairs: Repairs::new(),
            wait: 0,
            minimum_delay: 0,
            state: State::Waiting(Pause::Fresh),
            ready: Vec::with_capacity(2 * MAX_PACKET_SAMPLES),
            scratch: vec![0.0; MAX_PACKET_SAMPLES],
            stretch: Stretch::new(),
            position: 0,
            decoded: None,
            covered: 0,
            doubtful: 0,
            gain: 0.0,
            lags: [0; RECENT_PULLS],
            pulls: 0,
            playout: None,
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
        if packet.redundant {
            self.push_copy(packet, info);
            return;
        }
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
        self.repairs.arrived(sequence);
        self.note_coarse_copy(sequence, timestamp, info);
        let (known, missed) = (self.received.count(), self.tuning.missed_share);
        let newest = self.received.newest().unwrap_or(sequence);
        self.wait = self.repairs.wait(newest, known, missed);
        if self.decoded.is_some_and(|decoded| sequence <= decoded) {
            self.totals.discarded += u64::from(!self.received.was_copied(sequence));
            return;
        }
        let payload = packet.payload;
        self.insert(sequence, Packet { timestamp, info, payload, copy: false });
    }

    /// Takes a copy that came inside a later packet: it fills a hole, and says nothing of how long
    /// packets take.
    fn push_copy(&mut self, packet: RtpPacket, info: VoicePacketInfo) {
        let timestamp = self.unwrap(packet.timestamp);
        let Some(sequence) = self.received.record_copy(packet.sequence) else {
            return;
        };
        let before = self.packets.range(..sequence).next_back().map(|(_, p)| p.timestamp);
        let after = self.packets.range(sequence..).next().map(|(_, p)| p.timestamp);
        let ordered = before.is_none_or(|before| before < timestamp)
            && after.is_none_or(|after| timestamp < after)
            && timestamp < self.newest;
        if !ordered {
            return;
        }
        self.note_repair(sequence, timestamp);
        self.note_coarse_copy(sequence, timestamp, info);
        if self.decoded.is_none_or(|decoded| sequence > decoded) {
            let payload = packet.payload;
            self.insert(sequence, Packet { timestamp, info, payload, copy: true });
        }
    }

    fn insert(&mut self, sequence: i64, packet: Packet) {
        self.packets.insert(sequence, packet);
        if self.packets.len() > self.tuning.capacity {
            self.packets.pop_first();
            self.totals.discarded += 1;
        }
    }

    /// The packet also tells something of the one before it.
    fn note_coarse_copy(&mut self, sequence: i64, timestamp: i64, info: VoicePacketInfo) {
        if info.redundant && self.received.is_missing(sequence - 1) {
            self.note_repair(sequence - 1, timestamp - info.samples as i64);
        }
    }

    fn note_repair(&mut self, sequence: i64, timestamp: i64) {
        let reach = self.newest - timestamp;
        if reach <= samples(self.tuning.longest_wait) {
            self.repairs.note(sequence, reach);
        }
    }

    /// Gives the next 10 ms of sound, to be played at `now`.
    pub fn pull(&mut self, now: Instant, out: &mut [f32; SAMPLES_PER_10_MS]) {
        let at = now;
        let now = self.clock(now);
        self.note_lag(now);
        while self.ready.len() < out.len() {
            match self.state {
                State::Waiting(pause) => self.wait(now, pause, out.len()),
                State::Playing => self.play(),
            }
        }
        self.note_playout(now, at);
        out.copy_from_slice(&self.ready[..SAMPLES_PER_10_MS]);
        self.ready.drain(..out.len());
    }

    /// What is heard when, as of the last pull; in a pause, what would be. `None` before the first
    /// packet.
    pub fn playout(&self) -> Option<VoicePlayout> {
        self.playout
    }

    /// Plays sound at least so much later than the fastest packets of the last seconds would allow,
    /// for what is to be shown with it; at most [`VoiceTuning::patience`].
    pub fn set_minimum_delay(&mut self, delay: Duration) {
        self.minimum_delay = samples(delay.min(self.tuning.patience));
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
            // Whatever the network does, later sequence numbers have later timestamps, and what is
            // not later is not newer.
            && self.received.is_newer(sequence) == (timestamp > self.newest)
    }

    /// Forgets the stream so far; what was decoded of it is still played.
    fn restart(&mut self) {
        self.totals.discarded += self.packets.len() as u64;
        self.packets.clear();
        self.received.restart();
        self.arrivals = Arrivals::new(self.tuning.window);
        self.repairs = Repairs::new();
        self.wait = 0;
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
        // Two in a row that are later than that are no stragglers: a queue is filling up.
        let surge = self.arrivals.surge()?;
        let fastest = self.arrivals.fastest()?;
        let offset = (offset + self.wait).max(surge).max(fastest + self.minimum_delay);
        Some(offset.min(fastest + samples(self.tuning.patience)))
    }

    fn note_playout(&mut self, now: i64, at: Instant) {
        let timestamp = match self.state {
            State::Playing => Some(self.position + self.covered - self.ready.len() as i64),
            State::Waiting(_) => self.playout_offset().map(|offset| now - offset),
        };
        if let Some(timestamp) = timestamp {
            self.playout = Some(VoicePlayout { timestamp: timestamp as u32, at });
        }
    }
}

fn samples(time: Duration) -> i64 {
    (time.as_nanos() * u128::from(SAMPLE_RATE) / 1_000_000_000) as i64
}

fn duration(samples: i64) -> Duration {
    Duration::from_micros(samples.max(0).cast_unsigned() * 1_000_000 / u64::from(SAMPLE_RATE))
}
