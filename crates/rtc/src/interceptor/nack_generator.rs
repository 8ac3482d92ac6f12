//! Asks for lost pictures' packets again (generic NACK, RFC 4585 §6.2.1).

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use rtc::{
    interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::transport_feedbacks::transport_layer_nack::{
        TransportLayerNack, nack_pairs_from_sequence_numbers,
    },
    sansio::Protocol,
    shared::TransportContext,
};
use webrtc::error::Error;

use crate::arrivals::extend;

/// A packet that was only overtaken comes within this time on most networks.
const REORDERING: Duration = Duration::from_millis(10);
/// Between two requests for one packet, before any has been answered…
const FIRST_INTERVAL: Duration = Duration::from_millis(50);
/// …and its bounds, once the time that an answer takes is known.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(20);
const LONGEST_INTERVAL: Duration = Duration::from_millis(150);
/// After this long [`quartet_core::FrameAssembler`] has given the picture up (150 ms), and asked
/// for a key frame; a little longer, for the order in which the two notice.
const GIVE_UP: Duration = Duration::from_millis(200);
/// Requests for one packet.
const MAX_REQUESTS: u8 = 6;
/// Packets missed at a time; beyond that a key frame is cheaper.
const MAX_MISSING: usize = 256;
/// Streams that are looked after: a link has one picture.
const MAX_STREAMS: usize = 4;

/// The stock generator never learns what RTX (RFC 4588) brought, so it would ask on and on.
#[derive(Default)]
pub(super) struct NackGenerator {
    sender_ssrc: u32,
    streams: HashMap<u32, Stream>,
    /// From the SSRC of the retransmissions to that of what they repair.
    repaired_by: HashMap<u32, u32>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl NackGenerator {
    pub(super) fn new(sender_ssrc: u32) -> Self {
        Self { sender_ssrc, ..Self::default() }
    }

    fn note(&mut self, now: Instant, packet: &rtc::rtp::Packet) {
        let ssrc = packet.header.ssrc;
        if let Some(stream) = self.streams.get_mut(&ssrc) {
            stream.note(now, packet.header.sequence_number);
        } else if let Some(primary) = self.repaired_by.get(&ssrc)
            && let Some(stream) = self.streams.get_mut(primary)
            // The original sequence number stands first (RFC 4588 §4).
            && let Some(&[high, low]) = packet.payload.first_chunk()
        {
            stream.note(now, u16::from_be_bytes([high, low]));
        }
    }
}

/// What is missing of one stream.
#[derive(Debug, Default)]
struct Stream {
    highest: Option<u64>,
    missing: BTreeMap<u64, Missing>,
    /// How long an answer takes, smoothed.
    answer_time: Option<Duration>,
}

#[derive(Debug)]
struct Missing {
    since: Instant,
    next: Instant,
    requests: u8,
    last_request: Option<Instant>,
}

impl Stream {
    fn note(&mut self, now: Instant, sequence: u16) {
        let Some(highest) = self.highest else {
            self.highest = Some(u64::from(sequence) + (1 << 16));
            return;
        };
        let extended = extend(sequence, highest);
        if extended <= highest {
            if let Some(found) = self.missing.remove(&extended)
                // With several requests it is unknown which one was answered.
                && let (1, Some(asked)) = (found.requests, found.last_request)
            {
                let took = now.saturating_duration_since(asked);
                self.answer_time = Some(self.answer_time.map_or(took, |t| (t * 7 + took) / 8));
            }
            return;
        }
        self.highest = Some(extended);
        let gap = extended - highest - 1;
        if self.missing.len() as u64 + gap > MAX_MISSING as u64 {
            self.missing.clear();
            return;
        }
        for lost in highest + 1..extended {
            let next = now + REORDERING;
            let missing = Missing { since: now, next, requests: 0, last_request: None };
            self.missing.insert(lost, missing);
        }
    }

    fn due(&mut self, now: Instant) -> Vec<u16> {
        let interval = self.answer_time.map_or(FIRST_INTERVAL, |took| {
            // Half as much again: the answer time varies.
            (took * 3 / 2).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
        });
        self.missing.retain(|_, missing| missing.requests < MAX_REQUESTS || missing.next > now);
        self.missing.retain(|_, missing| now.saturating_duration_since(missing.since) < GIVE_UP);
        let mut due = Vec::new();
        for (sequence, missing) in &mut self.missing {
            if missing.next <= now {
                missing.requests += 1;
                missing.last_request = Some(now);
                missing.next = now + interval;
                due.push(*sequence as u16);
            }
        }
        due
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.next).min()
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for NackGenerator {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &packet.message.packet {
            self.note(packet.now, rtp);
        }
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        for (&media_ssrc, stream) in &mut self.streams {
            let due = stream.due(now);
            if due.is_empty() {
                continue;
            }
            let nack = TransportLayerNack {
                sender_ssrc: self.sender_ssrc,
                media_ssrc,
                nacks: nack_pairs_from_sequence_numbers(&due),
            };
            self.outbound.push_back(TaggedPacket {
                now,
                transport: TransportContext::default(),
                message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(nack)])),
            });
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.streams.values().filter_map(Stream::poll_timeout).min()
    }
}

impl Interceptor for NackGenerator {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        // The retransmissions are announced as a stream of their own too, with the same feedback;
        // theirs are not asked for again.
        let repairs = self.repaired_by.contains_key(&info.ssrc);
        if repairs || !supports_nack(info) || self.streams.len() >= MAX_STREAMS {
            return;
        }
        // A stream is announced again at every negotiation: what is known of it stays.
        self.streams.entry(info.ssrc).or_default();
        if let Some(rtx) = info.ssrc_rtx {
            self.repaired_by.insert(rtx, info.ssrc);
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
        self.repaired_by.retain(|_, primary| *primary != info.ssrc);
    }
}

/// Whether generic NACK was agreed on for a stream.
pub(super) fn supports_nack(info: &StreamInfo) -> bool {
    info.rtcp_feedback
        .iter()
        .any(|feedback| feedback.typ == "nack" && feedback.parameter.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn after_losing_two(start: Instant) -> Stream {
        let mut stream = Stream::default();
        stream.note(start, 65_534);
        stream.note(start, 1);
        stream
    }

    #[test]
    fn a_loss_is_asked_for_across_the_wrap_after_the_time_of_reordering() {
        let start = Instant::now();
        let mut stream = after_losing_two(start);
        assert!(stream.due(start).is_empty());
        assert_eq!(stream.poll_timeout(), Some(start + REORDERING));
        assert_eq!(stream.due(start + REORDERING), [65_535, 0]);
        assert!(stream.due(start + REORDERING + MS).is_empty());
    }

    #[test]
    fn what_came_is_not_asked_for_again_and_tells_the_interval() {
        let start = Instant::now();
        let mut stream = after_losing_two(start);
        stream.due(start + REORDERING);
        stream.note(start + REORDERING + 40 * MS, 65_535);
        assert_eq!(stream.answer_time, Some(40 * MS));
        let again = stream.poll_timeout().unwrap();
        assert_eq!(stream.due(again), [0]);
        assert_eq!(stream.poll_timeout(), Some(again + 60 * MS));
    }

    #[test]
    fn it_gives_up() {
        let start = Instant::now();
        let mut stream = after_losing_two(start);
        let mut requests = 0;
        while let Some(next) = stream.poll_timeout() {
            requests += stream.due(next).len();
            assert!(next <= start + GIVE_UP + LONGEST_INTERVAL);
        }
        assert!(requests <= 2 * usize::from(MAX_REQUESTS));
    }

    #[test]
    fn a_long_gap_is_left_to_a_key_frame() {
        let start = Instant::now();
        let mut stream = Stream::default();
        stream.note(start, 0);
        stream.note(start, 1_000);
        assert!(stream.missing.is_empty());
    }
}
