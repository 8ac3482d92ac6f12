//! When to probe, and what a probe shows.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Probe, ProbeId};

/// The first probes try these multiples of the estimate: a path that is worth a picture carries one
/// of them, and the next is begun from what was measured.
const FIRST: [f64; 2] = [3.0, 6.0];
/// A probe tries this multiple of the estimate: it must be well above to be told from chance, and
/// at twice the rate it queues only its own length.
const STEP: f64 = 2.0;
/// A probe lasts at least this long, so that time stamps (250 µs) and a busy receiver do not blur
/// it, and longer on a path with jitter.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(60);
/// Packets of a probe; fewer say little. A slow path is spared: five large packets are 100 ms of
/// 500 kbit/s.
const LEAST_PACKETS: usize = 5;
const LEAST_PACKETS_SLOW: usize = 3;
/// On a path that loses packets, so many more, as a multiple of what is lost.
const MORE_FOR_LOSS: f64 = 2.0;
/// A path on which an estimate is below this is slow, bit/s, unless it was never tried.
const SLOW: f64 = 600_000.0;
/// While the application wants more than the estimate, a probe every so often: with the two that
/// follow a success, a path that has become five times faster is found within 4 s.
const INTERVAL: Duration = Duration::from_millis(2500);
/// On a path that carries little more than a voice, a probe is a long queue: less often there.
const INTERVAL_NARROW: Duration = Duration::from_secs(5);
const NARROW: f64 = 250_000.0;
/// At the beginning a probe that shows nothing new is soon followed by the next, so many times:
/// before jitter and loss are known, one is easily misjudged, and the first seconds count.
const INTERVAL_EAGER: Duration = Duration::from_millis(400);
const EAGER: u8 = 3;
/// After a cut the path is left alone for so long.
const AFTER_CUT: Duration = Duration::from_millis(1500);
/// After a queue has drained that made the rate much smaller, it is looked again after this.
const AFTER_DRAIN: Duration = Duration::from_millis(500);
/// When no result has come by then and a round trip, the packets or their reports are lost, or there
/// was nothing to send.
const PATIENCE: Duration = Duration::from_millis(350);
/// Then it is tried again, so many times.
const TRIES: u8 = 3;
/// A round trip is not believed to be longer than this.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(1);
/// A probe that came this much slower than it was sent has filled the path.
const SATURATED: f64 = 0.85;
/// When so much more of a probe is lost than the line loses by itself, it has not come through.
const MOST_LOST: f64 = 0.3;
/// Jitter stretches a probe by about its mean; what is left of it is at least this part.
const LEAST_SPAN: f64 = 0.5;

#[derive(Debug)]
struct Cluster {
    probe: Probe,
    multiple: f64,
    overdue: Instant,
    /// First and last departure, µs.
    departures: Option<(i64, i64)>,
    arrivals: Option<(i64, i64)>,
    last_bits: f64,
    sent_bits: f64,
    /// From the first packet that came, without it, to the last that came, with those lost between.
    spanned_bits: f64,
    /// After the last that came.
    pending_bits: f64,
    sent: usize,
    arrived: usize,
}

/// What a probe has shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProbeResult {
    /// What the path carried, bit/s.
    pub(super) rate: f64,
    /// It would not have carried more.
    pub(super) saturated: bool,
}

/// What a probe has to reckon with.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProbePath {
    pub(super) rtt: Duration,
    pub(super) jitter: Duration,
    /// Share that the line loses by itself.
    pub(super) inherent: f64,
}

/// Decides on probes; at most one is under way.
#[derive(Debug)]
pub(super) struct Probing {
    next_id: u32,
    wish: Option<Probe>,
    cluster: Option<Cluster>,
    /// Multiples of the estimate still to be tried.
    queue: VecDeque<f64>,
    not_before: Instant,
    last: Instant,
    tries: u8,
    eager: u8,
}

impl Probing {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next_id: 0,
            wish: None,
            cluster: None,
            queue: FIRST.into(),
            not_before: now,
            last: now,
            tries: 0,
            eager: EAGER,
        }
    }

    /// Try anew, as at the beginning; after a break, for instance.
    pub(super) fn restart(&mut self, now: Instant) {
        self.queue = FIRST.into();
        self.not_before = now;
        self.eager = EAGER;
    }

    /// The path is congested: nothing more now.
    pub(super) fn on_cut(&mut self, now: Instant) {
        self.queue.clear();
        self.eager = 0;
        self.wish = None;
        self.not_before = now + AFTER_CUT;
        self.last = now.max(self.last);
    }

    /// A queue has made the rate small; if it was a passing one, find out soon.
    pub(super) fn after_drain(&mut self, now: Instant) {
        self.queue = [STEP].into();
        self.tries = 0;
        self.not_before = now + AFTER_DRAIN;
    }

    /// Makes up its mind. `target` and `wanted` in bit/s; `calm` says that no queue is there.
    pub(super) fn consider(
        &mut self,
        now: Instant,
        target: f64,
        wanted: f64,
        calm: bool,
        path: ProbePath,
    ) {
        let ProbePath { rtt, jitter, inherent } = path;
        if let Some(last) = &self.cluster {
            if now < last.overdue {
                return;
            }
            if self.tries < TRIES {
                self.tries += 1;
                self.queue.push_front(last.multiple);
            }
            self.cluster = None;
        }
        if !calm || now < self.not_before || target >= wanted {
            return;
        }
        let interval = match target {
            _ if self.eager > 0 => INTERVAL_EAGER,
            _ if target < NARROW => INTERVAL_NARROW,
            _ => INTERVAL,
        };
        let multiple = match self.queue.pop_front() {
            Some(multiple) => multiple,
            None if now.saturating_duration_since(self.last) >= interval => {
                self.tries = 0;
                self.eager = self.eager.saturating_sub(1);
                STEP
            }
            None => return,
        };
        let slow = target < SLOW && multiple <= STEP;
        // Half more than is wanted, so that what is wanted is surely carried.
        let rate = (target * multiple).min(wanted * 1.5);
        let time = (3 * jitter).clamp(SHORTEST, LONGEST);
        let packets = if slow { LEAST_PACKETS_SLOW } else { LEAST_PACKETS };
        let probe = Probe {
            id: ProbeId(self.next_id),
            rate_bps: rate as u64,
            bytes: (rate * time.as_secs_f64() / 8.0) as usize,
            packets: (packets as f64 * (1.0 + MORE_FOR_LOSS * inherent)).ceil() as usize,
        };
        self.next_id = self.next_id.wrapping_add(1);
        self.last = now;
        self.wish = Some(probe);
        self.cluster = Some(Cluster {
            probe,
            multiple,
            overdue: now + PATIENCE + rtt.min(LONGEST_ROUND_TRIP),
            departures: None,
            arrivals: None,
            last_bits: 0.0,
            sent_bits: 0.0,
            spanned_bits: 0.0,
            pending_bits: 0.0,
            sent: 0,
            arrived: 0,
        });
    }

    pub(super) fn poll(&mut self) -> Option<Probe> {
        self.wish.take()
    }

    /// Whether nothing was tried yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.next_id == 0
    }

    /// A packet of a probe was reported; `arrival` when it came. Times in µs.
    pub(super) fn on_packet(
        &mut self,
        id: ProbeId,
        departure: i64,
        arrival: Option<i64>,
        bits: f64,
    ) {
        let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.probe.id == id) else {
            return;
        };
        let departures = cluster.departures.get_or_insert((departure, departure));
        if departure >= departures.1 {
            departures.1 = departure;
            cluster.last_bits = bits;
        }
        cluster.sent_bits += bits;
        cluster.sent = cluster.sent.saturating_add(1);
        if cluster.arrivals.is_some() {
            cluster.pending_bits += bits;
        }
        if let Some(arrival) = arrival {
            let arrivals = cluster.arrivals.get_or_insert((arrival, arrival));
            arrivals.0 = arrivals.0.min(arrival);
            arrivals.1 = arrivals.1.max(arrival);
            cluster.spanned_bits += std::mem::take(&mut cluster.pending_bits);
            cluster.arrived = cluster.arrived.saturating_add(1);
        }
    }

    /// Called after each feedback: what the probe under way has shown, once all of it is reported.
    /// `inherent` is the share that the line loses by itself, `jitter` in µs.
    pub(super) fn result(&mut self, inherent: f64, jitter: i64) -> Option<ProbeResult> {
        let whole = self.cluster.as_ref().is_some_and(|cluster| {
            cluster.sent >= cluster.probe.packets
                && cluster.sent_bits >= 7.2 * cluster.probe.bytes as f64
        });
        let cluster = if whole { self.cluster.take() } else { None }?;
        cluster.result(inherent, jitter)
    }

    /// A probe has shown more than was known: go on at once.
    pub(super) fn go_on(&mut self, now: Instant) {
        self.queue.clear();
        self.queue.push_back(STEP);
        self.not_before = now;
    }

    /// A probe has found the end.
    pub(super) fn stop(&mut self) {
        self.queue.clear();
    }
}

impl Cluster {
    fn result(&self, inherent: f64, jitter: i64) -> Option<ProbeResult> {
        let (departures, arrivals) = (self.departures?, self.arrivals?);
        let lost = 1.0 - self.arrived as f64 / self.sent as f64;
        if self.arrived < 2 || lost > inherent + MOST_LOST {
            return None;
        }
        // n packets span n − 1 gaps: the last one's departure begins none, the first one's arrival
        // ends none.
        let sent_time = ((departures.1 - departures.0) as f64 / 1e6).max(0.001);
        let span = (arrivals.1 - arrivals.0) as f64;
        let arrived_time = (span - jitter as f64).max(span * LEAST_SPAN) / 1e6;
        let sent = (self.sent_bits - self.last_bits) / sent_time;
        let arrived = self.spanned_bits / arrived_time.max(0.001);
        Some(ProbeResult { rate: sent.min(arrived), saturated: arrived < SATURATED * sent })
    }
}
