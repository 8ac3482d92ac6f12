//! Which packets came: unwrapped sequence numbers, duplicates, losses.

/// RFC 3550 appendix A.1 calls it MAX_DROPOUT: a larger step is a restart of the sender.
const MAX_STEP: u16 = 3000;
/// Packets remembered one by one; an older one that comes again, or at last, is of no use anyway.
const REMEMBERED: i64 = 128;

#[derive(Debug, Default)]
pub(super) struct Received {
    /// Unwrapped; `None` before the first packet.
    newest: Option<i64>,
    first: i64,
    count: u64,
    /// Bit `n` is set when the packet `n` before the newest one came.
    recent: u128,
    /// Likewise when it is known from a copy.
    copied: u128,
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
            let shifted = |bits: u128| if step < REMEMBERED { bits << step } else { 0 };
            (self.recent, self.copied) = (shifted(self.recent) | 1, shifted(self.copied));
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

    /// Unwraps the sequence number of a copy of a packet that did not come, or not yet; `None` when
    /// it did, when there was a copy already, or when it is not a packet of the recent past.
    pub(super) fn record_copy(&mut self, sequence: u16) -> Option<i64> {
        let sequence = self.newest? + i64::from(self.step(sequence));
        let bit = self.missing(sequence)?;
        self.copied |= bit;
        Some(sequence)
    }

    /// The packet of the recent past did not come, or not yet, and there is no copy of it.
    pub(super) fn is_missing(&self, sequence: i64) -> bool {
        self.missing(sequence).is_some()
    }

    fn missing(&self, sequence: i64) -> Option<u128> {
        let back = self.newest? - sequence;
        let known = (1..REMEMBERED).contains(&back) && sequence > self.first;
        let bit = if known { 1 << back } else { return None };
        ((self.recent | self.copied) & bit == 0).then_some(bit)
    }

    /// There was a copy of the packet, which it may have been played from.
    pub(super) fn was_copied(&self, sequence: i64) -> bool {
        let back = self.newest.map_or(0, |newest| newest - sequence);
        (0..REMEMBERED).contains(&back) && self.copied & 1 << back != 0
    }

    /// The newest packet's sequence number, unwrapped.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Packets that came.
    pub(super) fn count(&self) -> u64 {
        self.count
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
    fn a_copy_counts_once_and_only_for_what_is_missing() {
        let mut received = Received::default();
        assert_eq!(received.record_copy(9), None, "before any packet");
        for sequence in [65_530, 65_533, 0] {
            received.record(sequence);
        }
        assert_eq!(received.record_copy(65_531), Some(65_531));
        assert_eq!(received.record_copy(65_531), None, "a second copy");
        assert_eq!(received.record_copy(65_533), None, "it came by itself");
        assert_eq!(received.record_copy(65_529), None, "before the first");
        assert_eq!(received.record_copy(1), None, "from the future");
        assert!(received.was_copied(65_531) && !received.was_copied(65_532));
        assert!(received.is_missing(65_532) && !received.is_missing(65_531));
        assert_eq!(received.lost(), 4);
        assert_eq!(received.record(65_531), Some(65_531), "at last");
        assert_eq!(received.lost(), 3);
        received.record(300);
        assert!(!received.was_copied(65_531), "long ago");
    }
}
