//! When to ask the peer for a key frame.

use std::time::{Duration, Instant};

/// No two requests are closer than this: an encoder does not answer faster, and a browser counts
/// each one as a fault.
const SHORTEST: Duration = Duration::from_millis(300);
/// A request may be lost, or answered by a key frame that is lost: after this it is repeated.
const REPEAT: Duration = Duration::from_millis(1_000);

/// Spaces the requests, and repeats them until a key frame has come.
#[derive(Debug, Default)]
pub(crate) struct KeyFrameRequests {
    wanted: bool,
    last: Option<Instant>,
    /// When the next request goes out.
    next: Option<Instant>,
}

impl KeyFrameRequests {
    /// A key frame is wanted: at once, or when the shortest distance allows.
    pub(crate) fn want(&mut self, now: Instant) {
        self.wanted = true;
        let earliest = self.last.map_or(now, |last| (last + SHORTEST).max(now));
        self.next = Some(self.next.map_or(earliest, |next| next.min(earliest)));
    }

    /// A key frame has come.
    pub(crate) fn satisfied(&mut self) {
        self.wanted = false;
        self.next = None;
    }

    /// When [`Self::due`] wants to be asked next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// True when a request is to be sent now.
    pub(crate) fn due(&mut self, now: Instant) -> bool {
        let due = self.wanted && self.next.is_some_and(|next| next <= now);
        if due {
            self.last = Some(now);
            self.next = Some(now + REPEAT);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_request_goes_at_once_and_the_next_after_its_distance() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::default();
        requests.want(start);
        assert!(requests.due(start));
        requests.satisfied();
        requests.want(start + 100 * MS);
        assert!(!requests.due(start + 100 * MS));
        assert_eq!(requests.poll_timeout(), Some(start + SHORTEST));
        assert!(requests.due(start + SHORTEST));
    }

    #[test]
    fn a_request_is_repeated_until_a_key_frame_comes() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::default();
        requests.want(start);
        assert!(requests.due(start));
        assert!(!requests.due(start + REPEAT - MS));
        assert!(requests.due(start + REPEAT));
        requests.satisfied();
        assert_eq!(requests.poll_timeout(), None);
        assert!(!requests.due(start + 10 * REPEAT));
    }
}
