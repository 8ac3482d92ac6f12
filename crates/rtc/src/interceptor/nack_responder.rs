//! Sends lost packets again, on a stream of their own (RTX, RFC 4588).

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::{BufMut, BytesMut};
use rtc::{
    interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack,
    rtp,
    sansio::Protocol,
    shared::TransportContext,
};
use webrtc::error::Error;

/// Packets kept: 2 s at 2.5 Mbit/s, longer than any receiver waits.
const KEPT: usize = 512;
/// A second request within this time was sent before the answer to the first could arrive.
const SUPPRESSION: Duration = Duration::from_millis(15);
/// How often one packet is sent again: whoever asks without end must not multiply what is sent.
const MAX_REPEATS: u8 = 8;

/// The stock responder answers every repetition of a request, and so amplifies a storm of them.
///
/// Without RTX nothing is sent again: the same sequence number with another header extension would
/// be encrypted twice under one nonce, which AES-GCM does not forgive (RFC 7714 §8.1).
#[derive(Default)]
pub(super) struct NackResponder {
    streams: HashMap<u32, Stream>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

/// What was sent of one stream.
struct Stream {
    rtx_ssrc: u32,
    rtx_payload_type: u8,
    rtx_sequence: u16,
    sent: VecDeque<Sent>,
}

struct Sent {
    packet: rtp::Packet,
    repeats: u8,
    last_repeat: Option<Instant>,
}

impl Stream {
    fn keep(&mut self, packet: &rtp::Packet) {
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { packet: packet.clone(), repeats: 0, last_repeat: None });
    }

    fn repeat(&mut self, now: Instant, sequence: u16) -> Option<rtp::Packet> {
        // Sequence numbers are consecutive, so the place follows from the first.
        let first = self.sent.front()?.packet.header.sequence_number;
        let place = usize::from(sequence.wrapping_sub(first));
        let sent = self.sent.get_mut(place)?;
        let fresh =
            sent.last_repeat.is_none_or(|last| now.saturating_duration_since(last) >= SUPPRESSION);
        if sent.packet.header.sequence_number != sequence || !fresh || sent.repeats == MAX_REPEATS {
            return None;
        }
        sent.repeats += 1;
        sent.last_repeat = Some(now);
        let original = &sent.packet;
        let mut payload = BytesMut::with_capacity(2 + original.payload.len());
        payload.put_u16(sequence);
        payload.put_slice(&original.payload);
        let header = rtp::Header {
            version: 2,
            marker: original.header.marker,
            payload_type: self.rtx_payload_type,
            sequence_number: self.rtx_sequence,
            timestamp: original.header.timestamp,
            ssrc: self.rtx_ssrc,
            ..rtp::Header::default()
        };
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        Some(rtp::Packet { header, payload: payload.freeze() })
    }
}

impl NackResponder {
    fn answer(&mut self, now: Instant, nack: &TransportLayerNack) {
        let Some(stream) = self.streams.get_mut(&nack.media_ssrc) else { return };
        for pair in &nack.nacks {
            let following = (0..16u16).filter(|bit| pair.lost_packets & (1 << bit) != 0);
            let lost = following.map(|bit| pair.packet_id.wrapping_add(bit + 1));
            for sequence in std::iter::once(pair.packet_id).chain(lost) {
                let Some(packet) = stream.repeat(now, sequence) else { continue };
                self.outbound.push_back(TaggedPacket {
                    now,
                    transport: TransportContext::default(),
                    message: AttributedPacket::new(Packet::Rtp(packet))
                        .with(Attribute::Retransmission),
                });
            }
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for NackResponder {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            for nack in packets.iter().filter_map(|packet| packet.as_any().downcast_ref()) {
                self.answer(packet.now, nack);
            }
        }
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &packet.message.packet
            && let Some(stream) = self.streams.get_mut(&rtp.header.ssrc)
        {
            stream.keep(rtp);
        }
        self.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for NackResponder {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        if let (Some(rtx_ssrc), Some(rtx_payload_type)) = (info.ssrc_rtx, info.payload_type_rtx)
            && supports_nack(info)
        {
            self.streams.entry(info.ssrc).or_insert_with(|| Stream {
                rtx_ssrc,
                rtx_payload_type,
                rtx_sequence: fastrand::u16(..1 << 15),
                sent: VecDeque::with_capacity(KEPT),
            });
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

/// Whether generic NACK was agreed on for a stream.
fn supports_nack(info: &StreamInfo) -> bool {
    info.rtcp_feedback
        .iter()
        .any(|feedback| feedback.typ == "nack" && feedback.parameter.is_empty())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn stream(sequences: impl Iterator<Item = u16>) -> Stream {
        let mut stream =
            Stream { rtx_ssrc: 2, rtx_payload_type: 97, rtx_sequence: 7, sent: VecDeque::new() };
        for sequence_number in sequences {
            stream.keep(&rtp::Packet {
                header: rtp::Header {
                    sequence_number,
                    timestamp: 9_000,
                    marker: true,
                    ..Default::default()
                },
                payload: Bytes::from_static(b"picture"),
            });
        }
        stream
    }

    #[test]
    fn a_packet_is_repeated_on_the_other_stream() {
        let mut stream = stream([65_534, 65_535, 0, 1].into_iter());
        let packet = stream.repeat(Instant::now(), 0).unwrap();
        assert_eq!(&packet.payload[..], b"\0\0picture");
        let header = &packet.header;
        assert_eq!((header.ssrc, header.payload_type, header.sequence_number), (2, 97, 7));
        assert_eq!((header.timestamp, header.marker, header.version), (9_000, true, 2));
    }

    #[test]
    fn what_is_unknown_or_forgotten_is_not_repeated() {
        let mut stream = stream(0..600);
        let now = Instant::now();
        assert!(stream.repeat(now, 600 - KEPT as u16 - 1).is_none());
        assert!(stream.repeat(now, 600).is_none());
        assert!(stream.repeat(now, 599).is_some());
    }

    #[test]
    fn a_storm_of_requests_is_bounded() {
        let mut stream = stream(0..10);
        let start = Instant::now();
        let answers = (0..1_000)
            .filter(|ms| stream.repeat(start + Duration::from_millis(*ms), 5).is_some())
            .count();
        assert_eq!(answers, usize::from(MAX_REPEATS));
        assert!(stream.repeat(start, 6).is_some());
        assert!(stream.repeat(start + Duration::from_millis(5), 6).is_none());
    }
}
