//! Buckets: of bytes for an allocation, and of answers for strangers.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::{IpAddr, Ipv6Addr},
    time::Instant,
};

use super::limits::{ANSWER_BURST, ANSWERS_PER_SECOND, SOURCE_BUCKETS};

/// A second's worth, or another burst, that fills again with time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    level: f64,
    filled: Instant,
    burst: f64,
    per_second: f64,
}

impl Bucket {
    pub(super) fn new(now: Instant, burst: u32, per_second: u32) -> Self {
        let (burst, per_second) = (burst.into(), per_second.into());
        Self { level: burst, filled: now, burst, per_second }
    }

    /// Whether so many may pass now.
    pub(super) fn take(&mut self, now: Instant, many: usize) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.level = (self.level + passed * self.per_second).min(self.burst);
        self.filled = self.filled.max(now);
        let enough = self.level >= many as f64;
        if enough {
            self.level -= many as f64;
        }
        enough
    }
}

/// What strangers may be answered, by where they are. Whoever shares a bucket with somebody greedy
/// waits with them; which sources share one nobody knows from outside.
pub(super) struct SourceBudgets {
    key: [u8; 32],
    buckets: Vec<Bucket>,
}

impl SourceBudgets {
    pub(super) fn new(now: Instant, key: &[u8; 32]) -> Self {
        let bucket = Bucket::new(now, ANSWER_BURST, ANSWERS_PER_SECOND);
        Self { key: *key, buckets: vec![bucket; SOURCE_BUCKETS] }
    }

    pub(super) fn take(&mut self, now: Instant, ip: IpAddr) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.key, source(ip)).hash(&mut hasher);
        let place = hasher.finish() as usize % self.buckets.len();
        self.buckets[place].take(now, 1)
    }
}

/// An address, or its network of 64 bits.
pub(super) fn source(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}
