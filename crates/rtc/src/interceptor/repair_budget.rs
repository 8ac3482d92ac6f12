//! How much may be sent again.

use std::time::{Duration, Instant};

/// Over so long is measured what the media take themselves.
const MEDIA_WINDOW: Duration = Duration::from_millis(500);
/// This part of what the media leave of the path's rate may be used for repair…
const OF_THE_REST: f64 = 0.8;
/// …and of the path's rate at least this, for without repair the rest is worth little.
const AT_LEAST: f64 = 0.1;
/// What was not used so far back may be used now.
const SAVED: Duration = Duration::from_millis(200);
/// What was asked for may be sent on credit, as much as the path carries in this time: losses come
/// together, and what they hide is missing now.
const CREDIT: Duration = Duration::from_millis(250);

/// A token bucket whose inflow follows what the path carries and what the media leave of that.
#[derive(Debug)]
pub(super) struct RepairBudget {
    /// Bits; below 0 on credit.
    left: f64,
    /// Bits of media, fading.
    media: f64,
    rate_bps: f64,
    granted_bps: f64,
    at: Option<Instant>,
}

impl RepairBudget {
    pub(super) const fn new() -> Self {
        Self { left: 0.0, media: 0.0, rate_bps: 0.0, granted_bps: 0.0, at: None }
    }

    /// The path carries `rate_bps`, of which the engine grants `granted_bps` to repair.
    pub(super) fn advance(&mut self, now: Instant, rate_bps: u64, granted_bps: u64) {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        (self.rate_bps, self.granted_bps) = (rate_bps as f64, granted_bps as f64);
        self.media *= (-passed.as_secs_f64() / MEDIA_WINDOW.as_secs_f64()).exp();
        let rest = self.rate_bps - self.media / MEDIA_WINDOW.as_secs_f64();
        let inflow = self.granted_bps.max(rest * OF_THE_REST).max(self.rate_bps * AT_LEAST);
        let most = inflow * SAVED.as_secs_f64();
        self.left = (self.left + inflow * passed.as_secs_f64()).min(most);
    }

    /// Media of so many bytes leave.
    pub(super) fn media(&mut self, bytes: usize) {
        self.media += bytes as f64 * 8.0;
    }

    /// Whether something may be sent again that nobody has asked for.
    pub(super) fn is_ample(&self) -> bool {
        self.left > 0.0
    }

    /// Takes what something asked for needs; false when even the credit is used up.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let enough = self.left > -self.rate_bps * CREDIT.as_secs_f64();
        if enough {
            self.left -= bytes as f64 * 8.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Bits a second that are repaired when everything is asked for, without end.
    fn repaired(rate_bps: u64, granted_bps: u64, media_bps: u64) -> f64 {
        let start = Instant::now();
        let mut budget = RepairBudget::new();
        let mut bits = 0.0;
        for ms in 0..6_000 {
            let now = start + ms * MS;
            budget.advance(now, rate_bps, granted_bps);
            budget.media(media_bps as usize / 8_000);
            while budget.take(100) {
                // The credit is used up by then, and the media are known.
                bits += if ms >= 1_000 { 800.0 } else { 0.0 };
            }
        }
        bits / 5.0
    }

    #[test]
    fn repair_gets_what_is_granted_and_most_of_what_the_media_leave() {
        let close = |is: f64, should: f64| (is - should).abs() < should * 0.1;
        assert!(close(repaired(1_000_000, 200_000, 900_000), 200_000.0));
        assert!(close(repaired(1_000_000, 0, 500_000), 400_000.0));
        assert!(close(repaired(1_000_000, 0, 1_000_000), 100_000.0));
    }

    #[test]
    fn what_is_asked_for_goes_on_credit_and_nothing_else_then() {
        let start = Instant::now();
        let mut budget = RepairBudget::new();
        budget.advance(start, 1_000_000, 100_000);
        budget.media(62_500);
        budget.advance(start + 100 * MS, 1_000_000, 100_000);
        assert!(budget.is_ample());
        let taken = (0..1_000).filter(|_| budget.take(1_000)).count();
        assert!((30..=35).contains(&taken), "{taken}");
        assert!(!budget.is_ample());
    }
}
