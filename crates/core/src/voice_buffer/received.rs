//! Which packets came: unwrapped sequence numbers, duplicates, losses.

/// RFC 3550 appendix A.1 calls it MAX_DROPOUT: a larger step is a restart of the sender.
const MAX_STEP: u16 = 3000;
/// Packets remembered one by one; an older one that comes again, or at last, is of no use anyway.
const REMEMBERED: i64 = 128;
/// The newest packets, of which one that is missing may still be on its way.
const ON_THE_WAY: u32 = 16;

#[derive(Debug, Default)]
pub(super) struct Received {
    /// Unwrapped; `None` before the first packet.
    newest: Option<i64>,
    first: i64,
    count: u64,
    /// Bit `n` is set when the packet `n` before the newest one came.
    recent: u128,
    lost_before: u64,
}

impl Received {
    /// Unwraps the sequence number; `None` when the packet came before, or is ages old.
    pub(super) fn record(&mut self, sequence: u16) -> Option<i64> {
        let Some(newest) = self.newest else {
            let sequence = i64::from(sequence);
            (self.newest, self.first, self.count, self.recent) = (Some(sequence), sequence, 1, 1);
            return Some(sequence);
        };
        let step = i64::from(sequence.wrapping_sub(newest as u16).cast_signed());
        let sequence = newest + step;
        if step > 0 {
            self.recent = if step < REMEMBERED { self.recent << step } else { 0 } | 1;
            self.newest = Some(sequence);
        } else {
            let bit = if -step < REMEMBERED { 1_u128 << -step } else { return None };
            if self.recent & bit != 0 {
                return None;
            }
            self.recent |= bit;
            self.first = self.first.min(sequence);
        }
        self.count += 1;
        Some(sequence)
    }

    pub(super) fn is_newer(&self, sequence: u16) -> bool {
        self.step(sequence) > 0
    }

    /// The sequence number can belong to the same stream.
    pub(super) fn is_near(&self, sequence: u16) -> bool {
        self.step(sequence).unsigned_abs() <= MAX_STEP
    }

    /// Packets that did not come, or not yet.
    pub(super) fn lost(&self) -> u64 {
        let expected = self.newest.map_or(0, |newest| newest - self.first + 1);
        self.lost_before + expected.cast_unsigned().saturating_sub(self.count)
    }

    /// Packets were lost lately.
    pub(super) fn loses(&self) -> bool {
        let known = self.newest.map_or(0, |newest| (newest - self.first + 1).min(REMEMBERED));
        let missing = !self.recent >> ON_THE_WAY;
        let known = known.cast_unsigned() as u32;
        known > ON_THE_WAY && missing.trailing_zeros() < known - ON_THE_WAY
    }

    /// Another stream begins; the losses of this one stay counted.
    pub(super) fn restart(&mut self) {
        *self = Self { lost_before: self.lost(), ..Self::default() };
    }

    fn step(&self, sequence: u16) -> i16 {
        self.newest.map_or(0, |newest| sequence.wrapping_sub(newest as u16).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_packet_once_across_the_wrap() {
        let mut received = Received::default();
        for sequence in [65_534, 65_535, 1, 0, 1, 65_535, 4] {
            received.record(sequence);
        }
        assert_eq!((received.newest, received.count, received.lost()), (Some(65_540), 5, 2));
        assert_eq!(received.record(65_000), None);
        received.restart();
        assert_eq!((received.record(7), received.lost()), (Some(7), 2));
    }

    #[test]
    fn a_loss_is_remembered_for_a_while() {
        let mut received = Received::default();
        for n in (0..40).filter(|n| *n != 10) {
            received.record(n);
        }
        assert!(received.loses());
        for n in 40..140 {
            received.record(n);
        }
        assert!(!received.loses());
    }

    #[test]
    fn what_may_be_on_its_way_is_not_lost() {
        let mut received = Received::default();
        for n in (0..40).filter(|n| *n != 38) {
            received.record(n);
        }
        assert!(!received.loses());
    }
}
