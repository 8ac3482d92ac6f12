//! How long to wait before the next try.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// The first delay.
const FIRST: Duration = Duration::from_millis(500);
/// The longest delay: a person who waits sees something happen within it.
const LONGEST: Duration = Duration::from_secs(8);
/// What held for this long had succeeded: the delays begin again. Without it, something that
/// works for a moment and breaks again would be tried again twice a second for ever.
pub(crate) const SETTLED: Duration = Duration::from_secs(5);

/// Delays that double, each shortened by up to a half so that the tries of several participants
/// spread out after a common loss. The same seed gives the same delays.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    next: Duration,
    random: u64,
}

impl Backoff {
    /// Begins with the shortest delay; `who` should differ between participants.
    pub(crate) fn new(who: impl Hash) -> Self {
        // Unlike a map's hasher, this one has fixed keys.
        let mut hasher = DefaultHasher::new();
        who.hash(&mut hasher);
        Self { next: FIRST, random: hasher.finish() }
    }

    /// The delay after something that held for `lasted`: zero if it never worked.
    pub(crate) fn delay_after(&mut self, lasted: Duration) -> Duration {
        if lasted >= SETTLED {
            self.reset();
        }
        let longest = self.next;
        self.next = (self.next * 2).min(LONGEST);
        longest.mul_f64(0.5 + 0.5 * self.fraction())
    }

    /// Begins with the shortest delay again.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// The next number in 0..1: SplitMix64 (Steele, Lea, Flood 2014), its upper 53 bits.
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_are_shortened_by_at_most_a_half() {
        let mut backoff = Backoff::new(7);
        for expected in [500, 1000, 2000, 4000, 8000, 8000, 8000].map(Duration::from_millis) {
            let delay = backoff.delay_after(Duration::ZERO);
            assert!(delay >= expected / 2 && delay <= expected, "{delay:?} for {expected:?}");
        }
    }

    #[test]
    fn what_held_for_a_while_begins_the_delays_again_and_a_moment_does_not() {
        let mut backoff = Backoff::new(7);
        for _ in 0..5 {
            backoff.delay_after(Duration::ZERO);
        }
        assert!(backoff.delay_after(SETTLED - Duration::from_millis(1)) >= LONGEST / 2);
        assert!(backoff.delay_after(SETTLED) <= FIRST);
    }

    #[test]
    fn participants_differ_and_each_repeats_itself() {
        let delays = |who: u64| {
            let mut backoff = Backoff::new(who);
            [(); 4].map(|()| backoff.delay_after(Duration::ZERO))
        };
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }
}
