//! Notices that the receiver's feedback has stopped.

use std::time::{Duration, Instant};

/// Without an answer for this long and a few round trips, nothing gets through. Feedback comes
/// every 50–100 ms; a few lost in a row (20 % loss on the way back) must not look like silence.
const PATIENCE: Duration = Duration::from_millis(400);
const ROUND_TRIPS: u32 = 3;
/// Receiver reports come every second or five (RFC 3550 §6.2).
const PATIENCE_REPORTS: Duration = Duration::from_secs(6);
/// A round trip is not believed to be longer than this.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(2);
/// Until one is known.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Only so many packets without an answer are a sign: a single last one may just be lost.
const LEAST_UNANSWERED: u32 = 4;

/// Waits for answers while something is sent. Who sends nothing hears nothing, and that is no sign.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When the next answer is overdue; `None` while nothing unanswered was sent.
    due: Option<Instant>,
    /// How long that is waited for.
    patience: Duration,
    /// Sent since the last answer, or since the last term has passed.
    unanswered: u32,
    last_sent: Option<Instant>,
    silent: bool,
}

impl Silence {
    /// `prompt` says that the other side gives feedback by the packet.
    pub(super) fn on_sent(&mut self, now: Instant, rtt: Option<Duration>, prompt: bool) {
        let rtt = rtt.unwrap_or(FIRST_ROUND_TRIP).min(LONGEST_ROUND_TRIP);
        let patience = if prompt { PATIENCE } else { PATIENCE_REPORTS };
        self.patience = patience + ROUND_TRIPS * rtt;
        self.unanswered = self.unanswered.saturating_add(1);
        self.last_sent = Some(now);
        if self.due.is_none() {
            self.due = Some(now + self.patience);
        }
    }

    /// Feedback has come, about packets up to one that left at `newest`; true when it ends a
    /// silence.
    pub(super) fn on_feedback(&mut self, now: Instant, newest: Instant) -> bool {
        self.unanswered = 0;
        let open = self.last_sent.is_some_and(|sent| sent > newest);
        self.due = open.then_some(now + self.patience);
        std::mem::take(&mut self.silent)
    }

    /// True each time that another term has passed in silence.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        let sign = self.unanswered >= LEAST_UNANSWERED;
        self.silent |= sign;
        self.unanswered = 0;
        self.due = sign.then_some(now + self.patience);
        sign
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }
}
