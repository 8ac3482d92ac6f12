//! The queue on a path, from one-way delays between two clocks that are not aligned.

use std::collections::VecDeque;

/// What waits on the path just now is the least delay among the packets that came within this long,
/// µs: jitter only ever adds to a delay, so the least of some packets is nearly free of it. Long
/// enough for three voice packets (20 ms each), short enough to see a rate fall within a feedback
/// interval or two.
const LEVEL_WINDOW: i64 = 60_000;
/// The slope of the queue is taken over this long, µs.
const SLOPE_WINDOW: i64 = 200_000;
/// One point of the slope per so many µs, so that a dense burst does not outweigh the rest.
const SLOPE_STEP: i64 = 8_000;
/// The least delay is remembered for one to two times this long, µs: long enough to live through a
/// queue that never empties for a while, short enough that a longer route or a clock's drift
/// (1 ms in 10 s at 100 ppm) is not taken for a queue.
const BASE_WINDOW: i64 = 12_000_000;
/// When the delay jumps by more than this from one packet to the next, µs, it is not a queue: the
/// receiver's clock was set, its time stamps have wrapped, or the numbers are made up.
const CLOCK_JUMP: i64 = 8_000_000;
/// The largest usual packet.
const PACKET_BITS: f64 = 1200.0 * 8.0;
/// Jitter is a mean over about so many packets, or all while there are fewer.
const SPREAD_PACKETS: u32 = 64;
/// Never more packets than this in a window, whatever their time stamps.
const MAX_POINTS: usize = 512;

/// Times are µs; departures on this clock, arrivals on the receiver's.
#[derive(Debug, Default)]
pub(super) struct PathDelay {
    last: Option<(i64, i64)>,
    /// Arrival and delay, delays rising: the first is the least of the window.
    window: VecDeque<(i64, i64)>,
    /// The least delay of this window and the one before.
    base: [Option<i64>; 2],
    base_since: i64,
    /// Arrival and queue.
    points: VecDeque<(i64, i64)>,
    /// How far single packets lie above the level, smoothed, µs.
    spread: f64,
    packets: u32,
}

impl PathDelay {
    /// Takes a packet that has come; gives how long it waited on the path, µs.
    pub(super) fn on_packet(&mut self, departure: i64, arrival: i64) -> i64 {
        let delay = arrival - departure;
        if let Some((last_departure, last_arrival)) = self.last {
            let change = delay - (last_arrival - last_departure);
            if change.abs() > CLOCK_JUMP {
                *self = Self::default();
            }
        }
        self.last = Some((departure, arrival));
        if self.base[0].is_none() {
            self.base_since = departure;
        } else if departure - self.base_since > BASE_WINDOW {
            self.base = [None, self.base[0]];
            self.base_since = departure;
        }
        self.base[0] = Some(self.base[0].map_or(delay, |base| base.min(delay)));

        while self.window.back().is_some_and(|(_, above)| *above >= delay) {
            self.window.pop_back();
        }
        self.window.push_back((arrival, delay));
        let newest = self.window.iter().map(|(at, _)| *at).max().unwrap_or(arrival);
        while self.window.len() > MAX_POINTS
            || self.window.front().is_some_and(|(at, _)| newest - at > LEVEL_WINDOW)
        {
            self.window.pop_front();
        }
        self.note_point(arrival);
        let waited = delay - self.base().unwrap_or(delay);
        self.packets = (self.packets + 1).min(SPREAD_PACKETS);
        self.spread += ((waited - self.level()) as f64 - self.spread) / f64::from(self.packets);
        waited
    }

    fn note_point(&mut self, arrival: i64) {
        let level = self.level();
        match self.points.back_mut() {
            Some((at, point)) if arrival - *at < SLOPE_STEP => *point = level,
            _ => self.points.push_back((arrival, level)),
        }
        while self.points.len() > MAX_POINTS
            || self.points.front().is_some_and(|(at, _)| arrival - at > SLOPE_WINDOW)
        {
            self.points.pop_front();
        }
    }

    fn base(&self) -> Option<i64> {
        self.base.iter().flatten().min().copied()
    }

    /// How long packets wait on the path now, µs.
    pub(super) fn level(&self) -> i64 {
        match (self.window.front(), self.base()) {
            (Some((_, delay)), Some(base)) => (delay - base).max(0),
            _ => 0,
        }
    }

    /// By how much the level grows, µs a µs; 0 while there is too little to say.
    pub(super) fn slope(&self) -> f64 {
        let count = self.points.len() as f64;
        let (Some(first), Some(last)) = (self.points.front(), self.points.back()) else {
            return 0.0;
        };
        if self.points.len() < 4 || last.0 - first.0 < LEVEL_WINDOW {
            return 0.0;
        }
        let x = |at: i64| (at - first.0) as f64;
        let mean_x = self.points.iter().map(|(at, _)| x(*at)).sum::<f64>() / count;
        let mean_y = self.points.iter().map(|(_, level)| *level as f64).sum::<f64>() / count;
        let (mut above, mut below) = (0.0, 0.0);
        for (at, level) in &self.points {
            let dx = x(*at) - mean_x;
            above += dx * (*level as f64 - mean_y);
            below += dx * dx;
        }
        if below > 0.0 { (above / below).clamp(-10.0, 10.0) } else { 0.0 }
    }

    /// How uneven the delays are, µs: how far a packet lies above the level on average, without what
    /// packets sent at `rate` (bit/s) make each other wait on a path that carries about that.
    pub(super) fn jitter(&self, rate: f64) -> i64 {
        let own = PACKET_BITS / rate.max(1.0) * 1e6;
        (self.spread - own).clamp(0.0, 1_000_000.0) as i64
    }

    /// Takes the present queue for a part of the path: it is somebody else's.
    pub(super) fn accept_queue(&mut self) {
        let level = self.level();
        for base in self.base.iter_mut().flatten() {
            *base += level;
        }
        self.points.clear();
    }
}
