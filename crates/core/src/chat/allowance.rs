//! How much somebody may say.

use std::time::{Duration, Instant};

use quartet_proto::limits::{CHAT_BURST, CHAT_MESSAGES_PER_SECOND};

use crate::allowance::Allowance;

/// Whether what comes on a channel is still looked at. It is asked before anything is read, so that
/// whoever talks without end costs next to nothing.
#[derive(Debug)]
pub struct ChatAllowance(Allowance);

impl ChatAllowance {
    /// Of a new channel.
    #[must_use]
    pub fn new() -> Self {
        Self(Allowance::new(CHAT_BURST, Duration::from_secs(1) / CHAT_MESSAGES_PER_SECOND))
    }

    /// A message came; it is to be ignored when this is false.
    pub fn take(&mut self, now: Instant) -> bool {
        self.0.take(now)
    }
}

impl Default for ChatAllowance {
    fn default() -> Self {
        Self::new()
    }
}
