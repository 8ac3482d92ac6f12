//! How many copies a path's losses call for.

use std::time::{Duration, Instant};

use super::MAX_COPIES;

/// The loss from which on so many copies are sent, and below which they are no longer; shares of
/// the packets. One copy leaves the square of the loss: 0.25 % at 5 %; two its cube: 0.8 % at 20 %.
/// One copy could just keep 10 % of loss at 1 % of concealed sound, and losses come in clusters.
const STEPS: [(f32, f32); MAX_COPIES] = [(0.01, 0.005), (0.05, 0.035)];
/// Losses are noticed within this …
const SOON: Duration = Duration::from_secs(1);
/// … and remembered for this: of 1 % of loss, seconds pass without any.
const LONG: Duration = Duration::from_secs(10);
/// Packets without which a share means nothing: one loss among them is 5 %.
const ENOUGH: f32 = 20.0;

/// Chooses the number of copies by the losses that are reported: more at once, fewer slowly.
#[derive(Debug, Clone)]
pub struct Redundancy {
    soon: Share,
    long: Share,
    heard: Option<Instant>,
    copies: usize,
}

impl Redundancy {
    /// None until losses are reported.
    #[must_use]
    pub fn new() -> Self {
        Self { soon: Share::new(SOON), long: Share::new(LONG), heard: None, copies: 0 }
    }

    /// The peer reports, at `now`, that `lost` of the last `sent` packets did not arrive.
    pub fn report(&mut self, now: Instant, sent: u32, lost: u32) {
        let passed = now.saturating_duration_since(*self.heard.get_or_insert(now));
        self.heard = Some(now);
        self.soon.add(passed, sent, lost.min(sent));
        self.long.add(passed, sent, lost.min(sent));
        let loss = self.loss();
        let wanted = STEPS.iter().filter(|(from, _)| loss >= *from).count();
        let kept = STEPS.iter().filter(|(_, below)| loss >= *below).count();
        self.copies = self.copies.clamp(wanted, kept.max(wanted));
    }

    /// How many copies to send: 0, 1 or 2.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.copies
    }

    /// The loss that they are chosen by, 0..=1.
    #[must_use]
    pub fn loss(&self) -> f32 {
        self.soon.get().max(self.long.get())
    }
}

impl Default for Redundancy {
    fn default() -> Self {
        Self::new()
    }
}

/// A share over the recent past, fading.
#[derive(Debug, Clone)]
struct Share {
    memory: Duration,
    sent: f32,
    lost: f32,
}

impl Share {
    fn new(memory: Duration) -> Self {
        Self { memory, sent: 0.0, lost: 0.0 }
    }

    fn add(&mut self, passed: Duration, sent: u32, lost: u32) {
        let left = (-passed.as_secs_f32() / self.memory.as_secs_f32()).exp();
        self.sent = self.sent * left + sent as f32;
        self.lost = self.lost * left + lost as f32;
    }

    fn get(&self) -> f32 {
        if self.sent < ENOUGH { 0.0 } else { self.lost / self.sent }
    }
}
