//! When each packet of a link may leave.
//!
//! A picture is a burst of packets; sent at once it would stand in the path's queue in front of the
//! next voice. The pacer lets packets go at a rate a little above what the path carries, the most
//! urgent first. A voice never waits. What waits is not dropped here, whole pictures are, before
//! they come: [`Pacer::queue_time`] says when that is due.
//!
//! Inputs by origin: [`Pacer::push`] from whoever sends, [`Pacer::set_rate`] and [`Pacer::probe`]
//! from the congestion controller, [`Pacer::poll`] from the clock.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::congestion::{Probe, ProbeId};

/// Packets leave at so many times the path's rate. Above 1, because a picture comes all at once and
/// the next one only 33 ms later, and because a key frame is several times as long as what follows:
/// one of 20 KB takes 320 ms at 500 kbit/s. Not much above, for all of it may queue on the path; and
/// not above at all while a queue stands there, or what waits here would keep it standing.
const FACTOR: f64 = 1.25;
/// Until so many bytes have left, the rate is not known, and packets leave at least as fast as the
/// first probes: ten packets, as many as a TCP begins with (RFC 6928 §2).
const FIRST_BYTES: usize = 11_380;
const FIRST_BPS: f64 = 2_000_000.0;
/// Time unused so far back may be made up for: a wake-up comes late, and short pictures leave whole.
const SLACK: Duration = Duration::from_millis(5);
/// No two wake-ups are closer than this: what becomes due in between leaves together.
const GRAIN: Duration = Duration::from_millis(2);
/// No less is taken for a rate, bit/s: a packet then takes a second.
const LEAST_BPS: f64 = 10_000.0;
/// A probe that could not be sent within this has lost its meaning.
const PROBE_PATIENCE: Duration = Duration::from_millis(300);
/// What repeats packets for nobody's request is worth nothing later than this.
const SPARE_AGE: Duration = Duration::from_millis(100);
/// Packets that wait at most, by traffic; far beyond what whole pictures make wait, so that nobody's
/// mistake takes all memory.
const MOST_WAITING: [usize; 5] = [64, 256, 1_024, 2_048, 64];

/// What a packet is for, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Traffic {
    /// A voice, with its copies.
    Voice,
    /// Something lost that was asked for again.
    Repair,
    /// A picture of the camera.
    Video,
    /// A picture of the shared screen. Behind the camera's: beside a screen that one is small, and
    /// a face that stood still for each new slide would look frozen, while a slide that comes so
    /// much later is still a whole one.
    Screen,
    /// Repeats that nobody has asked for: against losses to come, or to fill a probe.
    Spare,
}

/// A packet that may leave.
#[derive(Debug, PartialEq, Eq)]
pub struct Released<T> {
    /// As it was pushed.
    pub item: T,
    /// It leaves as part of this probe.
    pub probe: Option<ProbeId>,
}

/// The pacer of one link; `T` is a packet.
#[derive(Debug)]
pub struct Pacer<T> {
    /// By traffic.
    waiting: [VecDeque<Waiting<T>>; 5],
    rate_bps: f64,
    /// A queue stands on the path.
    congested: bool,
    /// When what has left will have passed at the pacer's rate.
    free_at: Option<Instant>,
    /// Bytes that have left, as far as [`FIRST_BYTES`].
    begun: usize,
    probe: Option<Running>,
    /// Not before this is it worth being woken.
    wake_after: Option<Instant>,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    bytes: usize,
    since: Instant,
}

#[derive(Debug)]
struct Running {
    probe: Probe,
    until: Instant,
    bytes: usize,
    packets: usize,
}

impl<T> Pacer<T> {
    /// `rate_bps`: what the path carries.
    #[must_use]
    pub fn new(rate_bps: u64) -> Self {
        Self {
            waiting: [const { VecDeque::new() }; 5],
            rate_bps: (rate_bps as f64).max(LEAST_BPS),
            congested: false,
            free_at: None,
            begun: 0,
            probe: None,
            wake_after: None,
        }
    }

    /// The path carries this, bit/s; or is to carry no more, while a queue stands on it.
    pub fn set_rate(&mut self, now: Instant, rate_bps: u64, congested: bool) {
        let before = self.pace();
        self.rate_bps = (rate_bps as f64).max(LEAST_BPS);
        self.congested = congested;
        // What has left already passes at the new rate too.
        if let Some(rest) = self.free_at.and_then(|at| at.checked_duration_since(now)) {
            self.free_at = Some(now + rest.mul_f64(before / self.pace()));
        }
    }

    /// For a moment, packets are to leave at the probe's rate; takes the place of a probe before.
    pub fn probe(&mut self, now: Instant, probe: Probe) {
        self.probe = Some(Running { probe, until: now + PROBE_PATIENCE, bytes: 0, packets: 0 });
        self.free_at = Some(now);
        self.wake_after = None;
    }

    /// A packet is to be sent, of so many bytes on the path. Gives one that finds no room.
    pub fn push(&mut self, now: Instant, traffic: Traffic, bytes: usize, item: T) -> Option<T> {
        let most = MOST_WAITING[traffic as usize];
        let waiting = &mut self.waiting[traffic as usize];
        if matches!(traffic, Traffic::Video | Traffic::Screen) && waiting.len() == most {
            // What follows a gap in a picture is worth less than what comes before it.
            return Some(item);
        }
        let oldest = if waiting.len() == most { waiting.pop_front() } else { None };
        waiting.push_back(Waiting { item, bytes, since: now });
        oldest.map(|oldest| oldest.item)
    }

    /// The next packet that may leave now.
    pub fn poll(&mut self, now: Instant) -> Option<Released<T>> {
        if self.probe.as_ref().is_some_and(|running| running.until <= now) {
            self.probe = None;
        }
        let spare = &mut self.waiting[Traffic::Spare as usize];
        while spare.front().is_some_and(|s| now.saturating_duration_since(s.since) > SPARE_AGE) {
            spare.pop_front();
        }
        let free = self.free_at.is_none_or(|at| at <= now);
        let allowed = if free { 5 } else { 1 };
        let Some(next) = self.waiting[..allowed].iter_mut().find_map(VecDeque::pop_front) else {
            self.wake_after = Some(now + GRAIN);
            return None;
        };
        let takes = Duration::from_secs_f64(next.bytes as f64 * 8.0 / self.pace());
        let from = now.checked_sub(SLACK).unwrap_or(now);
        self.free_at = Some(self.free_at.map_or(now, |at| at.max(from)) + takes);
        self.begun = self.begun.saturating_add(next.bytes);
        let probe = self.probe.as_ref().map(|running| running.probe.id);
        if let Some(running) = &mut self.probe {
            running.bytes += next.bytes;
            running.packets += 1;
            if running.bytes >= running.probe.bytes && running.packets >= running.probe.packets {
                self.probe = None;
            }
        }
        Some(Released { item: next.item, probe })
    }

    /// Bytes that a probe could send now if there were anything to send: to be pushed as
    /// [`Traffic::Spare`].
    #[must_use]
    pub fn spare_wanted(&self, now: Instant) -> Option<usize> {
        let running = self.probe.as_ref().filter(|running| running.until > now)?;
        let late = now.checked_duration_since(self.free_at?)?;
        if self.waiting.iter().any(|waiting| !waiting.is_empty()) {
            return None;
        }
        let due = (late.min(SLACK).as_secs_f64() * running.probe.rate_bps as f64 / 8.0) as usize;
        Some(due + 1)
    }

    /// When [`Self::poll`] has something to do; none while nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.waiting.iter().any(|waiting| !waiting.is_empty());
        if !waits && self.probe.is_none() {
            return None;
        }
        self.free_at.max(self.wake_after)
    }

    /// How long what waits of repair and pictures will take, up to those of this traffic.
    #[must_use]
    pub fn queue_time(&self, now: Instant, traffic: Traffic) -> Duration {
        let waiting = &self.waiting[Traffic::Repair as usize..=traffic as usize];
        let bytes: usize = waiting.iter().flatten().map(|waiting| waiting.bytes).sum();
        if bytes == 0 {
            return Duration::ZERO;
        }
        let rest = self.free_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        rest + Duration::from_secs_f64(bytes as f64 * 8.0 / self.pace())
    }

    /// At which rate packets leave, bit/s.
    fn pace(&self) -> f64 {
        match &self.probe {
            Some(running) => (running.probe.rate_bps as f64).max(LEAST_BPS),
            None if self.congested => self.rate_bps,
            None if self.begun < FIRST_BYTES => FIRST_BPS.max(self.rate_bps * FACTOR),
            None => self.rate_bps * FACTOR,
        }
    }
}
