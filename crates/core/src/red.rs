//! Redundant voice: each packet carries copies of the ones before it (RFC 2198).
//!
//! [`RedWriter`] packs them, one for each link, since each path loses differently; [`unpack`] takes
//! them apart again into packets as if each had come by itself; [`Redundancy`] says how many copies
//! a path's losses call for. Nothing that comes from outside is trusted: sizes, offsets and the
//! number of blocks are bounded, and what does not fit is no packet.

mod redundancy;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

pub use self::redundancy::Redundancy;
use crate::RtpPacket;

/// The most copies that are written. Three lost in a row are concealed: more would cost more than
/// they repair.
pub const MAX_COPIES: usize = 2;
/// The most blocks that are read; Chromium can be told to send nine copies.
const MAX_BLOCKS: usize = 10;
/// A block's timestamp offset has 14 bits (§3): 341 ms of Opus.
const MAX_OFFSET: u32 = (1 << 14) - 1;
/// A block's length has 10 bits (§3).
const MAX_LENGTH: usize = (1 << 10) - 1;
/// A copy's header, and the last one's (§3).
const HEADER: usize = 4;
/// Bytes of a whole payload: copies that would make it longer are left out, so that it fits into
/// one datagram on any path (1,200 less the RTP header and its extensions).
const MAX_PAYLOAD: usize = 1_150;

/// One part of a redundant payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What the session's description calls the part's format.
    pub payload_type: u8,
    /// How much older it is than the packet that carries it, in ticks of its clock; 0 for the
    /// packet's own content, at most 16,383 for a copy.
    pub offset: u32,
    /// The codec's packet; at most 1,023 bytes for a copy.
    pub payload: Bytes,
}

/// Packs `primary` with copies of what was sent before it, each with its age in ticks, oldest
/// first. From the first one on that has no place, going back in time, copies are left out: a
/// receiver tells their sequence numbers by counting back.
#[must_use]
pub fn write(payload_type: u8, copies: &[(Bytes, u32)], primary: &[u8]) -> Bytes {
    let payload_type = payload_type & 0x7f;
    let mut length = 1 + primary.len();
    let mut newer = 0;
    let fits = |(payload, offset): &&(Bytes, u32)| {
        length += HEADER + payload.len();
        let older = *offset > std::mem::replace(&mut newer, *offset);
        let sized = (1..=MAX_LENGTH).contains(&payload.len()) && length <= MAX_PAYLOAD;
        older && *offset <= MAX_OFFSET && sized
    };
    let kept = copies.iter().rev().take(MAX_COPIES).take_while(fits).count();
    let copies = &copies[copies.len() - kept..];
    let mut out = BytesMut::with_capacity(length + HEADER);
    for (payload, offset) in copies {
        out.put_u8(0x80 | payload_type);
        out.put_uint(u64::from(offset << 10) | payload.len() as u64, 3);
    }
    out.put_u8(payload_type);
    copies.iter().for_each(|(payload, _)| out.put_slice(payload));
    out.put_slice(primary);
    out.freeze()
}

/// The parts of a redundant payload, oldest first, the packet's own content last; `None` when the
/// headers or the lengths do not fit together.
#[must_use]
pub fn parse(payload: &Bytes) -> Option<Vec<Block>> {
    let mut blocks: Vec<(u8, u32, usize)> = vec![];
    let mut rest = payload.clone();
    let last = loop {
        let first = *rest.first()?;
        if first & 0x80 == 0 {
            break first;
        }
        let &[_, high, middle, low] = rest.first_chunk::<HEADER>()?;
        let word = u32::from_be_bytes([0, high, middle, low]);
        blocks.push((first & 0x7f, word >> 10, word as usize & MAX_LENGTH));
        if blocks.len() == MAX_BLOCKS {
            return None;
        }
        rest = rest.slice(HEADER..);
    };
    rest = rest.slice(1..);
    let mut parsed = Vec::with_capacity(blocks.len() + 1);
    for (payload_type, offset, length) in blocks {
        if length > rest.len() {
            return None;
        }
        parsed.push(Block { payload_type, offset, payload: rest.split_to(length) });
    }
    parsed.push(Block { payload_type: last, offset: 0, payload: rest });
    Some(parsed)
}

/// Takes a packet apart: first its own content, then the copies in it, newest first, each with the
/// sequence number and the timestamp that it had when it was sent by itself. Only content of
/// `payload_type` counts. `None` when the packet is malformed or holds something else.
#[must_use]
pub fn unpack(packet: &RtpPacket, payload_type: u8) -> Option<Vec<RtpPacket>> {
    let mut blocks = parse(&packet.payload)?;
    let own = blocks.pop().filter(|block| block.payload_type == payload_type)?;
    if own.payload.is_empty() {
        return None;
    }
    let mut packets = Vec::with_capacity(1 + blocks.len());
    packets.push(RtpPacket { payload: own.payload, redundant: false, ..packet.clone() });
    let mut newer = 0;
    for (back, block) in (1..).zip(blocks.into_iter().rev()) {
        // Copies are in the order of time, or nobody knows what they are copies of.
        if block.offset <= newer {
            break;
        }
        newer = block.offset;
        if block.payload_type == payload_type && !block.payload.is_empty() {
            packets.push(RtpPacket {
                sequence: packet.sequence.wrapping_sub(back),
                timestamp: packet.timestamp.wrapping_sub(block.offset),
                marker: false,
                redundant: true,
                payload: block.payload,
            });
        }
    }
    Some(packets)
}

/// Packs one voice for one link; it must see every packet that is sent there.
#[derive(Debug)]
pub struct RedWriter {
    payload_type: u8,
    /// The last ones sent, oldest first, with their timestamps.
    sent: VecDeque<(Bytes, u32)>,
    copies: Vec<(Bytes, u32)>,
}

impl RedWriter {
    /// Writes content of this payload type.
    #[must_use]
    pub fn new(payload_type: u8) -> Self {
        let (sent, copies) =
            (VecDeque::with_capacity(MAX_COPIES + 1), Vec::with_capacity(MAX_COPIES));
        Self { payload_type, sent, copies }
    }

    /// The payload to send for this packet of the encoder, with up to `copies` of those before it.
    pub fn write(&mut self, timestamp: u32, payload: &Bytes, copies: usize) -> Bytes {
        let before = self.sent.iter().skip(self.sent.len().saturating_sub(copies));
        let aged = before.map(|(copy, sent)| (copy.clone(), timestamp.wrapping_sub(*sent)));
        self.copies.clear();
        self.copies.extend(aged);
        let packed = write(self.payload_type, &self.copies, payload);
        self.sent.push_back((payload.clone(), timestamp));
        if self.sent.len() > MAX_COPIES {
            self.sent.pop_front();
        }
        packed
    }
}
