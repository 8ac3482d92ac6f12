//! How much somebody may say of files.

use std::time::{Duration, Instant};

use quartet_proto::limits::{FILES_BURST, FILES_MESSAGES_PER_SECOND};

use crate::allowance::Allowance;

/// Whether what comes on the control channel is still looked at; asked before anything is read.
#[derive(Debug)]
pub struct FilesAllowance(Allowance);

impl FilesAllowance {
    /// Of a new channel.
    #[must_use]
    pub fn new() -> Self {
        Self(Allowance::new(FILES_BURST, Duration::from_secs(1) / FILES_MESSAGES_PER_SECOND))
    }

    /// A message came; it is to be ignored when this is false.
    pub fn take(&mut self, now: Instant) -> bool {
        self.0.take(now)
    }
}

impl Default for FilesAllowance {
    fn default() -> Self {
        Self::new()
    }
}
