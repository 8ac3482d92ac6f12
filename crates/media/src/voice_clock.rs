//! The timestamps of the own voice, which go on when one microphone follows another.
//!
//! To those who listen, a change of the microphone is then a pause (timestamps advance, packets are
//! not missing) and not another voice, whose first packets they would doubt.

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;

use crate::opus_voice::PACKET_SAMPLES;

/// Shared by all [`crate::VoiceSender`]s of a call, of which only the newest is heard. Cloning
/// shares it.
#[derive(Debug, Clone, Default)]
pub struct VoiceClock(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Counts senders.
    newest: u64,
    /// The timestamp of what was encoded last, and when.
    last: Option<(u32, Instant)>,
}

/// One sender's place on the clock.
#[derive(Debug)]
pub(crate) struct Turn {
    clock: VoiceClock,
    number: u64,
    timestamp: Option<u32>,
}

impl VoiceClock {
    /// The next sender's; those before it have nothing to say any more.
    pub(crate) fn turn(&self) -> Turn {
        let mut state = self.0.lock();
        state.newest += 1;
        Turn { clock: self.clone(), number: state.newest, timestamp: None }
    }
}

impl Turn {
    /// The timestamp of a packet that has been encoded at `now`; `None` when another sender's turn
    /// has come.
    pub(crate) fn next(&mut self, now: Instant) -> Option<u32> {
        const STEP: u32 = PACKET_SAMPLES as u32;
        let mut state = self.clock.0.lock();
        if state.newest != self.number {
            return None;
        }
        let timestamp = match (self.timestamp, state.last) {
            // A microphone's own clock says how long its packets are.
            (Some(own), _) => own.wrapping_add(STEP),
            (None, Some((last, at))) => {
                let passed = now.saturating_duration_since(at).as_millis() / 20;
                last.wrapping_add(STEP.wrapping_mul(passed.max(1) as u32))
            }
            (None, None) => 0,
        };
        self.timestamp = Some(timestamp);
        state.last = Some((timestamp, now));
        Some(timestamp)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timestamps_go_on_with_the_next_microphone() {
        let clock = VoiceClock::default();
        let mut now = Instant::now();
        let mut first = clock.turn();
        for packet in 0..5 {
            assert_eq!(first.next(now), Some(packet * 960));
            now += Duration::from_millis(20);
        }
        now += Duration::from_millis(280);
        let mut second = clock.turn();
        assert_eq!(first.next(now), None, "the one before hung, and wakes up too late");
        assert_eq!(second.next(now), Some((4 + 15) * 960));
        assert_eq!(second.next(now), Some((4 + 16) * 960), "however soon the next one comes");
        assert_eq!(clock.turn().next(now), Some((4 + 17) * 960), "never twice the same");
    }
}
