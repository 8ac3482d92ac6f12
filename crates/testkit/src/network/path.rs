//! One direction of a link: a line of a certain rate with a queue before it, then a way of a
//! certain length on which packets are lost, delayed unevenly and overtaken.
//!
//! Pure: `push` puts a packet in, `poll` gives those that have arrived, `poll_timeout` says when to
//! look again. The same seed and the same calls give the same packets at the same times; how often
//! one looks changes nothing.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use fastrand::Rng;

/// How a path is. The default one is perfect: no limit, no delay, no loss.
#[derive(Debug, Clone, PartialEq)]
pub struct PathConfig {
    /// Bits per second that the line carries; `None` is no limit.
    pub rate: Option<u64>,
    /// The longest that what waits for the line may take to send: a packet that comes when there is
    /// more is dropped (drop-tail). Without a rate nothing waits.
    pub queue: Duration,
    /// From the end of the line to the receiver.
    pub delay: Duration,
    /// Up to this much is added to the delay of each packet, evenly spread.
    pub jitter: Duration,
    /// Whether jitter may put packets out of order; otherwise a packet waits for those before it.
    pub jitter_reorders: bool,
    /// The share of packets that are lost, each by itself, 0 to 1.
    pub loss: f64,
    /// Losses in bursts, besides the others.
    pub bursts: Option<Bursts>,
    /// The share of packets that are held back by [`Self::reorder_by`], so that later ones
    /// overtake them, 0 to 1.
    pub reorder: f64,
    /// For how long those are held back.
    pub reorder_by: Duration,
    /// Nothing passes: what comes and what waits is dropped; what is past the line still arrives.
    pub cut: bool,
}

/// Losses in bursts, by the simple model of Gilbert: a good state that loses nothing, a bad one
/// that loses everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bursts {
    /// Packets that a burst takes on average, at least 1.
    pub mean: f64,
    /// The share of all packets that bursts take, 0 to below 1.
    pub share: f64,
}

impl Default for PathConfig {
    fn default() -> Self {
        Self {
            rate: None,
            queue: Duration::from_millis(200), // a usual home router's, neither tuned nor bloated
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            jitter_reorders: false,
            loss: 0.0,
            bursts: None,
            reorder: 0.0,
            reorder_by: Duration::from_millis(20),
            cut: false,
        }
    }
}

/// What became of the packets of a path so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathCounts {
    /// Put in.
    pub pushed: u64,
    /// Given out.
    pub delivered: u64,
    /// Bytes given out.
    pub delivered_bytes: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
    /// Lost on the way, alone or in a burst.
    pub lost: u64,
    /// Swallowed by a cut.
    pub cut: u64,
}

/// One direction of a link, carrying packets of type `T`.
#[derive(Debug)]
pub struct Path<T> {
    config: PathConfig,
    rng: Rng,
    /// Waits for the line; the first one is being sent.
    waiting: VecDeque<Packet<T>>,
    /// Of all that wait, with what is left of the first one.
    waiting_bits: f64,
    /// Of the first one.
    bits_left: f64,
    /// How far the line has been followed.
    followed: Option<Instant>,
    flying: BinaryHeap<Reverse<Flying<T>>>,
    /// When the last packet that nobody overtakes arrives.
    last_due: Option<Instant>,
    in_burst: bool,
    serial: u64,
    counts: PathCounts,
}

#[derive(Debug)]
struct Packet<T> {
    bytes: usize,
    payload: T,
}

/// Past the line.
#[derive(Debug)]
struct Flying<T> {
    due: Instant,
    serial: u64,
    packet: Packet<T>,
}

impl<T> Path<T> {
    /// A path in this state; what chance does on it follows from `seed`.
    #[must_use]
    pub fn new(config: PathConfig, seed: u64) -> Self {
        Self {
            config,
            rng: Rng::with_seed(seed),
            waiting: VecDeque::new(),
            waiting_bits: 0.0,
            bits_left: 0.0,
            followed: None,
            flying: BinaryHeap::new(),
            last_due: None,
            in_burst: false,
            serial: 0,
            counts: PathCounts::default(),
        }
    }

    /// Changes what the path is like from `now` on. What waits for the line goes on waiting, at the
    /// new rate, also when the new queue were too short for it.
    pub fn set_config(&mut self, now: Instant, config: PathConfig) {
        self.follow(now);
        self.config = config;
        if self.config.cut {
            self.counts.cut += self.waiting.len() as u64;
            self.waiting.clear();
            (self.waiting_bits, self.bits_left) = (0.0, 0.0);
        }
        self.follow(now); // without a limit now, nothing waits any longer
    }

    /// What it is like at present.
    #[must_use]
    pub fn config(&self) -> &PathConfig {
        &self.config
    }

    /// Puts a packet in; `bytes` are all that the line carries for it, headers included.
    pub fn push(&mut self, now: Instant, bytes: usize, payload: T) {
        self.follow(now);
        self.counts.pushed += 1;
        if self.config.cut {
            self.counts.cut += 1;
            return;
        }
        if self.waits() > self.config.queue {
            self.counts.dropped += 1;
            return;
        }
        let bits = bytes as f64 * 8.0;
        if self.waiting.is_empty() {
            self.bits_left = bits;
        }
        self.waiting_bits += bits;
        self.waiting.push_back(Packet { bytes, payload });
        self.follow(now);
    }

    /// The next packet that has arrived by `now`.
    pub fn poll(&mut self, now: Instant) -> Option<T> {
        self.follow(now);
        if self.flying.peek()?.0.due > now {
            return None;
        }
        let Reverse(arrived) = self.flying.pop()?;
        self.counts.delivered += 1;
        self.counts.delivered_bytes += arrived.packet.bytes as u64;
        Some(arrived.packet.payload)
    }

    /// When a packet arrives next, or may do so; `None` while the path is empty.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let first_flying = self.flying.peek().map(|flying| flying.0.due);
        let first_waiting = self.sent_at().map(|at| at + self.config.delay);
        match (first_flying, first_waiting) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// How long a packet that is put in now waits until the line is free for it.
    pub fn queue_delay(&mut self, now: Instant) -> Duration {
        self.follow(now);
        self.waits()
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn counts(&self) -> PathCounts {
        self.counts
    }

    fn waits(&self) -> Duration {
        self.config.rate.map_or(Duration::ZERO, |rate| time_for(self.waiting_bits, rate))
    }

    /// When the line has sent the first packet that waits.
    fn sent_at(&self) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        let followed = self.followed?;
        Some(self.config.rate.map_or(followed, |rate| followed + time_for(self.bits_left, rate)))
    }

    /// Lets the line work until `now`.
    fn follow(&mut self, now: Instant) {
        // A caller's clock that steps back is taken as standing still.
        let now = self.followed.map_or(now, |followed| followed.max(now));
        self.followed.get_or_insert(now);
        while let Some(sent_at) = self.sent_at().filter(|at| *at <= now) {
            let Some(packet) = self.waiting.pop_front() else { break };
            self.waiting_bits -= self.bits_left;
            self.bits_left = self.waiting.front().map_or(0.0, |next| next.bytes as f64 * 8.0);
            if self.waiting.is_empty() {
                self.waiting_bits = 0.0; // without what rounding left
            }
            self.followed = Some(sent_at);
            self.fly(sent_at, packet);
        }
        if let (Some(rate), Some(followed), false) =
            (self.config.rate, self.followed, self.waiting.is_empty())
        {
            let sent = now.duration_since(followed).as_secs_f64() * rate as f64;
            let sent = sent.min(self.bits_left);
            self.bits_left -= sent;
            self.waiting_bits -= sent;
        }
        self.followed = Some(now);
    }

    fn fly(&mut self, sent_at: Instant, packet: Packet<T>) {
        if self.is_lost() {
            self.counts.lost += 1;
            return;
        }
        let mut due = sent_at + self.config.delay;
        if !self.config.jitter.is_zero() {
            due += self.config.jitter.mul_f64(self.rng.f64());
        }
        if self.happens(self.config.reorder) {
            due += self.config.reorder_by;
        } else {
            if !self.config.jitter_reorders {
                due = self.last_due.map_or(due, |last| due.max(last));
            }
            self.last_due = Some(due);
        }
        self.serial += 1;
        self.flying.push(Reverse(Flying { due, serial: self.serial, packet }));
    }

    fn is_lost(&mut self) -> bool {
        if let Some(Bursts { mean, share }) = self.config.bursts {
            let ends = 1.0 / mean.max(1.0);
            let changes =
                if self.in_burst { ends } else { ends * share / (1.0 - share).max(f64::EPSILON) };
            if self.happens(changes) {
                self.in_burst = !self.in_burst;
            }
            if self.in_burst {
                return true;
            }
        }
        self.happens(self.config.loss)
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.f64() < share
    }
}

fn time_for(bits: f64, rate: u64) -> Duration {
    // A rate of nothing is a cut; it is not divided by.
    Duration::from_secs_f64(bits.max(0.0) / rate.max(1) as f64)
}

impl<T> PartialEq for Flying<T> {
    fn eq(&self, other: &Self) -> bool {
        self.serial == other.serial
    }
}

impl<T> Eq for Flying<T> {}

impl<T> PartialOrd for Flying<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Flying<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.serial).cmp(&(other.due, other.serial))
    }
}

#[cfg(test)]
mod tests;
