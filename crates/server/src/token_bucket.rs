//! How many messages a connection may bring.

use std::time::Instant;

use quartet_proto::limits::{FLOOD_LIMIT, MESSAGE_BURST, MESSAGES_PER_SECOND};

/// A token bucket of [`MESSAGE_BURST`] that refills with [`MESSAGES_PER_SECOND`].
#[derive(Debug)]
pub(crate) struct TokenBucket {
    tokens: f64,
    filled: Instant,
    /// What was dropped since the sender was told, and has not slowed down.
    dropped: u32,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    /// The first one over the limit: the sender is told.
    DroppedFirst,
    Dropped,
    /// Enough: the connection is to end.
    Flood,
}

impl TokenBucket {
    pub(crate) fn new(now: Instant) -> Self {
        Self { tokens: f64::from(MESSAGE_BURST), filled: now, dropped: 0 }
    }

    pub(crate) fn take(&mut self, now: Instant) -> Verdict {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        let refilled = self.tokens + elapsed * f64::from(MESSAGES_PER_SECOND);
        self.tokens = refilled.min(f64::from(MESSAGE_BURST));
        self.filled = self.filled.max(now);
        // Half full: the burst is over. Were every taken message to end it, a flood would get as
        // many errors as there are tokens.
        if self.tokens >= f64::from(MESSAGE_BURST) / 2.0 {
            self.dropped = 0;
        }
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Verdict::Taken;
        }
        self.dropped = self.dropped.saturating_add(1);
        match self.dropped {
            1 => Verdict::DroppedFirst,
            ..=FLOOD_LIMIT => Verdict::Dropped,
            _ => Verdict::Flood,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn count(bucket: &mut TokenBucket, now: Instant, messages: u32) -> (u32, u32) {
        let verdicts: Vec<_> = (0..messages).map(|_| bucket.take(now)).collect();
        let taken = verdicts.iter().filter(|v| **v == Verdict::Taken).count();
        let told = verdicts.iter().filter(|v| **v == Verdict::DroppedFirst).count();
        (u32::try_from(taken).unwrap(), u32::try_from(told).unwrap())
    }

    #[test]
    fn a_burst_passes_and_the_rest_is_dropped_with_one_notice() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(now);
        assert_eq!(count(&mut bucket, now, MESSAGE_BURST + 500), (MESSAGE_BURST, 1));
    }

    #[test]
    fn a_flood_gets_its_share_a_second_and_no_further_notice() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(start);
        count(&mut bucket, start, MESSAGE_BURST + 1);
        let mut sum = (0, 0);
        for millis in 1..=10_000 {
            let (taken, told) = count(&mut bucket, start + Duration::from_millis(millis), 1);
            sum = (sum.0 + taken, sum.1 + told);
        }
        assert!(sum.0.abs_diff(10 * MESSAGES_PER_SECOND) <= 1, "{sum:?}");
        assert_eq!(sum.1, 0);
    }

    #[test]
    fn a_second_burst_after_a_rest_is_told_again() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(start);
        count(&mut bucket, start, MESSAGE_BURST + 1);
        let rested = start + Duration::from_secs(60);
        assert_eq!(count(&mut bucket, rested, MESSAGE_BURST + 9), (MESSAGE_BURST, 1));
    }

    #[test]
    fn a_flood_without_end_is_ended() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(now);
        count(&mut bucket, now, MESSAGE_BURST + FLOOD_LIMIT);
        assert_eq!(bucket.take(now), Verdict::Flood);
        // With pauses between, it is none.
        let mut bucket = TokenBucket::new(now);
        for rest in 0..10 {
            let now = now + Duration::from_secs(60 * rest);
            count(&mut bucket, now, MESSAGE_BURST + FLOOD_LIMIT - 1);
            assert_eq!(bucket.take(now), Verdict::Dropped);
        }
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
        let start = Instant::now() + Duration::from_secs(60);
        let mut bucket = TokenBucket::new(start);
        count(&mut bucket, start, MESSAGE_BURST + 1);
        assert_eq!(count(&mut bucket, start - Duration::from_secs(30), 5), (0, 0));
        assert_eq!(count(&mut bucket, start, 5), (0, 0));
    }
}
