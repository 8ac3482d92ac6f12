//! Which packets of an RTP stream have come: duplicates and losses.

/// Packets that are remembered; a later copy of an older one counts as a duplicate. At 1,000
/// packets a second, more than any stream here, that is half a second of reordering.
const WINDOW: u64 = 512;

/// Recognises duplicates and counts what never came, as RFC 3550 appendix A.3 does.
#[derive(Debug)]
pub(crate) struct Arrivals {
    /// The first sequence number, extended by its wraps.
    first: u64,
    highest: Option<u64>,
    received: u64,
    /// One bit a packet, by sequence number modulo [`WINDOW`].
    seen: [bool; WINDOW as usize],
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { first: 0, highest: None, received: 0, seen: [false; WINDOW as usize] }
    }
}

impl Arrivals {
    /// Notes a packet; false for one that has come before, or is too old to tell.
    pub(crate) fn note(&mut self, sequence: u16) -> bool {
        let Some(highest) = self.highest else {
            // Room for packets that overtook their predecessors.
            let first = u64::from(sequence) + (1 << 16);
            self.first = first;
            self.highest = Some(first);
            self.received = 1;
            self.seen[slot(first)] = true;
            return true;
        };
        let extended = extend(sequence, highest);
        if extended > highest {
            // A jump of the whole window or more forgets everything.
            for skipped in extended.saturating_sub(WINDOW).max(highest) + 1..=extended {
                self.seen[slot(skipped)] = false;
            }
            self.highest = Some(extended);
        } else if highest - extended >= WINDOW || self.seen[slot(extended)] {
            return false;
        }
        self.seen[slot(extended)] = true;
        self.first = self.first.min(extended);
        self.received += 1;
        true
    }

    /// Packets that should have come and did not, or not yet.
    pub(crate) fn lost(&self) -> u64 {
        self.highest.map_or(0, |highest| (highest - self.first + 1).saturating_sub(self.received))
    }
}

/// The extended number nearest to `highest` whose low 16 bits are `sequence`.
pub(crate) fn extend(sequence: u16, highest: u64) -> u64 {
    let ahead = sequence.wrapping_sub(highest as u16);
    if ahead < 0x8000 {
        highest + u64::from(ahead)
    } else {
        highest.saturating_sub(u64::from(ahead.wrapping_neg()))
    }
}

fn slot(extended: u64) -> usize {
    (extended % WINDOW) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_recognised_across_the_wrap() {
        let mut arrivals = Arrivals::default();
        for sequence in [65_534, 65_535, 0, 1] {
            assert!(arrivals.note(sequence));
        }
        for sequence in [65_534, 65_535, 0, 1] {
            assert!(!arrivals.note(sequence));
        }
        assert_eq!(arrivals.lost(), 0);
    }

    #[test]
    fn a_gap_is_a_loss_until_it_is_filled() {
        let mut arrivals = Arrivals::default();
        arrivals.note(10);
        arrivals.note(13);
        assert_eq!(arrivals.lost(), 2);
        assert!(arrivals.note(12));
        assert!(arrivals.note(11));
        assert_eq!(arrivals.lost(), 0);
    }

    #[test]
    fn a_packet_before_the_first_counts() {
        let mut arrivals = Arrivals::default();
        arrivals.note(0);
        assert!(arrivals.note(65_535));
        assert!(!arrivals.note(65_535));
        assert_eq!(arrivals.lost(), 0);
    }

    #[test]
    fn what_is_older_than_the_window_counts_as_a_duplicate() {
        let mut arrivals = Arrivals::default();
        arrivals.note(0);
        arrivals.note(600);
        assert!(!arrivals.note(1));
        assert!(arrivals.note(100));
    }

    #[test]
    fn a_large_jump_forgets_the_window() {
        let mut arrivals = Arrivals::default();
        for sequence in 0..512 {
            arrivals.note(sequence);
        }
        arrivals.note(20_000);
        assert!(arrivals.note(19_700));
        assert_eq!(arrivals.lost(), 20_001 - 514);
    }
}
