//! Puts VP8 pictures together from the RTP packets of one stream (RFC 7741 §4).
//!
//! Inputs: packets from the network, in any order, some twice, some never; time. Lost packets are
//! asked for below this machine (NACK); it waits a bounded time for them, then gives the stream up
//! to the next key frame and asks for one. Whatever comes in, the pictures that come out can all be
//! decoded one after another. It does not decode, and does not pace: a picture is out as soon as
//! it is whole.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use crate::{
    EncodedFrame, RtpPacket,
    vp8::{self, PayloadDescriptor, PictureId},
};

/// The first sequence number, extended to 64 bits: far enough from 0 for packets that come late.
const FIRST_SEQUENCE: u64 = 1 << 32;
/// A packet this far behind is no late one: the sender may have begun anew (`MAX_MISORDER` of
/// RFC 3550 A.1, larger because repairs come late too).
const MAX_MISORDER: u64 = 1000;

/// The limits of a [`FrameAssembler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssemblerConfig {
    /// How long a missing packet is waited for, from when a later one showed that it is missing.
    /// 150 ms holds two rounds of NACK on a 60 ms path; longer would be a freeze by itself
    /// (see [`FreezeMeter`](crate::FreezeMeter)).
    pub repair_wait: Duration,
    /// Between two requests for a key frame: longer than most round trips plus the encoder's
    /// time, so that the answer to one is not met by another.
    pub ask_interval: Duration,
    /// Packets held back. 1024 are 1.2 MB: four seconds of 2.4 Mbit/s.
    pub max_packets: usize,
    /// Payload bytes held back.
    pub max_bytes: usize,
}

impl Default for AssemblerConfig {
    fn default() -> Self {
        Self {
            repair_wait: Duration::from_millis(150),
            ask_interval: Duration::from_millis(500),
            max_packets: 1024,
            max_bytes: 2 << 20,
        }
    }
}

/// What a [`FrameAssembler`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assembled {
    /// The next picture to decode.
    Frame(EncodedFrame),
    /// Nothing can be decoded until the sender makes a key frame: ask for it.
    KeyFrameWanted,
}

/// Gives whole pictures in decoding order.
///
/// After each input, `poll` until it gives nothing, then wait until `poll_timeout`.
#[derive(Debug, Default)]
pub struct FrameAssembler {
    config: AssemblerConfig,
    packets: BTreeMap<u64, Held>,
    bytes: usize,
    /// Those held packets that were the newest when they came, and when that was. The first one
    /// beyond a gap tells since when the gap is known.
    newest: BTreeMap<u64, Instant>,
    /// The highest sequence number seen.
    highest: Option<u64>,
    /// Everything below has been used or given up.
    floor: u64,
    /// What would be the next packet, were the sender to have begun anew.
    restart: Option<u16>,
    progress: Progress,
    key_wanted: KeyWanted,
    wake_at: Option<Instant>,
    output: VecDeque<Assembled>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Progress {
    /// Only a key frame helps.
    #[default]
    AwaitKey,
    /// The next picture begins at `floor`.
    Decoding { width: u16, height: u16, picture_id: Option<PictureId> },
}

#[derive(Debug, Clone, Copy, Default)]
struct KeyWanted {
    asked_at: Option<Instant>,
    /// A packet has come since: the sender still sends, and still no key frame.
    heard: bool,
}

#[derive(Debug)]
struct Held {
    timestamp: u32,
    marker: bool,
    arrived: Instant,
    /// `None` for padding: a packet without payload, as congestion controllers send to probe.
    descriptor: Option<PayloadDescriptor>,
    /// Without the descriptor.
    data: Bytes,
}

impl Held {
    fn starts_frame(&self) -> bool {
        self.descriptor.is_some_and(|descriptor| descriptor.starts_frame())
    }

    fn starts_key_frame(&self) -> bool {
        self.starts_frame() && vp8::is_key_frame(&self.data)
    }
}

/// What is known of the picture that begins at some packet.
#[derive(Debug, Clone, Copy)]
enum Picture {
    /// Everything up to, without, this sequence number.
    Whole { end: u64 },
    /// It has not begun.
    Nothing,
    /// No packet is known to be missing; the last came then.
    Arriving { last: Instant },
    /// A packet is missing, which has been known since then.
    Gap { since: Instant },
    /// What is there is no picture.
    Broken,
}

impl FrameAssembler {
    /// An assembler for one stream, which has to begin with a key frame.
    #[must_use]
    pub fn new(config: AssemblerConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Takes a packet; one that came before, or too late, changes nothing.
    pub fn push(&mut self, now: Instant, packet: RtpPacket) {
        let held = match PayloadDescriptor::parse(&packet.payload) {
            Some((descriptor, len)) => Held {
                timestamp: packet.timestamp,
                marker: packet.marker,
                arrived: now,
                descriptor: Some(descriptor),
                data: packet.payload.slice(len..),
            },
            None if packet.payload.is_empty() => Held {
                timestamp: packet.timestamp,
                marker: false,
                arrived: now,
                descriptor: None,
                data: Bytes::new(),
            },
            // What cannot be read is as good as lost.
            None => return,
        };
        let highest = self.highest;
        let Some(sequence) = self.extend(packet.sequence) else {
            return;
        };
        if self.packets.contains_key(&sequence) {
            return;
        }
        if highest.is_none_or(|highest| sequence > highest) {
            self.newest.insert(sequence, now);
        }
        self.bytes += held.data.len();
        self.packets.insert(sequence, held);
        self.key_wanted.heard = true;
        self.keep_bounds();
        self.advance(now);
    }

    /// The next output, if there is one.
    pub fn poll(&mut self) -> Option<Assembled> {
        self.output.pop_front()
    }

    /// When [`Self::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wake_at
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// The 64-bit sequence number next to those seen; `None` for a packet that comes too late.
    fn extend(&mut self, sequence: u16) -> Option<u64> {
        let Some(highest) = self.highest else {
            let first = FIRST_SEQUENCE | u64::from(sequence);
            self.highest = Some(first);
            return Some(first);
        };
        let distance = sequence.wrapping_sub(highest as u16) as i16;
        let extended = highest.saturating_add_signed(i64::from(distance));
        if extended >= self.floor {
            self.restart = None;
            self.highest = Some(highest.max(extended));
            return Some(extended);
        }
        if self.floor - extended < MAX_MISORDER {
            return None;
        }
        // Two in a row make a sender that has begun anew (RFC 3550 A.1).
        let begun_anew = self.restart == Some(sequence);
        self.restart = Some(sequence.wrapping_add(1));
        begun_anew.then(|| {
            self.give_up();
            self.drop_below(u64::MAX);
            let first = (((highest >> 16) + 1) << 16) | u64::from(sequence);
            self.floor = first;
            self.highest = Some(first);
            first
        })
    }

    fn keep_bounds(&mut self) {
        while self.packets.len() > self.config.max_packets || self.bytes > self.config.max_bytes {
            self.give_up();
            let Some(&oldest) = self.packets.keys().next() else {
                return;
            };
            self.drop_below(oldest + 1);
        }
    }

    fn advance(&mut self, now: Instant) {
        loop {
            let moved = match self.progress {
                Progress::Decoding { .. } => self.decode_on(now),
                Progress::AwaitKey => self.find_key_frame(now),
            };
            if !moved {
                return;
            }
        }
    }

    /// Takes the picture at `floor`; false when that has to wait.
    fn decode_on(&mut self, now: Instant) -> bool {
        self.wake_at = None;
        while self.packets.get(&self.floor).is_some_and(|held| held.descriptor.is_none()) {
            self.drop_below(self.floor + 1);
        }
        match self.picture_at(self.floor) {
            Picture::Whole { end } => {
                if !self.emit(self.floor, end) {
                    self.give_up();
                }
                true
            }
            Picture::Nothing | Picture::Arriving { .. } => false,
            Picture::Gap { since } => {
                let until = since + self.config.repair_wait;
                if now < until {
                    self.wake_at = Some(until);
                    return false;
                }
                self.give_up();
                true
            }
            Picture::Broken => {
                self.give_up();
                true
            }
        }
    }

    /// Takes the first whole key frame, or asks for one unless one is on its way; false when that
    /// has to wait.
    fn find_key_frame(&mut self, now: Instant) -> bool {
        self.wake_at = None;
        // A key frame that is on its way until then; nothing is asked for before.
        let mut expected_until = None;
        let mut delta_started = false;
        let starts: Vec<u64> = self
            .packets
            .iter()
            .filter(|(_, held)| held.starts_frame())
            .map(|(&sequence, _)| sequence)
            .collect();
        for start in starts {
            if !self.packets[&start].starts_key_frame() {
                delta_started = true;
                continue;
            }
            match self.picture_at(start) {
                Picture::Whole { end } => {
                    if !self.emit(start, end) {
                        // No picture in it: looked at once, not with every packet.
                        self.drop_below(end);
                    }
                    return true;
                }
                Picture::Arriving { last: seen } | Picture::Gap { since: seen } => {
                    expected_until = expected_until.max(Some(seen + self.config.repair_wait));
                }
                Picture::Nothing | Picture::Broken => {}
            }
        }
        if !delta_started && expected_until.is_none() {
            // What has come may be the middle of a key frame that was overtaken by it.
            let first = self.packets.values().map(|held| held.arrived).min();
            expected_until = first.map(|first| first + self.config.repair_wait);
        }
        if !self.key_wanted.heard {
            return false;
        }
        let again_at = self.key_wanted.asked_at.map(|asked| asked + self.config.ask_interval);
        match expected_until.max(again_at) {
            Some(ask_at) if now < ask_at => self.wake_at = Some(ask_at),
            _ => {
                self.key_wanted = KeyWanted { asked_at: Some(now), heard: false };
                self.output.push_back(Assembled::KeyFrameWanted);
            }
        }
        false
    }

    fn picture_at(&self, start: u64) -> Picture {
        let mut expected = start;
        let mut first: Option<&Held> = None;
        let mut last_arrival = None;
        for (&sequence, held) in self.packets.range(start..) {
            if sequence != expected {
                break;
            }
            expected += 1;
            last_arrival = last_arrival.max(Some(held.arrived));
            if held.descriptor.is_none() {
                continue;
            }
            match first {
                None if held.starts_frame() => first = Some(held),
                None => return Picture::Broken,
                Some(first) if held.timestamp != first.timestamp => {
                    // No marker came, but all packets did: the next picture ends this one.
                    return if held.starts_frame() {
                        Picture::Whole { end: sequence }
                    } else {
                        Picture::Broken
                    };
                }
                Some(_) if held.starts_frame() => return Picture::Broken,
                Some(_) => {}
            }
            if held.marker {
                return Picture::Whole { end: expected };
            }
        }
        match (self.newest.range(expected..).next(), last_arrival) {
            (Some((_, &since)), _) => Picture::Gap { since },
            (None, Some(last)) => Picture::Arriving { last },
            (None, None) => Picture::Nothing,
        }
    }

    /// Gives out the picture in `start..end`; false when it does not follow the one before.
    fn emit(&mut self, start: u64, end: u64) -> bool {
        let mut parts = self.packets.range(start..end).map(|(_, held)| held);
        let Some(first) = parts.next() else {
            return false;
        };
        let picture_id = first.descriptor.and_then(|descriptor| descriptor.picture_id);
        let timestamp = first.timestamp;
        let mut data = BytesMut::from(&first.data[..]);
        parts.for_each(|part| data.extend_from_slice(&part.data));
        let data = data.freeze();
        let key = vp8::is_key_frame(&data);
        let size = match self.progress {
            _ if key => vp8::key_frame_size(&data),
            Progress::Decoding { width, height, picture_id: previous } => {
                let gapless = match (previous, picture_id) {
                    (Some(previous), Some(this)) => previous.next() == this,
                    _ => true,
                };
                gapless.then_some((width, height))
            }
            Progress::AwaitKey => None,
        };
        let Some((width, height)) = size else {
            return false;
        };
        self.drop_below(end);
        if key {
            self.key_wanted.asked_at = None;
        }
        self.progress = Progress::Decoding { width, height, picture_id };
        let frame = EncodedFrame { data, key, width, height, timestamp, temporal: 0 };
        self.output.push_back(Assembled::Frame(frame));
        true
    }

    fn give_up(&mut self) {
        if let Progress::Decoding { .. } = self.progress {
            self.progress = Progress::AwaitKey;
            self.key_wanted.heard = true;
        }
    }

    fn drop_below(&mut self, floor: u64) {
        let kept = self.packets.split_off(&floor);
        let dropped = std::mem::replace(&mut self.packets, kept);
        self.bytes -= dropped.values().map(|held| held.data.len()).sum::<usize>();
        self.newest = self.newest.split_off(&floor);
        self.floor = floor;
    }
}

#[cfg(test)]
mod tests;
