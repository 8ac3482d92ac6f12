//! Says when a picture stood still for longer than its own pace explains.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Gaps that the average is taken of: a second at 30 fps (the "last 30 frames" of `freezeCount`
/// in W3C webrtc-stats).
const AVERAGED_GAPS: usize = 30;
/// Gaps that must have been seen before the average means anything; libwebrtc's value.
const MIN_GAPS: usize = 5;
/// At a high frame rate a gap counts only if it is this much longer than the average, which is
/// what a person notices (W3C webrtc-stats).
const NOTICED: Duration = Duration::from_millis(150);

/// Counts freezes: gaps between shown pictures longer than max(3 × average, average + 150 ms).
///
/// The average is that of the 30 gaps before: a stream that becomes slow for good is a freeze only
/// until that is its pace.
#[derive(Debug, Default)]
pub struct FreezeMeter {
    last: Option<Instant>,
    gaps: VecDeque<Duration>,
    totals: FreezeTotals,
}

/// What a [`FreezeMeter`] has counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FreezeTotals {
    /// Pictures shown.
    pub frames: u64,
    /// Freezes.
    pub freezes: u64,
    /// The length of all freezes, from the picture before to the picture after each.
    pub frozen: Duration,
    /// The length of the longest freeze.
    pub longest: Duration,
}

impl FreezeTotals {
    fn add_freeze(&mut self, length: Duration) {
        self.freezes += 1;
        self.frozen += length;
        self.longest = self.longest.max(length);
    }
}

impl FreezeMeter {
    /// A picture was shown.
    pub fn shown(&mut self, now: Instant) {
        self.totals.frames += 1;
        let Some(last) = self.last.replace(now) else {
            return;
        };
        let gap = now.saturating_duration_since(last);
        if self.is_freeze(gap) {
            self.totals.add_freeze(gap);
        }
        if self.gaps.len() == AVERAGED_GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }

    /// No pictures are meant to come for now (the camera was turned off): the time until the next
    /// one is no freeze.
    pub fn pause(&mut self, now: Instant) {
        self.totals = self.totals(now);
        self.last = None;
    }

    /// What has been counted, a freeze that still lasts included.
    #[must_use]
    pub fn totals(&self, now: Instant) -> FreezeTotals {
        let mut totals = self.totals;
        let gap = self.last.map(|last| now.saturating_duration_since(last));
        if let Some(gap) = gap.filter(|&gap| self.is_freeze(gap)) {
            totals.add_freeze(gap);
        }
        totals
    }

    fn is_freeze(&self, gap: Duration) -> bool {
        if self.gaps.len() < MIN_GAPS {
            return false;
        }
        let count = u32::try_from(self.gaps.len()).unwrap_or(u32::MAX);
        let average = self.gaps.iter().sum::<Duration>() / count;
        gap > (average * 3).max(average + NOTICED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(40);

    /// A meter that has seen ten pictures at 25 fps, and the time of the last.
    fn at_25_fps() -> (FreezeMeter, Instant) {
        let mut meter = FreezeMeter::default();
        let mut now = Instant::now();
        meter.shown(now);
        for _ in 0..9 {
            now += FRAME;
            meter.shown(now);
        }
        (meter, now)
    }

    #[test]
    fn only_a_gap_beyond_the_limit_is_a_freeze() {
        let limit = FRAME + NOTICED;
        let (mut meter, now) = at_25_fps();
        meter.shown(now + limit);
        assert_eq!(meter.totals(now + limit).freezes, 0);

        let (mut meter, now) = at_25_fps();
        let gap = limit + Duration::from_millis(1);
        meter.shown(now + gap);
        let totals = meter.totals(now + gap);
        assert_eq!(totals, FreezeTotals { frames: 11, freezes: 1, frozen: gap, longest: gap });
    }

    #[test]
    fn a_slow_stream_is_measured_by_its_own_pace() {
        let mut meter = FreezeMeter::default();
        let mut now = Instant::now();
        for _ in 0..10 {
            meter.shown(now);
            now += Duration::from_millis(500);
        }
        // 1 s is twice the average: noticed, but under three times it.
        meter.shown(now + Duration::from_millis(500));
        assert_eq!(meter.totals(now).freezes, 0);
    }

    #[test]
    fn a_freeze_that_still_lasts_is_counted_once() {
        let (mut meter, now) = at_25_fps();
        let later = now + Duration::from_secs(2);
        assert_eq!(meter.totals(later).frozen, Duration::from_secs(2));
        meter.shown(later);
        let totals = meter.totals(later);
        assert_eq!((totals.freezes, totals.frozen), (1, Duration::from_secs(2)));
    }

    #[test]
    fn the_longest_freeze_is_known_whenever_it_was() {
        let (mut meter, mut now) = at_25_fps();
        for gap in [1000, 3000, 1000] {
            now += Duration::from_millis(gap);
            meter.shown(now);
            for _ in 0..AVERAGED_GAPS {
                now += FRAME;
                meter.shown(now);
            }
        }
        let totals = meter.totals(now);
        assert_eq!(totals.freezes, 3);
        assert_eq!(totals.longest, Duration::from_secs(3));
    }

    #[test]
    fn a_pause_is_no_freeze() {
        let (mut meter, now) = at_25_fps();
        meter.pause(now + FRAME);
        let later = now + Duration::from_secs(60);
        assert_eq!(meter.totals(later).freezes, 0);
        meter.shown(later);
        assert_eq!(meter.totals(later).freezes, 0);
    }

    #[test]
    fn a_stream_that_became_slow_for_good_is_no_freeze_for_ever() {
        let (mut meter, mut now) = at_25_fps();
        for _ in 0..100 {
            now += Duration::from_millis(250);
            meter.shown(now);
        }
        let freezes = meter.totals(now).freezes;
        assert!((1..10).contains(&freezes), "{freezes} freezes");
    }
}
