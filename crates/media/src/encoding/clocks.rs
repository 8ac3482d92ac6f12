//! The times that a pipeline goes by: of the pictures, of its thread, of its load.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quartet_core::VIDEO_CLOCK_RATE;

/// A picture this long after the one before, or before it, came over a step of the system's clock
/// or a pause: the pictures' own time goes on without it.
const MAX_STEP_TICKS: i64 = VIDEO_CLOCK_RATE as i64;
/// By how much it goes on instead: 1/30 s.
const NOMINAL_STEP_TICKS: i64 = VIDEO_CLOCK_RATE as i64 / 30;
/// Over how long the load is smoothed.
const LOAD_SECONDS: f32 = 1.0;

/// Tells the time of pictures in ticks of [`VIDEO_CLOCK_RATE`], the same for all rungs; it only
/// ever grows.
#[derive(Debug, Default)]
pub(crate) struct CaptureClock(Option<Told>);

/// The last picture's time, as the system had it and as it was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    captured: i64,
    told: i64,
}

impl CaptureClock {
    /// The time of the picture captured at `at`.
    pub(crate) fn tell(&mut self, at: SystemTime) -> i64 {
        let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let ticks = since_epoch.as_micros() * u128::from(VIDEO_CLOCK_RATE) / 1_000_000;
        let captured = ticks as i64;
        let told = self.0.map_or(captured, |last| {
            last.told
                + match captured - last.captured {
                    step @ 1..MAX_STEP_TICKS => step,
                    _ => NOMINAL_STEP_TICKS,
                }
        });
        self.0 = Some(Told { captured, told });
        told
    }
}

/// Smooths the share of the time that the thread is at work, waiting for a processor included.
#[derive(Debug)]
pub(crate) struct LoadMeter {
    load: f32,
    last_end: Instant,
}

impl LoadMeter {
    pub(crate) fn start(now: Instant) -> Self {
        Self { load: 0.0, last_end: now }
    }

    /// Work went on from `begin` to `end`; the share now, 0..=1.
    pub(crate) fn worked(&mut self, begin: Instant, end: Instant) -> f32 {
        let whole = end.saturating_duration_since(self.last_end).as_secs_f32();
        let busy = end.saturating_duration_since(begin).as_secs_f32();
        self.last_end = end;
        if whole > 0.0 {
            let weight = 1.0 - (-whole / LOAD_SECONDS).exp();
            self.load += weight * ((busy / whole).min(1.0) - self.load);
        }
        self.load
    }
}

/// The CPU time of the thread that it is used on.
#[cfg(unix)]
pub(crate) struct ThreadClock;

#[cfg(unix)]
impl ThreadClock {
    pub(crate) fn start() -> Self {
        Self
    }

    pub(crate) fn resume(&mut self) {}

    pub(crate) fn pause(&mut self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap_or_default()
    }
}

/// The time between `resume` and `pause`: the standard library has no thread's CPU time.
#[cfg(not(unix))]
pub(crate) struct ThreadClock {
    total: Duration,
    since: Instant,
}

#[cfg(not(unix))]
impl ThreadClock {
    pub(crate) fn start() -> Self {
        Self { total: Duration::ZERO, since: Instant::now() }
    }

    pub(crate) fn resume(&mut self) {
        self.since = Instant::now();
    }

    pub(crate) fn pause(&mut self) -> Duration {
        self.total += self.since.elapsed();
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_follow_the_capture_times_and_never_go_back() {
        let at = |ms: u64| UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_millis(ms);
        let mut clock = CaptureClock::default();
        let first = clock.tell(at(0));
        assert_eq!(first, 90_000 * 1_000_000);
        assert_eq!(clock.tell(at(20)) - first, 1800);
        assert_eq!(clock.tell(at(100)) - first, 9000);
        // The clock is set back, and runs on.
        assert_eq!(clock.tell(UNIX_EPOCH) - first, 12_000);
        assert_eq!(clock.tell(UNIX_EPOCH + Duration::from_millis(50)) - first, 16_500);
        // It is set forward.
        assert_eq!(clock.tell(at(0)) - first, 19_500);
    }

    #[test]
    fn the_load_is_the_share_of_the_time_at_work() {
        let start = Instant::now();
        let mut meter = LoadMeter::start(start);
        let mut load = 0.0;
        for index in 1..=150 {
            let end = start + Duration::from_millis(40 * index);
            load = meter.worked(end - Duration::from_millis(10), end);
        }
        assert!((load - 0.25).abs() < 0.01, "{load}");
        // Without a pause between pictures it is full soon.
        let full = start + Duration::from_secs(9);
        assert!(meter.worked(start + Duration::from_secs(6), full) > 0.9);
    }
}
