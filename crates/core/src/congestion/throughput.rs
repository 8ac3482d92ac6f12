//! How much comes out of a path, and how much goes in.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What came is remembered for this long, µs of arrival.
const KEPT: i64 = 1_000_000;
/// And never more than this many packets: 1 s at 20 Mbit/s in packets of 1200 bytes.
const MAX_ARRIVALS: usize = 2048;
/// A pause longer than this between two packets is the sender's, not the path's, µs; it does not
/// count in [`Throughput::busy_rate`].
const LONGEST_BUSY_SPAN: i64 = 250_000;

/// Packets larger than this, bits, that come less than this apart, µs, came over no line slower than
/// 10 Mbit/s: two of the receiver's time stamps (250 µs) are the least that can be told apart.
const LARGE: f64 = 5_000.0;
const TOGETHER: i64 = 500;
/// The share that came so is over about as many large packets; from the part below on it is the path's
/// way, and not chance.
const LARGE_PACKETS: f64 = 64.0;
const BUNCHED: f64 = 0.06;

#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: i64,
    /// Since the packet before, as far as the time between them is covered by reports.
    span: i64,
    bits: f64,
    /// Both this packet and the one before had to wait, and none was lost between them: the path was
    /// never idle, and all that it carried is known.
    busy: bool,
}

/// From the arrivals that the receiver reports; times in µs on its clock, rates in bit/s.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    arrivals: VecDeque<Arrival>,
    last: Option<(u64, i64, bool)>,
    /// Share of the large packets that came together with the one before, smoothed.
    together: f64,
}

impl Throughput {
    /// A packet has come. `waited` says that it found others before it on the path.
    pub(super) fn on_packet(
        &mut self,
        id: u64,
        at: i64,
        bits: f64,
        waited: bool,
        lost_before: u64,
    ) {
        let Some((last_id, last_at, last_waited)) = self.last else {
            self.last = Some((id, at, waited));
            return;
        };
        if at < last_at - KEPT || at > last_at + 10 * KEPT {
            // Another clock: begin anew.
            self.arrivals.clear();
            self.last = Some((id, at, waited));
            return;
        }
        let latest = last_at.max(at);
        self.last = Some((id.max(last_id), latest, waited));
        // Packets of which nothing is known have come in between: neither their bits nor their
        // time is counted.
        if id > last_id.saturating_add(1).saturating_add(lost_before) {
            return;
        }
        let span = latest - last_at;
        if bits > LARGE {
            let together = if span < TOGETHER { 1.0 } else { 0.0 };
            self.together += (together - self.together) / LARGE_PACKETS;
        }
        let busy = waited && last_waited && lost_before == 0;
        self.arrivals.push_back(Arrival { at: latest, span, bits, busy });
        while self.arrivals.len() > MAX_ARRIVALS
            || self.arrivals.front().is_some_and(|first| latest - first.at > KEPT)
        {
            self.arrivals.pop_front();
        }
    }

    /// Whether the path holds packets back and lets them go together. Where a line is the narrow
    /// place, packets come out of it one after the other.
    pub(super) fn is_bunched(&self) -> bool {
        self.together > BUNCHED
    }

    /// What came within the last `window`; `None` while there is too little to say.
    pub(super) fn rate(&self, window: Duration) -> Option<f64> {
        let window = window.as_micros() as i64;
        self.sum(window, window / 2, |_| true)
    }

    /// How fast packets come out of a queue; `None` while there is none. This is what the path
    /// carries, whatever is sent into it.
    pub(super) fn busy_rate(&self, window: Duration) -> Option<f64> {
        self.sum(window.as_micros() as i64, BUSY_LEAST, |arrival| {
            arrival.busy && arrival.span < LONGEST_BUSY_SPAN
        })
    }

    fn sum(&self, window: i64, least: i64, counts: impl Fn(&Arrival) -> bool) -> Option<f64> {
        let newest = self.arrivals.back()?.at;
        let (mut bits, mut span, mut packets) = (0.0, 0, 0);
        for arrival in self.arrivals.iter().rev().take_while(|arrival| newest - arrival.at < window)
        {
            if counts(arrival) {
                bits += arrival.bits;
                span += arrival.span;
                packets += 1;
            }
        }
        (packets >= LEAST_PACKETS && span >= least.max(1)).then(|| bits * 1e6 / span as f64)
    }
}

/// A rate from fewer packets, or from less time in a queue, would be chance.
const LEAST_PACKETS: usize = 4;
const BUSY_LEAST: i64 = 25_000;

/// The best of the last one to two seconds: what was carried then is carried still, more or less.
#[derive(Debug, Default)]
pub(super) struct Best {
    rates: [f64; 2],
    since: Option<Instant>,
}

impl Best {
    const TERM: Duration = Duration::from_secs(1);

    pub(super) fn note(&mut self, now: Instant, rate: f64) {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) > Self::TERM {
            self.rates = [0.0, self.rates[0]];
            self.since = Some(now);
        }
        self.rates[0] = self.rates[0].max(rate);
    }

    /// Bit/s.
    pub(super) fn rate(&self) -> f64 {
        self.rates[0].max(self.rates[1])
    }
}

/// What is sent, in slices of [`SentRate::SLICE`].
#[derive(Debug)]
pub(super) struct SentRate {
    slices: [f64; Self::SLICES],
    current: usize,
    since: Instant,
    filled: usize,
}

impl SentRate {
    const SLICE: Duration = Duration::from_millis(50);
    const SLICES: usize = 10;

    pub(super) fn new(now: Instant) -> Self {
        Self { slices: [0.0; Self::SLICES], current: 0, since: now, filled: 0 }
    }

    pub(super) fn on_sent(&mut self, now: Instant, bits: f64) {
        self.advance(now);
        self.slices[self.current] += bits;
    }

    fn advance(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let slices = (passed.as_micros() / Self::SLICE.as_micros()) as usize;
        if slices > Self::SLICES {
            *self = Self { filled: Self::SLICES, ..Self::new(now) };
            return;
        }
        for _ in 0..slices {
            self.current = (self.current + 1) % Self::SLICES;
            self.slices[self.current] = 0.0;
            self.since += Self::SLICE;
            self.filled = (self.filled + 1).min(Self::SLICES);
        }
    }

    /// Over the last half second, bit/s.
    pub(super) fn rate(&mut self, now: Instant) -> f64 {
        self.advance(now);
        // The slice that is not full yet counts by the part of it that has passed.
        let part = now.saturating_duration_since(self.since).as_secs_f64();
        let full = self.filled.min(Self::SLICES - 1) as f64 * Self::SLICE.as_secs_f64();
        self.slices.iter().sum::<f64>() / (part + full).max(Self::SLICE.as_secs_f64())
    }
}
