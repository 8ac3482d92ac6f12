//! Which part of the loss is the line's own, and which part is because too much is sent.
//!
//! A path that carries `B` and loses a share `p` whatever is sent loses, at the rate `S`, the share
//! `p + (1 − p) · max(0, 1 − B / S)`. From what was lost at the different rates of the last seconds
//! follows which `p` and `B` are likeliest. As long as only one rate was tried, both explain the
//! loss as well; then the controller makes the experiment of sending less for a moment.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// An observation covers at least so much time and so many packets: below that, chance rules.
const LEAST_TIME: Duration = Duration::from_millis(200);
const LEAST_PACKETS: u32 = 12;
/// Observations count for so long; then the path may have changed.
const MEMORY: Duration = Duration::from_secs(8);
const MAX_OBSERVATIONS: usize = 40;
/// Own losses of a line that are told apart.
const SHARES: [f64; 16] = [
    0.0, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.36, 0.45, 0.55,
];
/// Limits that are tried, as parts of the highest rate seen.
const LIMITS: usize = 24;
const LOWEST_LIMIT: f64 = 0.25;
/// By how much a limit must explain the losses better than none, in natural logarithms of the
/// likelihood: e⁴ ≈ 55 : 1, since a wrong limit makes the picture worse for seconds.
const DOUBT: f64 = 4.0;

#[derive(Debug, Clone, Copy)]
struct Observation {
    at: Instant,
    rate: f64,
    sent: f64,
    lost: f64,
}

/// What the observations say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    /// Share that the line loses by itself.
    pub(super) inherent: f64,
    /// What it carries, bit/s, when that is what the losses show.
    pub(super) limit: Option<f64>,
}

/// Collects the observations. Pure arithmetic, a few thousand logarithms a second at most.
#[derive(Debug)]
pub(super) struct InherentLoss {
    observations: VecDeque<Observation>,
    began: Option<(Instant, Instant)>,
    bits: f64,
    sent: u32,
    lost: u32,
    verdict: Verdict,
}

impl InherentLoss {
    pub(super) fn new() -> Self {
        Self {
            observations: VecDeque::new(),
            began: None,
            bits: 0.0,
            sent: 0,
            lost: 0,
            verdict: Verdict { inherent: 0.0, limit: None },
        }
    }

    /// One packet's fate; packets come in the order of their departure, more or less.
    pub(super) fn on_packet(&mut self, departure: Instant, bits: f64, arrived: bool) {
        let (first, last) = *self.began.get_or_insert((departure, departure));
        self.began = Some((first, last.max(departure)));
        self.bits += bits;
        self.sent = self.sent.saturating_add(1);
        self.lost = self.lost.saturating_add(u32::from(!arrived));
    }

    /// Closes an observation when it is long enough; true then. `run` is how many packets in a row
    /// are lost on average: packets that are lost together are one piece of evidence.
    pub(super) fn on_feedback(&mut self, now: Instant, run: f64) -> bool {
        let Some((first, last)) = self.began else { return false };
        let time = last.saturating_duration_since(first);
        if time < LEAST_TIME || self.sent < LEAST_PACKETS {
            return false;
        }
        // n packets span n − 1 gaps.
        let sent = f64::from(self.sent);
        let rate = self.bits / time.as_secs_f64() * (sent - 1.0) / sent;
        let weight = 1.0 / (2.0 * run - 1.0).clamp(1.5, 12.0);
        self.observations.push_back(Observation {
            at: now,
            rate,
            sent: sent * weight,
            lost: f64::from(self.lost) * weight,
        });
        (self.began, self.bits, self.sent, self.lost) = (None, 0.0, 0, 0);
        while self.observations.len() > MAX_OBSERVATIONS
            || self
                .observations
                .front()
                .is_some_and(|first| now.saturating_duration_since(first.at) > MEMORY)
        {
            self.observations.pop_front();
        }
        self.verdict = self.judge();
        true
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Loss of the newest `count` observations above what the line loses by itself, in standard
    /// deviations of chance, together with the share that was lost.
    pub(super) fn excess(&self, count: usize) -> (f64, f64) {
        let (sent, lost) = self
            .observations
            .iter()
            .rev()
            .take(count)
            .fold((0.0, 0.0), |(sent, lost), one| (sent + one.sent, lost + one.lost));
        if sent <= 0.0 {
            return (0.0, 0.0);
        }
        let usual = self.verdict.inherent.max(0.01);
        let deviation = (sent * usual * (1.0 - usual)).sqrt().max(1.0);
        ((lost - sent * usual) / deviation, lost / sent)
    }

    /// Whether rates so different were tried that the verdict does not rest on the benefit of the
    /// doubt.
    pub(super) fn has_compared(&self) -> bool {
        let rates = self.observations.iter().map(|one| one.rate);
        let (low, high) = rates
            .fold((f64::INFINITY, 0.0_f64), |(low, high), rate| (low.min(rate), high.max(rate)));
        low < 0.8 * high
    }

    /// Another path, or a break: what was seen does not count.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }

    fn judge(&self) -> Verdict {
        let highest = self.observations.iter().map(|one| one.rate).fold(0.0, f64::max);
        let lost: f64 = self.observations.iter().map(|one| one.lost).sum();
        if highest <= 0.0 || lost <= 0.0 {
            return Verdict { inherent: 0.0, limit: None };
        }
        let mut best = (f64::NEG_INFINITY, Verdict { inherent: 0.0, limit: None });
        for step in 0..=LIMITS {
            let part = LOWEST_LIMIT + (1.0 - LOWEST_LIMIT) * step as f64 / LIMITS as f64;
            // The last step is no limit at all.
            let limit = (step < LIMITS).then_some(highest * part);
            for inherent in SHARES {
                let credit = if limit.is_none() { DOUBT } else { 0.0 };
                let likelihood = self.likelihood(inherent, limit) + credit;
                if likelihood > best.0 {
                    best = (likelihood, Verdict { inherent, limit });
                }
            }
        }
        best.1
    }

    fn likelihood(&self, inherent: f64, limit: Option<f64>) -> f64 {
        self.observations
            .iter()
            .map(|one| {
                let beyond = limit.map_or(0.0, |limit| (1.0 - limit / one.rate.max(1.0)).max(0.0));
                let share = (inherent + (1.0 - inherent) * beyond).clamp(0.002, 0.998);
                one.lost * share.ln() + (one.sent - one.lost) * (1.0 - share).ln()
            })
            .sum()
    }
}
