//! Hears from the peer's sender reports which moment its timestamps stand for.

use std::{collections::HashMap, sync::Arc, time::Instant};

use parking_lot::Mutex;
use quartet_core::SenderClock;
use rtc::rtcp::{self, sender_report::SenderReport};

use super::stage::{Machine, Outbound};

/// Streams whose clocks are kept: a link has one voice and one picture, and a peer may begin each
/// anew a few times. Reports of more are ignored.
const MAX_STREAMS: usize = 8;

/// The clocks of the peer's streams, as its latest sender reports give them.
#[derive(Debug, Default)]
pub(crate) struct SenderClocks {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    clocks: HashMap<u32, SenderClock>,
    voice: Option<u32>,
}

impl SenderClocks {
    /// The voice that comes has this SSRC.
    pub(crate) fn set_voice(&self, ssrc: u32) {
        self.state.lock().voice = Some(ssrc);
    }

    /// The clock of the voice and that of the picture with this SSRC, when both are known.
    pub(crate) fn pair(&self, picture: u32) -> Option<(SenderClock, SenderClock)> {
        let state = self.state.lock();
        let clock = |ssrc| state.clocks.get(&ssrc).copied();
        Some((clock(state.voice?)?, clock(picture)?))
    }

    fn note(&self, report: &SenderReport) {
        let clock = SenderClock { ntp: report.ntp_time, timestamp: report.rtp_time };
        let mut state = self.state.lock();
        if state.clocks.len() < MAX_STREAMS || state.clocks.contains_key(&report.ssrc) {
            state.clocks.insert(report.ssrc, clock);
        }
    }
}

/// Notes the clock that each sender report (RFC 3550 §6.4.1) tells.
pub(super) struct SenderReportTap(pub(super) Arc<SenderClocks>);

impl Machine for SenderReportTap {
    fn hear(&mut self, _now: Instant, packets: &[Box<dyn rtcp::Packet>], _out: &mut Outbound) {
        packets
            .iter()
            .filter_map(|packet| packet.as_any().downcast_ref())
            .for_each(|report| self.0.note(report));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ssrc: u32, ntp_time: u64) -> SenderReport {
        SenderReport { ssrc, ntp_time, rtp_time: 7, ..SenderReport::default() }
    }

    #[test]
    fn the_latest_report_of_each_stream_counts() {
        let clocks = SenderClocks::default();
        clocks.set_voice(1);
        clocks.note(&report(1, 100));
        assert_eq!(clocks.pair(2), None);
        clocks.note(&report(2, 200));
        clocks.note(&report(1, 300));
        let clock = |ntp| SenderClock { ntp, timestamp: 7 };
        assert_eq!(clocks.pair(2), Some((clock(300), clock(200))));
    }

    #[test]
    fn reports_of_any_number_of_streams_take_no_more_memory() {
        let clocks = SenderClocks::default();
        (0..10_000).for_each(|ssrc| clocks.note(&report(ssrc, 1)));
        assert_eq!(clocks.state.lock().clocks.len(), MAX_STREAMS);
    }
}
