//! What keeps the number of pictures, and of key frames, down.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

/// Between two key frames that were asked for. A key frame is as large as several others: a few
/// receivers with bad lines must not take the quality from all.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);
/// A picture further than this from its place in the schedule starts a new one: the input stood
/// still, or the system's clock was set.
const RESCHEDULE: Duration = Duration::from_secs(1);

/// Lets requests for key frames through, [`KEY_FRAME_INTERVAL`] apart if not said otherwise; those
/// too early wait.
#[derive(Debug)]
pub(crate) struct KeyFrameLimit {
    interval: Duration,
    made: Option<Instant>,
}

impl Default for KeyFrameLimit {
    fn default() -> Self {
        Self::every(KEY_FRAME_INTERVAL)
    }
}

impl KeyFrameLimit {
    pub(crate) fn every(interval: Duration) -> Self {
        Self { interval, made: None }
    }

    /// `wanted` is met now.
    pub(crate) fn admits(&mut self, now: Instant, wanted: &AtomicBool) -> bool {
        let due = self.made.is_none_or(|made| now >= made + self.interval);
        let admitted = due && wanted.swap(false, Ordering::Relaxed);
        if admitted {
            self.made = Some(now);
        }
        admitted
    }
}

/// Thins pictures out to a number a second, evenly.
#[derive(Debug)]
pub(crate) struct PaceLimit {
    interval: Duration,
    next: Option<SystemTime>,
}

impl PaceLimit {
    pub(crate) fn new(max_fps: u16) -> Self {
        Self { interval: Duration::from_secs(1) / u32::from(max_fps.max(1)), next: None }
    }

    pub(crate) fn admits(&mut self, at: SystemTime) -> bool {
        // A source at just this pace is not punished for being uneven.
        let tolerance = self.interval / 4;
        let next = match self.next {
            Some(next) if near(at, next, RESCHEDULE.max(2 * self.interval)) => next,
            _ => at,
        };
        if at + tolerance < next {
            return false;
        }
        self.next = Some((next + self.interval).max(at));
        true
    }
}

fn near(a: SystemTime, b: SystemTime, limit: Duration) -> bool {
    a.duration_since(b).unwrap_or_else(|error| error.duration()) <= limit
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// How many of a second's pictures are admitted, of a source at `fps` with up to `jitter_ms`
    /// of delay.
    fn admitted(fps: u32, max_fps: u16, jitter_ms: u64) -> u32 {
        let seconds = 10;
        let mut rng = fastrand::Rng::with_seed(u64::from(fps));
        let mut limit = PaceLimit::new(max_fps);
        let admitted = (0..fps * seconds).filter(|&index| {
            let delay = Duration::from_millis(rng.u64(0..=jitter_ms));
            limit.admits(UNIX_EPOCH + Duration::from_secs(index.into()) / fps + delay)
        });
        admitted.count() as u32 / seconds
    }

    #[test]
    fn faster_sources_are_thinned_out_and_others_left_alone() {
        assert_eq!(admitted(30, 30, 0), 30);
        assert_eq!(admitted(30, 30, 7), 30);
        assert_eq!(admitted(15, 30, 20), 15);
        assert_eq!(admitted(60, 30, 3), 30);
        assert!((29..=30).contains(&admitted(50, 30, 3)));
        assert_eq!(admitted(30, 10, 0), 10);
    }

    #[test]
    fn the_first_request_is_met_at_once_and_none_is_forgotten() {
        let (mut limit, wanted, start) =
            (KeyFrameLimit::default(), AtomicBool::new(false), Instant::now());
        assert!(!limit.admits(start, &wanted));
        for (after_ms, admitted) in [(0, true), (1, false), (299, false), (300, true)] {
            wanted.store(true, Ordering::Relaxed);
            let now = start + Duration::from_millis(after_ms);
            assert_eq!(limit.admits(now, &wanted), admitted, "after {after_ms} ms");
        }
        wanted.store(true, Ordering::Relaxed);
        assert!(!limit.admits(start + Duration::from_millis(400), &wanted));
        assert!(limit.admits(start + Duration::from_millis(600), &wanted), "it was forgotten");
    }

    #[test]
    fn a_clock_set_back_does_not_stop_the_picture() {
        let mut limit = PaceLimit::new(30);
        assert!(limit.admits(UNIX_EPOCH + Duration::from_secs(10_000)));
        assert!(limit.admits(UNIX_EPOCH));
    }
}
