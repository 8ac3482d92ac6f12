//! How often a stranger may cause something.

use std::time::{Duration, Instant};

/// A token bucket: `burst` at once, and one more after each `interval`. What is not allowed is the
/// caller's to refuse.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    burst: u32,
    interval: Duration,
    left: u32,
    /// From when the next one is counted.
    counted: Option<Instant>,
}

impl Allowance {
    pub(crate) fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, left: burst, counted: None }
    }

    /// Whether it may happen now; then it counts as having happened.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let counted = *self.counted.get_or_insert(now);
        let earned = now.saturating_duration_since(counted).as_nanos() / self.interval.as_nanos();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        if earned >= self.burst - self.left {
            self.left = self.burst;
            self.counted = Some(now);
        } else {
            self.left += earned;
            self.counted = Some(counted + self.interval * earned);
        }
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_then_one_each_interval() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut allowance = Allowance::new(3, second);
        let taken = |allowance: &mut Allowance, at| (0..10).filter(|_| allowance.take(at)).count();
        assert_eq!(taken(&mut allowance, start), 3);
        assert_eq!(taken(&mut allowance, start + second / 2), 0);
        assert_eq!(taken(&mut allowance, start + second * 3 / 2), 1);
        assert_eq!(taken(&mut allowance, start + second * 2), 1);
        assert_eq!(taken(&mut allowance, start + second * 100), 3);
    }
}
