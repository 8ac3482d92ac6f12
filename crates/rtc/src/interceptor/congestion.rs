//! The last thing that a packet meets on its way out: numbers it, notes when it left, and hears what
//! became of it.
//!
//! It stands for the library's pair of TWCC sender and congestion control, for two reasons: those
//! leave the retransmissions (RFC 4588) without a number and out of the count, and take what no
//! feedback spoke of as lost.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use quartet_core::congestion::{ProbeId, ReceiverReport};
use rtc::{
    interceptor::{Packet, StreamInfo, TaggedPacket},
    rtcp::{
        self, receiver_report, reception_report::ReceptionReport, sender_report::SenderReport,
        transport_feedbacks::transport_layer_cc::TransportLayerCc,
    },
    rtp,
    shared::marshal::MarshalSize,
};

use super::{
    sent_packets::SentPackets,
    stage::{Machine, Outbound},
};
use crate::{
    peer::TRANSPORT_CC,
    steering::{Losses, Steering},
};

/// What the path carries beside an RTP packet: IPv4, UDP, and the tag of SRTP (RFC 3711 §4.2).
pub(super) const WRAPPING: usize = 20 + 8 + 10;
/// Sender reports whose answers are waited for: one of each of two streams a second, for 8 s.
const SENDER_REPORTS: usize = 16;
/// Streams that are looked after: voice, picture, and its retransmissions.
const MAX_STREAMS: usize = 8;
/// The unit of DLSR (RFC 3550 §6.4.1), a second.
const DLSR_UNITS: f64 = 65_536.0;

/// See the module.
pub(super) struct Congestion {
    steering: Arc<Steering>,
    sent: SentPackets,
    /// From the SSRC to the number of the header extension; 0 for none.
    streams: HashMap<u32, Stream>,
    /// The middle of the NTP time of our sender reports, and when they left.
    sender_reports: VecDeque<(u32, Instant)>,
}

#[derive(Default)]
struct Stream {
    /// The id of the header extension; 0 for none.
    extension: u8,
    /// The last report of the peer's: highest sequence number and packets lost in all.
    reported: Option<(u32, u32)>,
}

impl Congestion {
    pub(super) fn new(steering: Arc<Steering>) -> Self {
        Self {
            steering,
            sent: SentPackets::default(),
            streams: HashMap::new(),
            sender_reports: VecDeque::new(),
        }
    }

    fn leaves(&mut self, now: Instant, packet: &mut rtp::Packet, probe: Option<ProbeId>) {
        let Some(stream) = self.streams.get(&packet.header.ssrc) else { return };
        if stream.extension != 0 {
            // The place for it first: it counts.
            let place = bytes::Bytes::from_static(&[0, 0]);
            if packet.header.set_extension(stream.extension, place).is_ok() {
                let size = packet.marshal_size() + WRAPPING;
                let number = self.sent.note(now, size, probe).to_be_bytes();
                let number = bytes::Bytes::copy_from_slice(&number);
                let _ = packet.header.set_extension(stream.extension, number);
            }
        }
        self.steering.sent(now, packet.marshal_size() + WRAPPING);
    }

    /// What a block of a report says of a stream of ours.
    fn reported(
        &mut self,
        now: Instant,
        block: &ReceptionReport,
    ) -> Option<(ReceiverReport, Losses)> {
        let stream = self.streams.get_mut(&block.ssrc)?;
        let before = stream.reported.replace((block.last_sequence_number, block.total_lost));
        let losses = before.map_or(Losses::default(), |(highest, lost)| {
            // A made-up jump counts as no more than a second could hold.
            let sent = block.last_sequence_number.saturating_sub(highest).min(1_000);
            Losses { sent, lost: block.total_lost.saturating_sub(lost).min(sent) }
        });
        let sent = self.sender_reports.iter().find(|(middle, _)| {
            block.last_sender_report != 0 && *middle == block.last_sender_report
        });
        let rtt = sent.and_then(|(_, at)| {
            let held = Duration::from_secs_f64(f64::from(block.delay) / DLSR_UNITS);
            now.saturating_duration_since(*at).checked_sub(held)
        });
        let fraction_lost = f32::from(block.fraction_lost) / 256.0;
        Some((ReceiverReport { fraction_lost, rtt }, losses))
    }

    fn says(&mut self, now: Instant, packets: &[Box<dyn rtcp::Packet>]) {
        for report in packets.iter().filter_map(|p| p.as_any().downcast_ref::<SenderReport>()) {
            if self.sender_reports.len() == SENDER_REPORTS {
                self.sender_reports.pop_front();
            }
            self.sender_reports.push_back(((report.ntp_time >> 16) as u32, now));
        }
    }
}

impl Machine for Congestion {
    fn hear(&mut self, now: Instant, packets: &[Box<dyn rtcp::Packet>], _out: &mut Outbound) {
        let mut worst: Option<ReceiverReport> = None;
        let mut losses = Losses::default();
        for packet in packets {
            let packet = packet.as_any();
            if let Some(feedback) = packet.downcast_ref::<TransportLayerCc>() {
                let (reports, losses) = self.sent.resolve(feedback);
                if !reports.is_empty() {
                    self.steering.reported(now, &reports, losses);
                }
            }
            let blocks =
                if let Some(report) = packet.downcast_ref::<receiver_report::ReceiverReport>() {
                    &report.reports
                } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
                    &report.reports
                } else {
                    continue;
                };
            for block in blocks.iter().take(MAX_STREAMS) {
                let Some((report, block_losses)) = self.reported(now, block) else { continue };
                losses.sent += block_losses.sent;
                losses.lost += block_losses.lost;
                worst = Some(match worst {
                    Some(worst) if worst.fraction_lost >= report.fraction_lost => worst,
                    _ => report,
                });
            }
        }
        if let Some(report) = worst {
            // What transport-wide feedback has told is not told twice.
            let losses = if self.sent.is_heard() { Losses::default() } else { losses };
            self.steering.received(now, report, losses);
        }
    }

    fn send(&mut self, mut packet: TaggedPacket, out: &mut Outbound) {
        let probe = packet.message.custom::<ProbeId>().copied();
        match &mut packet.message.packet {
            Packet::Rtp(rtp) => self.leaves(packet.now, rtp, probe),
            Packet::Rtcp(packets) => self.says(packet.now, packets),
            _ => {}
        }
        out.push_back(packet);
    }

    fn handle_timeout(&mut self, now: Instant, _out: &mut Outbound) {
        self.steering.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.steering.poll_timeout()
    }

    fn bind(&mut self, info: &StreamInfo) {
        let extension = info.rtp_header_extensions.iter().find(|e| e.uri == TRANSPORT_CC);
        let extension = extension.and_then(|e| u8::try_from(e.id).ok()).unwrap_or(0);
        for ssrc in [Some(info.ssrc), info.ssrc_rtx].into_iter().flatten() {
            if self.streams.len() < MAX_STREAMS || self.streams.contains_key(&ssrc) {
                self.streams.entry(ssrc).or_default().extension = extension;
            }
        }
    }

    fn unbind(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
        if let Some(rtx) = info.ssrc_rtx {
            self.streams.remove(&rtx);
        }
    }
}
