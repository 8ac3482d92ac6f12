//! How long one has to wait for what repairs a loss.
//!
//! A copy comes with the next packet, or the next but one (RFC 2198), and so does the coarse copy
//! inside a codec's packet (RFC 6716 §2.1.7): waiting for it delays all that is heard. How far back
//! the copies reached that were needed lately says how long waiting is worth it.

use std::collections::VecDeque;

/// Packets for which a repair is remembered: 10 s of 20 ms packets. Even at a few per cent of loss
/// two in a row are lost only every few seconds.
const MEMORY: i64 = 500;
/// Repairs remembered at most: every other packet of the memory.
const MOST: usize = MEMORY as usize / 2;
/// The newest packets, of which one that is missing may still be on its way.
const ON_THE_WAY: i64 = 8;

#[derive(Debug)]
pub(super) struct Repairs {
    /// Missing packets, and how many samples after its own time the sound of each could be had.
    events: VecDeque<(i64, i64)>,
    sorted: Vec<i64>,
}

impl Repairs {
    pub(super) fn new() -> Self {
        Self { events: VecDeque::with_capacity(MOST), sorted: Vec::with_capacity(MOST) }
    }

    /// What is missing under `sequence` could be had `reach` samples after its own time.
    pub(super) fn note(&mut self, sequence: i64, reach: i64) {
        if self.events.iter().any(|(known, _)| *known == sequence) {
            return;
        }
        if self.events.len() == MOST {
            self.events.pop_front();
        }
        self.events.push_back((sequence, reach));
    }

    /// It was not missing, only late.
    pub(super) fn arrived(&mut self, sequence: i64) {
        self.events.retain(|(known, _)| *known != sequence);
    }

    /// For how many samples to wait so that, of the packets up to `newest`, no larger share than
    /// `missed` has a repair that comes too late; `known` packets have been there in all.
    pub(super) fn wait(&mut self, newest: i64, known: u64, missed: f64) -> i64 {
        let recent = newest - MEMORY..=newest - ON_THE_WAY;
        while self.events.front().is_some_and(|(sequence, _)| sequence < recent.start()) {
            self.events.pop_front();
        }
        let counted = self.events.iter().filter(|(sequence, _)| recent.contains(sequence));
        self.sorted.clear();
        self.sorted.extend(counted.map(|(_, reach)| *reach));
        self.sorted.sort_unstable_by(|a, b| b.cmp(a));
        let allowed = known.min(MEMORY.cast_unsigned()) as f64 * missed;
        self.sorted.get(allowed as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_as_long_as_most_repairs_need() {
        let mut repairs = Repairs::new();
        assert_eq!(repairs.wait(0, 0, 0.004), 0);
        (0..10).for_each(|n| repairs.note(n * 10, 960));
        assert_eq!(repairs.wait(98, 500, 0.004), 960);
        (10..12).for_each(|n| repairs.note(n * 10, 1920));
        assert_eq!(repairs.wait(200, 500, 0.004), 960, "two in five hundred are let go");
        repairs.note(120, 1920);
        repairs.note(120, 960);
        assert_eq!(repairs.wait(200, 500, 0.004), 1920);
        repairs.arrived(120);
        assert_eq!(repairs.wait(200, 500, 0.004), 960);
        assert_eq!(repairs.wait(1_000, 500, 0.004), 0, "forgotten");
    }

    #[test]
    fn what_may_be_on_its_way_is_not_missing_yet() {
        let mut repairs = Repairs::new();
        repairs.note(40, 960);
        assert_eq!(repairs.wait(47, 48, 0.004), 0);
        assert_eq!(repairs.wait(48, 49, 0.004), 960);
    }

    #[test]
    fn memory_is_bounded() {
        let mut repairs = Repairs::new();
        (0..10_000).for_each(|n| repairs.note(n, 960));
        assert_eq!(repairs.events.len(), MOST);
    }
}
