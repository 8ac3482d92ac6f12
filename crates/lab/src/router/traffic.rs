//! What the router saw of each path, over time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quartet_testkit::network::{Direction, PathCounts};
use serde::Serialize;

/// What passed the router in a run.
#[derive(Debug, Clone, Serialize)]
pub struct Traffic {
    /// Both of every end.
    pub paths: Vec<PathTraffic>,
    /// Packets that nobody was there for, or that something did not let through.
    pub stopped: u64,
    /// Given out at the far end.
    pub packets: u64,
    /// Of those, later than a millisecond after they were due: the machine was too busy.
    pub late_packets: u64,
    /// The worst of them.
    pub worst_lateness_ms: f64,
    /// CPU of the router itself.
    pub cpu_cores: f64,
}

/// What one path carried.
#[derive(Debug, Clone, Serialize)]
pub struct PathTraffic {
    /// Whose.
    pub of: String,
    /// Which half.
    pub direction: Direction,
    /// Packets put in.
    pub pushed: u64,
    /// Packets given out.
    pub delivered: u64,
    /// Packets dropped because the queue was full.
    pub dropped: u64,
    /// Packets lost on the way.
    pub lost: u64,
    /// Packets that a cut swallowed.
    pub cut: u64,
    /// Ten a second.
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

/// A tenth of a second of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Its end, in Unix seconds.
    pub at: f64,
    /// Its length, in seconds.
    pub seconds: f64,
    /// The longest queue in it, in milliseconds of waiting.
    pub queue_ms: f32,
    /// Given out in it.
    pub bytes: u32,
    /// Lost or dropped in it, packets.
    pub missing: u32,
    /// What the line carried at its end, in bits per second; infinite without a limit.
    pub rate: f32,
}

/// Keeps the samples of a path.
#[derive(Debug)]
pub(super) struct Recorder {
    clock: (Instant, f64),
    last: (Instant, PathCounts),
    longest_queue: Duration,
    samples: Vec<Sample>,
}

impl Recorder {
    /// Between two samples.
    pub(super) const EVERY: Duration = Duration::from_millis(100);

    pub(super) fn new(now: Instant) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Self {
            clock: (now, unix),
            last: (now, PathCounts::default()),
            longest_queue: Duration::ZERO,
            samples: Vec::new(),
        }
    }

    /// A packet was put in, and such is the queue now.
    pub(super) fn pushed(&mut self, queue: Duration) {
        self.longest_queue = self.longest_queue.max(queue);
    }

    pub(super) fn sample(
        &mut self,
        now: Instant,
        queue: Duration,
        counts: PathCounts,
        rate: Option<u64>,
    ) {
        let (then, before) = std::mem::replace(&mut self.last, (now, counts));
        let missing = |it: PathCounts| it.lost + it.dropped + it.cut;
        self.samples.push(Sample {
            at: self.clock.1 + now.duration_since(self.clock.0).as_secs_f64(),
            seconds: now.duration_since(then).as_secs_f64(),
            queue_ms: self.longest_queue.max(queue).as_secs_f32() * 1000.0,
            bytes: (counts.delivered_bytes - before.delivered_bytes) as u32,
            missing: (missing(counts) - missing(before)) as u32,
            rate: rate.map_or(f32::INFINITY, |rate| rate as f32),
        });
        self.longest_queue = queue;
    }
}

impl PathTraffic {
    pub(super) fn new(
        of: String,
        direction: Direction,
        recorder: Recorder,
        counts: PathCounts,
    ) -> Self {
        Self {
            of,
            direction,
            pushed: counts.pushed,
            delivered: counts.delivered,
            dropped: counts.dropped,
            lost: counts.lost,
            cut: counts.cut,
            samples: recorder.samples,
        }
    }

    /// The samples that lie within, in Unix seconds.
    pub fn within(&self, from: f64, to: f64) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(move |it| it.at - it.seconds / 2.0 >= from && it.at - it.seconds / 2.0 < to)
    }

    /// The longest queue in a span, in milliseconds.
    #[must_use]
    pub fn longest_queue_ms(&self, from: f64, to: f64) -> f64 {
        self.within(from, to).map(|it| f64::from(it.queue_ms)).fold(0.0, f64::max)
    }

    /// What it carried on average in a span, in kbit/s.
    #[must_use]
    pub fn kbit_s(&self, from: f64, to: f64) -> f64 {
        let (mut bits, mut seconds) = (0.0, 0.0);
        for sample in self.within(from, to) {
            bits += f64::from(sample.bytes) * 8.0;
            seconds += sample.seconds;
        }
        if seconds > 0.0 { bits / seconds / 1000.0 } else { 0.0 }
    }

    /// Something limited it at some time: what it carried is worth a line.
    #[must_use]
    pub fn is_shaped(&self) -> bool {
        self.lost + self.dropped + self.cut > 0 || self.samples.iter().any(|it| it.rate.is_finite())
    }
}
