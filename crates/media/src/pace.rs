//! The clock of sources and sinks that have none of their own.

use std::time::{Duration, Instant};

use crate::Stop;

/// The length of a [`crate::PcmFrame`].
const FRAME: Duration = Duration::from_millis(10);
/// Further behind than this, the machine was asleep: what was missed is not made up for.
const ASLEEP: Duration = Duration::from_secs(1);

/// Every 10 ms, by an absolute schedule: being late once does not make everything later.
#[derive(Debug)]
pub(crate) struct Pace {
    next: Instant,
}

impl Pace {
    pub(crate) fn start() -> Self {
        Self { next: Instant::now() }
    }

    /// Waits until the next frame is due; true when told to stop.
    pub(crate) fn wait(&mut self, stop: &Stop) -> bool {
        self.next += FRAME;
        loop {
            let now = Instant::now();
            if now > self.next + ASLEEP {
                self.next = now;
            }
            let Some(early) = self.next.checked_duration_since(now).filter(|d| !d.is_zero()) else {
                return stop.is_stopped();
            };
            if stop.wait(early) {
                return true;
            }
        }
    }
}
