//! Repairs what is lost of the picture, by sending it again (RTX, RFC 4588): when the peer asks for
//! it, and beforehand on a path that loses much.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rtc::{
    interceptor::{Attribute, AttributedPacket, Packet, StreamInfo, TaggedPacket},
    rtcp::{self, transport_feedbacks::transport_layer_nack::TransportLayerNack},
    rtp,
    shared::{TransportContext, marshal::MarshalSize},
};

use super::{
    congestion::WRAPPING,
    pacer::Unrequested,
    repair_budget::RepairBudget,
    repeats::{MAX_AGE, MAX_SCREEN_AGE, Repeats},
    stage::{Machine, Outbound},
};
use crate::steering::Steering;

/// From this loss on pictures that others refer to are repeated beforehand, and until it is below
/// the other: requests alone then fail too often to come in time.
const BEFOREHAND_FROM: f32 = 0.08;
const BEFOREHAND_UNTIL: f32 = 0.05;
/// Packets that one probe may lack at a time.
const MOST_FILLING: usize = 16;
/// Streams that are looked after: a link has two pictures.
const MAX_STREAMS: usize = 4;

/// The stock responder answers every repetition of a request, and so amplifies a storm of them.
///
/// Without RTX nothing is sent again: the same sequence number with another header extension would
/// be encrypted twice under one nonce, which AES-GCM does not forgive (RFC 7714 §8.1).
pub(super) struct NackResponder {
    steering: Arc<Steering>,
    budget: RepairBudget,
    beforehand: bool,
    screen_ssrc: u32,
    streams: HashMap<u32, Repeats>,
}

impl NackResponder {
    pub(super) fn new(steering: Arc<Steering>, screen_ssrc: u32) -> Self {
        Self {
            steering,
            budget: RepairBudget::new(),
            beforehand: false,
            screen_ssrc,
            streams: HashMap::new(),
        }
    }

    fn answer(&mut self, now: Instant, nack: &TransportLayerNack, out: &mut Outbound) {
        let rtt = self.steering.estimate().rtt.unwrap_or_default();
        self.advance(now);
        let Some(stream) = self.streams.get_mut(&nack.media_ssrc) else { return };
        for pair in &nack.nacks {
            let following = (0..16u16).filter(|bit| pair.lost_packets & (1 << bit) != 0);
            let lost = following.map(|bit| pair.packet_id.wrapping_add(bit + 1));
            for sequence in std::iter::once(pair.packet_id).chain(lost) {
                // While there is little room a repetition waits until the answer before it is known
                // to have failed.
                let distance = if self.budget.is_ample() { Duration::ZERO } else { rtt };
                let budget = &mut self.budget;
                let allowed = |payload: usize| budget.take(payload + WRAPPING);
                if let Some(packet) = stream.answer(now, sequence, distance, allowed) {
                    out.push_back(repeat(now, packet));
                }
            }
        }
    }

    fn advance(&mut self, now: Instant) {
        let granted = self.steering.share().map_or(0, |share| share.repair_bps);
        self.budget.advance(now, self.steering.rate_bps(), granted);
    }

    fn keep(&mut self, now: Instant, packet: &rtp::Packet) {
        self.budget.media(packet.marshal_size() + WRAPPING);
        if let Some(stream) = self.streams.get_mut(&packet.header.ssrc) {
            let estimate = self.steering.estimate();
            let from = if self.beforehand { BEFOREHAND_UNTIL } else { BEFOREHAND_FROM };
            // What a full queue loses comes no sooner for being sent twice.
            self.beforehand = estimate.loss >= from && !estimate.congested;
            stream.keep(now, packet, self.beforehand);
        }
    }

    /// What a probe lacks.
    fn fill(&mut self, now: Instant, out: &mut Outbound) {
        let mut wanted = self.steering.take_spare_wanted();
        for _ in 0..MOST_FILLING {
            if wanted == 0 {
                return;
            }
            let Some(packet) = self.streams.values_mut().find_map(Repeats::filling) else { return };
            wanted = wanted.saturating_sub(packet.marshal_size() + WRAPPING);
            out.push_back(unrequested(now, packet));
        }
    }
}

impl Machine for NackResponder {
    fn hear(&mut self, now: Instant, packets: &[Box<dyn rtcp::Packet>], out: &mut Outbound) {
        for nack in packets.iter().filter_map(|packet| packet.as_any().downcast_ref()) {
            self.answer(now, nack, out);
        }
        // The pacer, which is nearer to the wire, has seen the packet before.
        self.fill(now, out);
    }

    fn send(&mut self, packet: TaggedPacket, out: &mut Outbound) {
        if let Packet::Rtp(rtp) = &packet.message.packet {
            self.keep(packet.now, rtp);
        }
        out.push_back(packet);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbound) {
        self.fill(now, out);
        if self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        self.advance(now);
        for stream in self.streams.values_mut() {
            while let Some(packet) = stream.beforehand(now) {
                if self.budget.is_ample() && self.budget.take(packet.marshal_size() + WRAPPING) {
                    out.push_back(unrequested(now, packet));
                }
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.streams.values().filter_map(Repeats::poll_timeout).min()
    }

    fn bind(&mut self, info: &StreamInfo) {
        if let (Some(rtx_ssrc), Some(rtx_payload_type)) = (info.ssrc_rtx, info.payload_type_rtx)
            && supports_nack(info)
            && self.streams.len() < MAX_STREAMS
        {
            // A stream is announced again at every negotiation: what is known of it stays.
            let age = if info.ssrc == self.screen_ssrc { MAX_SCREEN_AGE } else { MAX_AGE };
            self.streams.entry(info.ssrc).or_insert_with(|| {
                Repeats::new(rtx_ssrc, rtx_payload_type, fastrand::u16(..1 << 15), age)
            });
        }
    }

    fn unbind(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }
}

fn repeat(now: Instant, packet: rtp::Packet) -> TaggedPacket {
    TaggedPacket {
        now,
        transport: TransportContext::default(),
        message: AttributedPacket::new(Packet::Rtp(packet)).with(Attribute::Retransmission),
    }
}

/// Nobody has asked for it: it goes after everything else.
fn unrequested(now: Instant, packet: rtp::Packet) -> TaggedPacket {
    let mut packet = repeat(now, packet);
    packet.message.add(Attribute::Custom(Arc::new(Unrequested)));
    packet
}

/// Whether generic NACK was agreed on for a stream.
fn supports_nack(info: &StreamInfo) -> bool {
    info.rtcp_feedback
        .iter()
        .any(|feedback| feedback.typ == "nack" && feedback.parameter.is_empty())
}
