//! How much is lost just now.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

/// The figure is over about this long.
const WINDOW: Duration = Duration::from_secs(1);
/// One second of feedback every 50 ms is 20 of them; a flood of small ones is merged.
const MAX_SLICES: usize = 64;
const SLICE: Duration = Duration::from_millis(40);
/// Lost packets that may still turn out to be late.
const MAX_REMEMBERED: usize = 512;

/// How many packets in a row are taken to be lost before it is known.
const FIRST_RUN: f64 = 2.5;

/// Counts packets by when their report came.
#[derive(Debug, Default)]
pub(super) struct LossMeter {
    slices: VecDeque<Slice>,
    lost_ids: BTreeSet<u64>,
    /// How many packets in a row a loss takes, smoothed; 1 when each is lost by itself.
    run: f64,
    running: u32,
    last_lost: Option<u64>,
}

/// Tells whether packets are lost where the queue is long: then it is a short one that drops what
/// does not fit, and must be kept shorter than others.
#[derive(Debug, Default)]
pub(super) struct QueueLoss {
    /// Arrived and lost while the queue was short, and while it was long.
    short: (f64, f64),
    long: (f64, f64),
}

impl QueueLoss {
    /// From here on a queue is long, µs.
    const LONG: i64 = 10_000;
    /// Packets that are remembered, about: 10 s of a picture.
    const MEMORY: f64 = 2000.0;
    /// As many are needed to say anything.
    const LEAST: f64 = 40.0;
    /// How much more is lost in a long queue when it drops: more than chance and bursts make.
    const MORE: f64 = 0.03;

    /// `level` is how long the queue is, µs.
    pub(super) fn on_packet(&mut self, level: i64, arrived: bool) {
        for side in [&mut self.short, &mut self.long] {
            side.0 *= 1.0 - 1.0 / Self::MEMORY;
            side.1 *= 1.0 - 1.0 / Self::MEMORY;
        }
        let side = if level >= Self::LONG { &mut self.long } else { &mut self.short };
        if arrived {
            side.0 += 1.0;
        } else {
            side.1 += 1.0;
        }
    }

    /// Whether the queue drops.
    pub(super) fn drops(&self) -> bool {
        let share = |(arrived, lost): (f64, f64)| lost / (arrived + lost).max(1.0);
        let long = self.long.0 + self.long.1;
        long > Self::LEAST && share(self.long) > 1.5 * share(self.short) + Self::MORE
    }
}

#[derive(Debug)]
struct Slice {
    at: Instant,
    arrived: u32,
    lost: u32,
}

impl LossMeter {
    pub(super) fn on_packet(&mut self, now: Instant, id: u64, arrived: bool) {
        if arrived {
            if self.lost_ids.remove(&id) {
                // It was late, not lost.
                if let Some(slice) = self.slices.iter_mut().rev().find(|slice| slice.lost > 0) {
                    slice.lost -= 1;
                }
            }
            self.slice(now).arrived += 1;
        } else if self.lost_ids.insert(id) {
            self.slice(now).lost += 1;
            while self.lost_ids.len() > MAX_REMEMBERED {
                self.lost_ids.pop_first();
            }
            self.note_run(id);
        }
    }

    fn note_run(&mut self, id: u64) {
        if self.last_lost.is_some_and(|last| last.checked_add(1) == Some(id)) {
            self.running = self.running.saturating_add(1);
        } else {
            if self.running > 0 {
                let before = if self.run < 1.0 { FIRST_RUN } else { self.run };
                self.run = before + (f64::from(self.running) - before) / 8.0;
            }
            self.running = 1;
        }
        self.last_lost = Some(id);
    }

    fn slice(&mut self, now: Instant) -> &mut Slice {
        let fresh =
            self.slices.back().is_some_and(|slice| now.saturating_duration_since(slice.at) < SLICE);
        if !fresh {
            self.slices.push_back(Slice { at: now, arrived: 0, lost: 0 });
        }
        while self.slices.len() > MAX_SLICES
            || self.slices.front().is_some_and(|slice| {
                self.slices.len() > 1 && now.saturating_duration_since(slice.at) > WINDOW
            })
        {
            self.slices.pop_front();
        }
        let last = self.slices.len() - 1;
        &mut self.slices[last]
    }

    /// Share lost within the window, 0..=1.
    pub(super) fn share(&self) -> f64 {
        let (lost, all) = self.slices.iter().fold((0.0, 0.0), |(lost, all), slice| {
            let missing = f64::from(slice.lost);
            (lost + missing, all + missing + f64::from(slice.arrived))
        });
        if all > 0.0 { lost / all } else { 0.0 }
    }

    /// How many packets in a row are lost on average, at least 1.
    pub(super) fn run(&self) -> f64 {
        if self.run < 1.0 { FIRST_RUN } else { self.run }
    }

    /// A share that was counted elsewhere.
    pub(super) fn set(&mut self, now: Instant, share: f64) {
        self.slices.clear();
        let lost = (share * 256.0).round() as u32; // the resolution of RFC 3550 §6.4.1
        self.slices.push_back(Slice { at: now, arrived: 256 - lost.min(256), lost: lost.min(256) });
    }

    /// Forgets what a break of the path has swallowed.
    pub(super) fn forget(&mut self) {
        *self = Self { run: self.run, ..Self::default() };
    }
}
