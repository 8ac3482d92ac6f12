//! Puts VP8 pictures together from the RTP packets of one stream (RFC 7741 §4).
//!
//! Inputs: packets from the network, in any order, some twice, some never; time. Lost packets are
//! asked for again and waited for as long as a [`RepairWindow`] says. What then is still missing of
//! a picture that no other builds on is passed over; anything else gives the stream up to the next
//! key frame, which is asked for. Whatever comes in, the pictures that come out can all be decoded
//! one after another. It does not decode, and does not pace: a picture is out as soon as it is
//! whole and those before it are settled.

mod reference;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use self::reference::{Follows, Reference};
use crate::{
    EncodedFrame, RtpPacket,
    repair::{RepairRequests, RepairWindow, Want},
    vp8::{self, PayloadDescriptor},
};

/// The first sequence number, extended to 64 bits: far enough from 0 for packets that come late.
const FIRST_SEQUENCE: u64 = 1 << 32;
/// A packet this far behind is no late one: the sender may have begun anew (`MAX_MISORDER` of
/// RFC 3550 A.1, larger because repairs come late too).
const MAX_MISORDER: u64 = 1000;

/// The limits of a [`FrameAssembler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssemblerConfig {
    /// Between two requests for a key frame: longer than most round trips plus the encoder's
    /// time, so that the answer to one is not met by another.
    pub ask_interval: Duration,
    /// Packets held back: two seconds of 2.4 Mbit/s, longer than anything is waited for.
    pub max_packets: usize,
    /// Payload bytes held back.
    pub max_bytes: usize,
}

impl Default for AssemblerConfig {
    fn default() -> Self {
        Self { ask_interval: Duration::from_millis(500), max_packets: 512, max_bytes: 1 << 20 }
    }
}

impl AssemblerConfig {
    /// For a shared screen: a key frame of one may be half a megabyte, and is worth waiting for.
    #[must_use]
    pub fn screen() -> Self {
        Self { ask_interval: Duration::from_secs(1), max_packets: 2_048, max_bytes: 4 << 20 }
    }
}

/// What a [`FrameAssembler`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assembled {
    /// The next picture to decode.
    Frame(EncodedFrame),
    /// Nothing can be decoded until the sender makes a key frame: ask for it.
    KeyFrameWanted,
    /// Ask for these packets again.
    Resend(Vec<u16>),
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
    repair: RepairRequests,
    progress: Progress,
    /// KEYIDX of the last picture given out.
    key_index: Option<u8>,
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
    Decoding { width: u16, height: u16, last: Reference },
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

/// What became of a whole picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Out,
    /// It builds on one that was passed over, and nothing builds on it.
    Skipped,
    /// It does not follow the one before.
    Refused,
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
        let Some(sequence) = self.extend(now, packet.sequence) else {
            return;
        };
        if self.packets.contains_key(&sequence) {
            self.repair.note(now, sequence);
            return;
        }
        if highest.is_none_or(|highest| sequence > highest) {
            self.newest.insert(sequence, now);
        }
        self.key_wanted.heard = true;
        if !self.repair.note(now, sequence) {
            // Too much is missing: nothing of it would come in time.
            self.give_up();
            self.drop_below(sequence);
        }
        self.bytes += held.data.len();
        self.packets.insert(sequence, held);
        self.keep_bounds();
        self.handle_timeout(now);
    }

    /// The next output, if there is one.
    pub fn poll(&mut self) -> Option<Assembled> {
        self.output.pop_front()
    }

    /// When [`Self::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.wake_at, self.repair.poll_timeout()].into_iter().flatten().min()
    }

    /// How lost packets are repaired on this path.
    #[must_use]
    pub fn repair_window(&self) -> RepairWindow {
        self.repair.window()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let mut repair = std::mem::take(&mut self.repair);
        let due = repair.due(now, |sequence| self.want(sequence));
        self.repair = repair;
        if !due.is_empty() {
            let due = due.into_iter().map(|sequence| sequence as u16).collect();
            self.output.push_back(Assembled::Resend(due));
        }
    }

    /// The 64-bit sequence number next to those seen; `None` for a packet that comes too late.
    fn extend(&mut self, now: Instant, sequence: u16) -> Option<u64> {
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
            self.repair.note(now, extended);
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
            self.repair.restart(first);
            self.key_index = None;
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
                if self.take(self.floor, end) == Taken::Refused {
                    self.give_up();
                }
                true
            }
            Picture::Nothing | Picture::Arriving { .. } => false,
            Picture::Gap { since } => self.wait_or_pass_over(now, since),
            Picture::Broken => {
                self.give_up();
                true
            }
        }
    }

    /// A packet is missing of the picture at `floor`, which has been known since then. False when
    /// it is still waited for.
    fn wait_or_pass_over(&mut self, now: Instant, since: Instant) -> bool {
        let window = self.repair.window();
        if let Some((start, last)) = self.next_decodable() {
            let until = since + window.droppable_wait();
            if now < until {
                self.wake_at = Some(until);
                return false;
            }
            if let Progress::Decoding { last: progress, .. } = &mut self.progress {
                *progress = last;
            }
            self.drop_below(start);
            return true;
        }
        match self.needed_since() {
            Some(since) if now < since + window.needed_wait() => {
                self.wake_at = Some(since + window.needed_wait());
                false
            }
            Some(_) => {
                self.give_up();
                true
            }
            // Only what can be done without: the next picture decides.
            None => false,
        }
    }

    /// The first whole picture that can be decoded without what is missing before it, and what
    /// later pictures then refer to.
    fn next_decodable(&self) -> Option<(u64, Reference)> {
        let Progress::Decoding { last, .. } = self.progress else { return None };
        // Of the picture that is given up, for streams that tell by N what can be.
        let mut skipped = None;
        for (&sequence, held) in &self.packets {
            let Some(descriptor) = &held.descriptor else { continue };
            if !held.starts_frame() || sequence == self.floor {
                skipped = skipped.or(Some(descriptor));
                continue;
            }
            if (held.starts_key_frame() || last.follows_gap(descriptor, skipped))
                && let Picture::Whole { .. } = self.picture_at(sequence)
            {
                return Some((sequence, last.after_gap(skipped)));
            }
        }
        None
    }

    /// Since when it is known that a packet is missing without which nothing goes on.
    fn needed_since(&self) -> Option<Instant> {
        let Progress::Decoding { last, .. } = self.progress else { return None };
        let (mut before, mut expected) = (None, self.floor);
        for (&sequence, held) in &self.packets {
            let gap = sequence != expected;
            expected = sequence + 1;
            let Some(descriptor) = &held.descriptor else { continue };
            if gap && !last.gap_is_droppable(before, descriptor) {
                return self.newest.range(sequence..).next().map(|(_, &since)| since);
            }
            before = Some((descriptor, held.marker));
        }
        None
    }

    /// What a missing packet is good for.
    fn want(&self, sequence: u64) -> Want {
        if sequence < self.floor {
            return Want::No;
        }
        let described =
            |(_, held): (&u64, &Held)| held.descriptor.map(|found| (found, held.marker));
        let Some((after, _)) = self.packets.range(sequence..).find_map(described) else {
            return Want::Needed;
        };
        match self.progress {
            Progress::Decoding { last, .. } => {
                let before = self.packets.range(..sequence).rev().find_map(described);
                let before = before.as_ref().map(|(before, ended)| (before, *ended));
                if last.gap_is_droppable(before, &after) { Want::Droppable } else { Want::Needed }
            }
            // What comes after it is no newer than the last key frame that was seen.
            Progress::AwaitKey
                if after.key_index.is_some() && after.key_index == self.key_index =>
            {
                Want::No
            }
            Progress::AwaitKey => Want::Needed,
        }
    }

    /// Takes the first whole key frame, or asks for one unless one is on its way; false when that
    /// has to wait.
    fn find_key_frame(&mut self, now: Instant) -> bool {
        self.wake_at = None;
        let wait = self.repair.window().needed_wait();
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
                    if self.take(start, end) != Taken::Out {
                        // No picture in it: looked at once, not with every packet.
                        self.drop_below(end);
                    }
                    return true;
                }
                Picture::Arriving { last: seen } | Picture::Gap { since: seen } => {
                    expected_until = expected_until.max(Some(seen + wait));
                }
                Picture::Nothing | Picture::Broken => {}
            }
        }
        if !delta_started && expected_until.is_none() {
            // What has come may be the middle of a key frame that was overtaken by it.
            let first = self.packets.values().map(|held| held.arrived).min();
            expected_until = first.map(|first| first + wait);
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

    /// Gives out the picture in `start..end` if it follows the one before.
    fn take(&mut self, start: u64, end: u64) -> Taken {
        let mut parts = self.packets.range(start..end).map(|(_, held)| held);
        let Some(first) = parts.next() else {
            return Taken::Refused;
        };
        let Some(descriptor) = first.descriptor else {
            return Taken::Refused;
        };
        let timestamp = first.timestamp;
        let key = first.starts_key_frame();
        let follows = match self.progress {
            _ if key => vp8::key_frame_size(&first.data)
                .map(|(width, height)| (width, height, Reference::to_key(&descriptor))),
            Progress::Decoding { width, height, last } => match last.follows(&descriptor) {
                Follows::Yes => Some((width, height, last.advance(&descriptor))),
                Follows::Skipped => {
                    self.progress =
                        Progress::Decoding { width, height, last: last.after_gap(None) };
                    self.drop_below(end);
                    return Taken::Skipped;
                }
                Follows::Not => None,
            },
            Progress::AwaitKey => None,
        };
        let Some((width, height, last)) = follows else {
            return Taken::Refused;
        };
        let mut data = BytesMut::from(&first.data[..]);
        parts.for_each(|part| data.extend_from_slice(&part.data));
        self.drop_below(end);
        if key {
            self.key_wanted.asked_at = None;
        }
        self.key_index = descriptor.key_index;
        self.progress = Progress::Decoding { width, height, last };
        let temporal = descriptor.temporal_layer.filter(|_| !key).map_or(0, |(id, _)| id);
        let data = data.freeze();
        let frame = EncodedFrame { data, key, width, height, timestamp, temporal };
        self.output.push_back(Assembled::Frame(frame));
        Taken::Out
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
        self.repair.settle(floor);
        self.floor = floor;
    }
}

#[cfg(test)]
mod tests;
