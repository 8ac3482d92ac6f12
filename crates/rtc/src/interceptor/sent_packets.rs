//! What was sent, and what the peer says became of it (transport-wide feedback,
//! draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use quartet_core::congestion::{PacketReport, ProbeId};
use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, SymbolTypeTcc, TransportLayerCc,
};

use crate::{arrivals::extend, steering::Losses};

/// Packets that are remembered: 4 s at 4 Mbit/s. Feedback comes within a round trip.
const KEPT: usize = 2_048;
/// Packets that one feedback may speak of: peers send one at least every quarter of a second. Its
/// chunks could claim millions.
const MAX_STATUSES: usize = 1_024;
/// The unit of the reference time (§3.1).
const REFERENCE_TICK: Duration = Duration::from_millis(64);
/// The reference time has 24 bits (§3.1).
const REFERENCE_WRAP: u64 = 1 << 24;

/// Numbers the packets of a link, and resolves feedback to reports on them.
///
/// The stock history takes what no feedback spoke of as lost: with feedback that is itself lost, the
/// way back would count as the way there.
#[derive(Debug, Default)]
pub(super) struct SentPackets {
    /// The oldest packet's number; the low 16 bits are those on the wire.
    first: u64,
    packets: VecDeque<Sent>,
    /// The last feedback's reference time, unwrapped.
    reference: Option<u64>,
}

#[derive(Debug)]
struct Sent {
    departure: Instant,
    size: usize,
    probe: Option<ProbeId>,
    fate: Fate,
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Unknown,
    Lost,
    Arrived,
}

impl SentPackets {
    /// Notes a packet that leaves, and gives its number.
    pub(super) fn note(&mut self, now: Instant, size: usize, probe: Option<ProbeId>) -> u16 {
        if self.packets.len() == KEPT {
            self.packets.pop_front();
            self.first += 1;
        }
        let number = self.first + self.packets.len() as u64;
        self.packets.push_back(Sent { departure: now, size, probe, fate: Fate::Unknown });
        number as u16
    }

    /// Whether any feedback has come.
    pub(super) fn is_heard(&self) -> bool {
        self.reference.is_some()
    }

    /// What feedback says that was not known before.
    pub(super) fn resolve(&mut self, feedback: &TransportLayerCc) -> (Vec<PacketReport>, Losses) {
        let mut arrival = self.reference_time(feedback.reference_time);
        let mut deltas = feedback.recv_deltas.iter();
        let mut reports = Vec::new();
        let mut losses = Losses::default();
        let newest = self.first + self.packets.len() as u64;
        let base = extend(feedback.base_sequence_number, newest);
        let count = usize::from(feedback.packet_status_count).min(MAX_STATUSES);
        let statuses = feedback.packet_chunks.iter().flat_map(statuses).take(count);
        for (number, status) in (base..).zip(statuses) {
            let arrived = status != SymbolTypeTcc::PacketNotReceived;
            let timed = arrived && status != SymbolTypeTcc::PacketReceivedWithoutDelta;
            let delta = if timed { deltas.next() } else { None };
            if let Some(delta) = delta {
                // Packets may be listed out of the order in which they came.
                let by = Duration::from_micros(delta.delta.unsigned_abs());
                arrival = if delta.delta < 0 { arrival.saturating_sub(by) } else { arrival + by };
            }
            let place =
                number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
            let Some(sent) = place.and_then(|place| self.packets.get_mut(place)) else { continue };
            match (&sent.fate, arrived) {
                (Fate::Unknown, true) => losses.sent += 1,
                (Fate::Unknown, false) => {
                    losses.sent += 1;
                    losses.lost += 1;
                }
                (Fate::Lost, true) => {}
                (Fate::Lost, false) | (Fate::Arrived, _) => continue,
            }
            sent.fate = if arrived { Fate::Arrived } else { Fate::Lost };
            reports.push(PacketReport {
                id: number,
                departure: sent.departure,
                arrival: delta.map(|_| arrival),
                size: sent.size,
                arrived,
                probe: sent.probe,
            });
        }
        (reports, losses)
    }

    /// On the peer's clock, across its wraps.
    fn reference_time(&mut self, ticks: u32) -> Duration {
        let ticks = u64::from(ticks) % REFERENCE_WRAP;
        let last = self.reference.unwrap_or(REFERENCE_WRAP + ticks);
        // The nearest to the last one, in either direction.
        let ahead = (ticks + REFERENCE_WRAP - last % REFERENCE_WRAP) % REFERENCE_WRAP;
        let unwrapped = if ahead < REFERENCE_WRAP / 2 {
            last + ahead
        } else {
            (last + ahead).saturating_sub(REFERENCE_WRAP)
        };
        self.reference = Some(unwrapped);
        let millis = unwrapped.saturating_mul(REFERENCE_TICK.as_millis() as u64);
        Duration::from_millis(millis)
    }
}

fn statuses(chunk: &PacketStatusChunk) -> Box<dyn Iterator<Item = SymbolTypeTcc> + '_> {
    match chunk {
        PacketStatusChunk::RunLengthChunk(run) => {
            Box::new(std::iter::repeat_n(run.packet_status_symbol, usize::from(run.run_length)))
        }
        PacketStatusChunk::StatusVectorChunk(vector) => {
            Box::new(vector.symbol_list.iter().copied())
        }
    }
}

#[cfg(test)]
mod tests {
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
        RecvDelta, RunLengthChunk, StatusVectorChunk,
    };

    use super::*;

    use SymbolTypeTcc::{
        PacketNotReceived as Lost, PacketReceivedLargeDelta as Late,
        PacketReceivedSmallDelta as Came, PacketReceivedWithoutDelta as Untimed,
    };

    fn sent(count: usize) -> SentPackets {
        let now = Instant::now();
        let mut packets = SentPackets::default();
        for number in 0..count {
            assert_eq!(packets.note(now, 100 + number, None), number as u16);
        }
        packets
    }

    fn feedback(base: u16, symbols: &[SymbolTypeTcc], deltas: &[i64]) -> TransportLayerCc {
        TransportLayerCc {
            base_sequence_number: base,
            packet_status_count: symbols.len() as u16,
            reference_time: 10,
            packet_chunks: vec![PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
                symbol_list: symbols.to_vec(),
                ..StatusVectorChunk::default()
            })],
            recv_deltas: deltas
                .iter()
                .map(|delta| RecvDelta { delta: *delta, ..RecvDelta::default() })
                .collect(),
            ..TransportLayerCc::default()
        }
    }

    #[test]
    fn feedback_is_resolved_to_what_was_sent() {
        let mut packets = sent(6);
        let said = feedback(1, &[Came, Lost, Late, Untimed], &[1_000, -250]);
        let (reports, losses) = packets.resolve(&said);
        let told: Vec<_> = reports.iter().map(|r| (r.id, r.size, r.arrived)).collect();
        assert_eq!(told, [(1, 101, true), (2, 102, false), (3, 103, true), (4, 104, true)]);
        let first = reports[0].arrival.unwrap();
        assert_eq!(first - reports[2].arrival.unwrap(), Duration::from_micros(250));
        assert_eq!((reports[1].arrival, reports[3].arrival), (None, None));
        assert_eq!(losses, Losses { sent: 4, lost: 1 });
    }

    #[test]
    fn what_is_known_is_not_reported_again_unless_it_has_come_after_all() {
        let mut packets = sent(3);
        packets.resolve(&feedback(0, &[Came, Lost], &[0]));
        let (reports, losses) = packets.resolve(&feedback(0, &[Lost, Came, Came], &[0, 0]));
        let told: Vec<_> = reports.iter().map(|r| (r.id, r.arrived)).collect();
        assert_eq!(told, [(1, true), (2, true)]);
        assert_eq!(losses, Losses { sent: 1, lost: 0 });
    }

    #[test]
    fn numbers_wrap_and_old_packets_are_forgotten() {
        let mut packets = sent(70_000);
        let (reports, _) =
            packets.resolve(&feedback((69_998 & 0xffff) as u16, &[Came; 4], &[0; 4]));
        let told: Vec<_> = reports.iter().map(|report| report.id).collect();
        assert_eq!(told, [69_998, 69_999]);
        let forgotten = ((70_000 - KEPT - 1) & 0xffff) as u16;
        assert_eq!(packets.resolve(&feedback(forgotten, &[Came], &[0])).0, []);
    }

    #[test]
    fn the_receivers_clock_goes_on_across_its_wrap() {
        let mut packets = SentPackets::default();
        let before = packets.reference_time(0x00ff_ffff);
        let after = packets.reference_time(1);
        assert_eq!(after - before, 2 * REFERENCE_TICK);
        assert_eq!(packets.reference_time(0x00ff_ffff), before);
    }

    #[test]
    fn what_claims_millions_costs_little() {
        let mut packets = sent(KEPT);
        let chunk = PacketStatusChunk::RunLengthChunk(RunLengthChunk {
            packet_status_symbol: Untimed,
            run_length: 8_191,
            ..RunLengthChunk::default()
        });
        let said = TransportLayerCc {
            packet_status_count: u16::MAX,
            packet_chunks: vec![chunk; 700],
            ..TransportLayerCc::default()
        };
        assert_eq!(packets.resolve(&said).0.len(), MAX_STATUSES);
        let said = TransportLayerCc { base_sequence_number: 60_000, ..said };
        assert_eq!(packets.resolve(&said).0, []);
        let said = TransportLayerCc {
            recv_deltas: vec![RecvDelta { delta: i64::MIN, ..RecvDelta::default() }; 9],
            ..feedback(0, &[Came; 9], &[])
        };
        packets.resolve(&said);
    }
}
