//! The queue on a path, from one-way delays between two clocks that are not aligned.

use std::collections::VecDeque;

/// What waits on the path just now is the least delay among the packets that came within this long,
/// µs: jitter only ever adds to a delay, so the least of some packets is nearly free of it. Long
/// enough for three voice packets (20 ms each), short enough to see a rate fall within a feedback
/// interval or two.
const LEVEL_WINDOW: i64 = 60_000;
/// What of the level stays for this long, µs, is a queue; what does not is jitter that holds back
/// several packets at once, as Wi-Fi does.
const STANDING_WINDOW: i64 = 250_000;
/// Over about so many feedbacks is measured how much the level swings by itself: 2 s.
const SWING_FEEDBACKS: u32 = 40;
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
/// A picture's packets queue by about so many of them.
const OWN_SWING: f64 = 0.5;
/// Jitter is a mean over about so many packets, or all while there are fewer.
const SPREAD_PACKETS: u32 = 64;
/// More than this is not forgiven, µs.
const MOST_SWING: f64 = 100_000.0;
/// Never more packets than this in a window, whatever their time stamps.
const MAX_POINTS: usize = 512;

/// Times are µs; departures on this clock, arrivals on the receiver's.
#[derive(Debug, Default)]
pub(super) struct PathDelay {
    last: Option<(i64, i64)>,
    window: MovingMin,
    standing: MovingMin,
    /// The least delay of this window and the one before.
    base: [Option<i64>; 2],
    base_since: i64,
    /// Arrival and queue.
    points: VecDeque<(i64, i64)>,
    /// How far single packets lie above the level, smoothed, µs.
    spread: f64,
    packets: u32,
    /// How far the level lies above what stays of it, smoothed, µs.
    swing: f64,
    feedbacks: u32,
}

/// Arrivals and delays of a while, delays rising: the first is the least.
#[derive(Debug, Default)]
struct MovingMin(VecDeque<(i64, i64)>);

impl MovingMin {
    fn push(&mut self, arrival: i64, delay: i64, window: i64) {
        while self.0.back().is_some_and(|(_, above)| *above >= delay) {
            self.0.pop_back();
        }
        self.0.push_back((arrival, delay));
        while self.0.len() > MAX_POINTS
            || self.0.front().is_some_and(|(at, _)| arrival - at > window)
        {
            self.0.pop_front();
        }
    }

    fn least(&self) -> Option<i64> {
        self.0.front().map(|(_, delay)| *delay)
    }
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

        self.window.push(arrival, delay, LEVEL_WINDOW);
        self.standing.push(arrival, delay, STANDING_WINDOW);
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
        self.above_base(&self.window)
    }

    /// Which part of it has been there for a while, µs.
    pub(super) fn standing(&self) -> i64 {
        self.above_base(&self.standing)
    }

    fn above_base(&self, window: &MovingMin) -> i64 {
        match (window.least(), self.base()) {
            (Some(delay), Some(base)) => (delay - base).max(0),
            _ => 0,
        }
    }

    /// Once for each feedback: notes how the level swings.
    pub(super) fn note_swing(&mut self) {
        self.feedbacks = (self.feedbacks + 1).min(SWING_FEEDBACKS);
        let above = (self.level() - self.standing()).max(0) as f64;
        self.swing += (above - self.swing) / f64::from(self.feedbacks);
    }

    /// How far the level usually lies above what stays of it, µs, without what pictures sent at
    /// `rate` (bit/s) make of it: that much is no congestion.
    pub(super) fn swing(&self, rate: f64) -> i64 {
        (self.swing - OWN_SWING * packet_time(rate)).clamp(0.0, MOST_SWING) as i64
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
        (self.spread - packet_time(rate)).clamp(0.0, 1_000_000.0) as i64
    }
}

/// How long a path that carries `rate` (bit/s) takes for a packet, µs.
fn packet_time(rate: f64) -> f64 {
    PACKET_BITS / rate.max(1.0) * 1e6
}
