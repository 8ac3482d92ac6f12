//! Notices that the receiver's feedback has stopped.

use std::time::{Duration, Instant};

/// Without an answer for this long and a few round trips, nothing gets through. Feedback comes
/// every 50–100 ms; a few lost in a row (20 % loss on the way back) must not look like silence.
const PATIENCE: Duration = Duration::from_millis(400);
const ROUND_TRIPS: u32 = 3;
/// A round trip is not believed to be longer than this.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(2);

/// Waits for answers while something is sent.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When the next answer is overdue; `None` while nothing unanswered was sent.
    due: Option<Instant>,
    /// How long that is waited for.
    patience: Duration,
    silent: bool,
}

impl Silence {
    pub(super) fn on_sent(&mut self, now: Instant, rtt: Option<Duration>) {
        let rtt = rtt.unwrap_or(Duration::from_millis(100)).min(LONGEST_ROUND_TRIP);
        self.patience = PATIENCE + ROUND_TRIPS * rtt;
        if self.due.is_none() {
            self.due = Some(now + self.patience);
        }
    }

    /// Feedback has come; true when it ends a silence.
    pub(super) fn on_feedback(&mut self, now: Instant) -> bool {
        self.due = self.due.map(|_| now + self.patience);
        std::mem::take(&mut self.silent)
    }

    /// True each time that another term has passed in silence.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let overdue = self.due.is_some_and(|due| due <= now);
        if overdue {
            self.silent = true;
            self.due = Some(now + self.patience);
        }
        overdue
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }
}
