//! What the sending half of a link shares: the congestion controller, what the engine grants, what
//! waits.
//!
//! The interceptors write it on the connection's task, the sending task and the handle read it.
//! Nothing is done under the lock that takes time.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use quartet_core::{
    LinkEstimate,
    congestion::{
        CongestionConfig, CongestionController, LinkShare, PacketReport, Probe, ReceiverReport,
    },
};
use tokio::sync::{Notify, watch};

/// Changes of the estimate that are not worth a word: of the rate, as a part of it…
const RATE_CHANGE: f64 = 0.02;
/// …of the loss…
const LOSS_CHANGE: f32 = 0.005;
/// …and of the round trip.
const RTT_CHANGE: Duration = Duration::from_millis(5);

/// A picture goes to the pacer when what waits there takes no longer than this, so that the path is
/// not idle in between; the others wait where they can still be dropped whole.
const ENOUGH_WAITING: Duration = Duration::from_millis(10);

/// Shared by the parts of one link.
#[derive(Debug)]
pub(crate) struct Steering {
    state: Mutex<State>,
    /// The latest estimate that was worth a word.
    estimate: watch::Sender<LinkEstimate>,
    /// The pacer has room for a picture again.
    has_room: Notify,
}

#[derive(Debug)]
struct State {
    controller: CongestionController,
    share: Option<LinkShare>,
    losses: Losses,
    /// What waits in the pacer will take so long: before a picture of the camera, and before one of
    /// the screen.
    queue_times: (Duration, Duration),
    /// Bytes that a probe lacks.
    spare_wanted: usize,
}

/// For which pictures the pacer has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// The camera's.
    pub(crate) video: bool,
    /// The shared screen's.
    pub(crate) screen: bool,
}

/// What became of packets since the last question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Packets that the peer has reported on.
    pub(crate) sent: u32,
    /// Those that did not arrive.
    pub(crate) lost: u32,
}

impl Steering {
    pub(crate) fn new(now: Instant) -> Self {
        let controller = CongestionController::new(now, CongestionConfig::default());
        let estimate = watch::Sender::new(controller.estimate());
        let state = State {
            controller,
            share: None,
            losses: Losses::default(),
            queue_times: (Duration::ZERO, Duration::ZERO),
            spare_wanted: 0,
        };
        Self { state: Mutex::new(state), estimate, has_room: Notify::new() }
    }

    /// What the engine grants the link.
    pub(crate) fn set_share(&self, now: Instant, share: LinkShare) {
        let mut state = self.state.lock();
        if state.share.is_none_or(|before| before.wanted_bps != share.wanted_bps) {
            state.controller.set_wanted(now, share.wanted_bps);
        }
        state.share = Some(share);
    }

    /// What the engine grants the link, once it has said so.
    pub(crate) fn share(&self) -> Option<LinkShare> {
        self.state.lock().share
    }

    /// A packet leaves, of so many bytes on the path.
    pub(crate) fn sent(&self, now: Instant, bytes: usize) {
        self.state.lock().controller.on_sent(now, bytes);
    }

    /// The peer reports on packets.
    pub(crate) fn reported(&self, now: Instant, reports: &[PacketReport], losses: Losses) {
        let mut state = self.state.lock();
        state.controller.on_reports(now, reports);
        state.losses.add(losses);
        self.settle(state);
    }

    /// The peer reports on packets in the old way.
    pub(crate) fn received(&self, now: Instant, report: ReceiverReport, losses: Losses) {
        let mut state = self.state.lock();
        state.controller.on_receiver_report(now, report);
        state.losses.add(losses);
        self.settle(state);
    }

    pub(crate) fn handle_timeout(&self, now: Instant) {
        let mut state = self.state.lock();
        if state.controller.poll_timeout().is_some_and(|at| at <= now) {
            state.controller.handle_timeout(now);
            self.settle(state);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.state.lock().controller.poll_timeout()
    }

    fn settle(&self, state: parking_lot::MutexGuard<'_, State>) {
        let estimate = state.controller.estimate();
        drop(state);
        self.estimate.send_if_modified(|told| {
            let differs = differ(told, &estimate);
            if differs {
                *told = estimate;
            }
            differs
        });
    }

    /// The wish to probe, once.
    pub(crate) fn take_probe(&self) -> Option<Probe> {
        self.state.lock().controller.poll_probe()
    }

    /// A probe lacks so many bytes.
    pub(crate) fn want_spare(&self, bytes: usize) {
        self.state.lock().spare_wanted = bytes;
    }

    /// How many bytes a probe lacks, once.
    pub(crate) fn take_spare_wanted(&self) -> usize {
        std::mem::take(&mut self.state.lock().spare_wanted)
    }

    /// What may be sent at present, bit/s.
    pub(crate) fn rate_bps(&self) -> u64 {
        let state = self.state.lock();
        let estimate = state.controller.estimate().bitrate_bps;
        state.share.map_or(estimate, |share| estimate.min(share.total_bps))
    }

    /// What waits in the pacer will take so long: before a picture of the camera, and before one of
    /// the screen.
    pub(crate) fn set_queue_times(&self, video: Duration, screen: Duration) {
        let before = std::mem::replace(&mut self.state.lock().queue_times, (video, screen));
        let freed = |before, now| before > ENOUGH_WAITING && now <= ENOUGH_WAITING;
        if freed(before.0, video) || freed(before.1, screen) {
            self.has_room.notify_one();
        }
    }

    /// Whether a picture may go to the pacer, of the camera and of the screen; when not,
    /// [`Self::room`] tells when to ask again.
    pub(crate) fn has_room(&self) -> Room {
        let (video, screen) = self.state.lock().queue_times;
        Room { video: video <= ENOUGH_WAITING, screen: screen <= ENOUGH_WAITING }
    }

    /// Waits until there is room again.
    pub(crate) async fn room(&self) {
        self.has_room.notified().await;
    }

    /// What was lost since the last call.
    pub(crate) fn take_losses(&self) -> Losses {
        std::mem::take(&mut self.state.lock().losses)
    }

    /// The present estimate.
    pub(crate) fn estimate(&self) -> LinkEstimate {
        self.state.lock().controller.estimate()
    }

    /// Follows the estimates.
    pub(crate) fn estimates(&self) -> watch::Receiver<LinkEstimate> {
        self.estimate.subscribe()
    }
}

impl Losses {
    fn add(&mut self, more: Self) {
        self.sent = self.sent.saturating_add(more.sent);
        self.lost = self.lost.saturating_add(more.lost).min(self.sent);
    }
}

fn differ(a: &LinkEstimate, b: &LinkEstimate) -> bool {
    let rate = |a: u64, b: u64| a.abs_diff(b) as f64 > a as f64 * RATE_CHANGE;
    let rtt = match (a.rtt, b.rtt) {
        (Some(a), Some(b)) => a.abs_diff(b) > RTT_CHANGE,
        (a, b) => a.is_some() != b.is_some(),
    };
    rate(a.bitrate_bps, b.bitrate_bps)
        || rate(a.settled_bps, b.settled_bps)
        || (a.loss - b.loss).abs() > LOSS_CHANGE
        || a.congested != b.congested
        || rtt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_is_said() {
        let estimate = LinkEstimate {
            bitrate_bps: 1_000_000,
            settled_bps: 1_000_000,
            loss: 0.1,
            rtt: None,
            congested: false,
        };
        assert!(!differ(&estimate, &estimate));
        assert!(!differ(&estimate, &LinkEstimate { bitrate_bps: 1_010_000, ..estimate }));
        for changed in [
            LinkEstimate { bitrate_bps: 1_030_000, ..estimate },
            LinkEstimate { bitrate_bps: 970_000, ..estimate },
            LinkEstimate { settled_bps: 1_030_000, ..estimate },
            LinkEstimate { loss: 0.11, ..estimate },
            LinkEstimate { rtt: Some(RTT_CHANGE), ..estimate },
            LinkEstimate { congested: true, ..estimate },
        ] {
            assert!(differ(&estimate, &changed), "{changed:?}");
        }
    }

    #[test]
    fn the_share_bounds_the_rate_but_does_not_raise_it() {
        let now = Instant::now();
        let steering = Steering::new(now);
        let estimate = steering.rate_bps();
        let share =
            LinkShare { total_bps: estimate / 2, wanted_bps: estimate, ..LinkShare::default() };
        steering.set_share(now, share);
        assert_eq!(steering.rate_bps(), estimate / 2);
        steering.set_share(now, LinkShare { total_bps: estimate * 2, ..share });
        assert_eq!(steering.rate_bps(), estimate);
    }

    #[test]
    fn losses_are_counted_once() {
        let now = Instant::now();
        let steering = Steering::new(now);
        steering.reported(now, &[], Losses { sent: 10, lost: 2 });
        steering.reported(now, &[], Losses { sent: 5, lost: 0 });
        assert_eq!(steering.take_losses(), Losses { sent: 15, lost: 2 });
        assert_eq!(steering.take_losses(), Losses::default());
    }
}
