//! How fast something comes, over the last seconds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Looked back for so long: a number that people read may not jump, and has to follow a change.
const WINDOW: Duration = Duration::from_secs(3);
/// What comes within this counts as one.
const STEP: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Meter {
    begun: Option<Instant>,
    steps: VecDeque<(Instant, u64)>,
}

impl Meter {
    pub(super) fn add(&mut self, now: Instant, bytes: u64) {
        self.forget(now);
        self.begun.get_or_insert(now);
        match self.steps.back_mut() {
            Some((at, sum)) if now.saturating_duration_since(*at) < STEP => *sum += bytes,
            _ => self.steps.push_back((now, bytes)),
        }
    }

    /// Bytes a second.
    pub(super) fn rate(&mut self, now: Instant) -> u64 {
        self.forget(now);
        let Some(begun) = self.begun else { return 0 };
        let time = now.saturating_duration_since(begun).clamp(STEP, WINDOW);
        let bytes: u64 = self.steps.iter().map(|(_, bytes)| bytes).sum();
        (bytes as f64 / time.as_secs_f64()) as u64
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn forget(&mut self, now: Instant) {
        let old = |at: Instant| now.saturating_duration_since(at) > WINDOW;
        while self.steps.front().is_some_and(|(at, _)| old(*at)) {
            self.steps.pop_front();
        }
        if self.steps.is_empty() {
            self.begun = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_comes_and_forgets() {
        let mut meter = Meter::default();
        let begin = Instant::now();
        assert_eq!(meter.rate(begin), 0);
        for step in 0..100 {
            meter.add(begin + STEP * step, 1000);
        }
        let now = begin + STEP * 99;
        assert!((9_000..=11_000).contains(&meter.rate(now)), "{}", meter.rate(now));
        assert_eq!(meter.rate(now + WINDOW * 2), 0);
    }
}
