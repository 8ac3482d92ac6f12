//! The controller of one link.

use std::time::{Duration, Instant};

use super::{
    PacketReport, Probe, ReceiverReport,
    inherent_loss::InherentLoss,
    loss::{LossMeter, QueueLoss},
    path_delay::PathDelay,
    probing::{ProbePath, Probing},
    rate::{Outcome, Rate, Signs, UNEVEN},
    silence::Silence,
    throughput::{Best, SentRate, Throughput},
};
use crate::LinkEstimate;

/// A packet that waited longer than this on the path had others before it, µs; jitter is added.
const WAITED: i64 = 6_000;
/// Over so long is measured what arrives.
const ACKED_WINDOW: Duration = Duration::from_millis(500);
/// And what comes out of a queue: short, so that it is the rate after a fall.
const BUSY_WINDOW: Duration = Duration::from_millis(120);
/// How much loss beyond the line's own is suspicious: a few packets are chance.
const SUSPICIOUS: f64 = 0.02;
/// In how many standard deviations of chance.
const SURE: f64 = 3.0;
/// How long an experiment, or a limit that losses have shown, holds.
const EXPERIMENT: Duration = Duration::from_millis(700);
/// To which part of the rate an experiment goes down.
const EXPERIMENT_PART: f64 = 0.75;
/// The part of a limit that is used.
const BELOW_LIMIT: f64 = 0.97;
/// The longest message body that is believed: bigger sizes are made up.
const MAX_PACKET: usize = 65_536;
/// After a probe the queue that it leaves is not cut for within this long.
const PROBE_ECHO: Duration = Duration::from_millis(250);
/// Without transport-wide feedback for this long, receiver reports are listened to.
const REPORTS_ENOUGH: Duration = Duration::from_secs(5);
/// Round trips above the least one by this much are congestion, by receiver reports alone.
const SLOW_ROUND_TRIP: Duration = Duration::from_millis(80);
/// Smoothing of the round trip, as in RFC 6298 §2.
const RTT_SHARE: f64 = 0.125;

/// What a path is taken to carry before anything is known of it, bit/s: a voice and a small picture.
pub const START_BPS: u64 = 300_000;

/// Bounds of an estimate, bit/s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CongestionConfig {
    /// Before anything is known: a voice and a small picture, as other programs begin.
    pub start_bps: u64,
    /// Never less: a voice with its headers.
    pub floor_bps: u64,
    /// Never more: the best picture, a voice and their repair.
    pub ceiling_bps: u64,
}

impl Default for CongestionConfig {
    fn default() -> Self {
        Self { start_bps: START_BPS, floor_bps: 50_000, ceiling_bps: 4_000_000 }
    }
}

#[derive(Debug, Clone, Copy)]
struct Experiment {
    until: Instant,
    /// The rate to go back to when sending less did not help.
    before: f64,
}

/// Says how much one link's path carries. The inputs by origin: [`Self::on_sent`] from the
/// sending side, [`Self::on_reports`] and [`Self::on_receiver_report`] from the peer,
/// [`Self::set_wanted`] from the application, [`Self::path_changed`] from ICE,
/// [`Self::handle_timeout`] from the clock.
#[derive(Debug)]
pub struct CongestionController {
    epoch: Instant,
    wanted: f64,
    ceiling: f64,
    rate: Rate,
    delay: PathDelay,
    throughput: Throughput,
    best: Best,
    sent: SentRate,
    loss: LossMeter,
    queue_loss: QueueLoss,
    inherent: InherentLoss,
    probing: Probing,
    silence: Silence,
    before_silence: f64,
    silent_since: Option<Instant>,
    experiment: Option<Experiment>,
    probed: Option<Instant>,
    rtt: Option<Duration>,
    least_rtt: Option<Duration>,
    last_reports: Option<Instant>,
    outcome: Outcome,
}

impl CongestionController {
    /// A controller that knows nothing yet.
    #[must_use]
    pub fn new(now: Instant, config: CongestionConfig) -> Self {
        let ceiling = config.ceiling_bps.max(config.floor_bps).max(1) as f64;
        let floor = config.floor_bps.max(1) as f64;
        let start = (config.start_bps as f64).clamp(floor, ceiling);
        Self {
            epoch: now,
            wanted: ceiling,
            ceiling,
            rate: Rate::new(now, start, floor, ceiling),
            delay: PathDelay::default(),
            throughput: Throughput::default(),
            best: Best::default(),
            sent: SentRate::new(now),
            loss: LossMeter::default(),
            queue_loss: QueueLoss::default(),
            inherent: InherentLoss::new(),
            probing: Probing::new(now),
            silence: Silence::default(),
            before_silence: 0.0,
            silent_since: None,
            experiment: None,
            probed: None,
            rtt: None,
            least_rtt: None,
            last_reports: None,
            outcome: Outcome::Calm,
        }
    }

    /// What the path carries, as far as is known. Cheap; to be asked after each input.
    #[must_use]
    pub fn estimate(&self) -> LinkEstimate {
        LinkEstimate {
            bitrate_bps: self.rate.target() as u64,
            settled_bps: self.rate.settled() as u64,
            loss: self.loss.share() as f32,
            rtt: self.rtt,
            congested: self.silence.is_silent()
                || matches!(self.outcome, Outcome::Cut | Outcome::Draining),
        }
    }

    /// What the application would send if the path carried it, bit/s: nothing beyond is probed for.
    /// Without it, the most that an estimate can be.
    pub fn set_wanted(&mut self, now: Instant, wanted_bps: u64) {
        let wanted = (wanted_bps as f64).clamp(0.0, self.ceiling);
        if wanted > 1.2 * self.wanted {
            // Somebody has made the window large: find out now, not at the next turn.
            self.probing.go_on(now);
        }
        self.wanted = wanted;
        self.consider_probe(now);
    }

    /// A packet of `size` bytes has left.
    pub fn on_sent(&mut self, now: Instant, size: usize) {
        self.sent.on_sent(now, bits(size));
        self.silence.on_sent(now, self.rtt, self.last_reports.is_some());
        if self.probing.is_fresh() {
            // The first probe goes with the first packets; the others need feedback.
            self.consider_probe(now);
        }
    }

    /// Feedback has come. Survives any order, repetition and nonsense.
    pub fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        if reports.is_empty() {
            return;
        }
        self.last_reports = Some(now);
        let newest = reports.iter().map(|report| report.departure).max().unwrap_or(now);
        let back = self.silence.on_feedback(now, newest);
        let silent_since = if back { self.silent_since.take() } else { None };
        let mut lost_before = 0;
        for report in reports {
            self.on_report(now, report, silent_since, &mut lost_before);
        }
        if back {
            self.come_back(now);
        }
        self.decide(now, newest);
        self.consider_probe(now);
    }

    fn on_report(
        &mut self,
        now: Instant,
        report: &PacketReport,
        silent_since: Option<Instant>,
        lost_before: &mut u64,
    ) {
        let bits = bits(report.size);
        let departure = micros(report.departure.saturating_duration_since(self.epoch));
        // What a break has swallowed says nothing about how much the path carries.
        let swallowed = !report.arrived
            && silent_since.is_some_and(|since| report.departure + PROBE_ECHO >= since);
        if !swallowed {
            self.loss.on_packet(now, report.id, report.arrived);
            self.queue_loss.on_packet(self.delay.level(), report.arrived);
            self.inherent.on_packet(report.departure, bits, report.arrived);
        }
        let arrival = report.arrival.filter(|_| report.arrived).map(micros);
        if let Some(probe) = report.probe {
            self.probed = Some(now);
            self.probing.on_packet(probe, departure, arrival, bits);
        }
        if report.arrived {
            let rtt = now.saturating_duration_since(report.departure);
            self.note_rtt(rtt);
        }
        match arrival {
            Some(arrival) => {
                let waited = self.delay.on_packet(departure, arrival);
                let waited = waited > WAITED + self.jitter();
                self.throughput.on_packet(report.id, arrival, bits, waited, *lost_before);
                *lost_before = 0;
            }
            None => *lost_before += u64::from(!report.arrived),
        }
    }

    /// Takes a receiver report, which counts as long as nothing better comes.
    pub fn on_receiver_report(&mut self, now: Instant, report: ReceiverReport) {
        let better = self
            .last_reports
            .is_some_and(|last| now.saturating_duration_since(last) < REPORTS_ENOUGH);
        if better {
            return;
        }
        let back = self.silence.on_feedback(now, now);
        if back {
            self.come_back(now);
        }
        if let Some(rtt) = report.rtt {
            self.note_rtt(rtt);
        }
        let lost = f64::from(report.fraction_lost);
        let lost = if lost.is_finite() { lost.clamp(0.0, 1.0) } else { 0.0 };
        self.loss.set(now, lost);
        let queued = match (report.rtt, self.least_rtt) {
            (Some(rtt), Some(least)) => rtt.saturating_sub(least),
            _ => Duration::ZERO,
        };
        let sent = self.sent.rate(now);
        self.rate.on_receiver_report(now, lost, queued > SLOW_ROUND_TRIP, sent);
    }

    /// ICE has chosen another way: delays and limits of the old one do not hold.
    pub fn path_changed(&mut self, now: Instant) {
        self.delay = PathDelay::default();
        self.throughput = Throughput::default();
        self.best = Best::default();
        self.queue_loss = QueueLoss::default();
        self.inherent.forget();
        self.loss.forget();
        self.rtt = None;
        self.least_rtt = None;
        self.experiment = None;
        self.rate.forget();
        self.rate.halve();
        self.probing.restart(now);
    }

    /// A probe that should be sent, once.
    pub fn poll_probe(&mut self) -> Option<Probe> {
        self.probing.poll()
    }

    /// When [`Self::handle_timeout`] wants to be called; always after the time of its last call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.silence.poll_timeout()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.silence.handle_timeout(now) {
            if self.silent_since.is_none() {
                self.silent_since = Some(now);
                self.before_silence = self.rate.target();
            }
            self.rate.halve();
        }
    }

    fn jitter(&self) -> i64 {
        self.delay.jitter(self.rate.settled())
    }

    fn note_rtt(&mut self, rtt: Duration) {
        self.least_rtt = Some(self.least_rtt.map_or(rtt, |least| least.min(rtt)));
        self.rtt = Some(match self.rtt {
            Some(smooth) => smooth.mul_f64(1.0 - RTT_SHARE) + rtt.mul_f64(RTT_SHARE),
            None => rtt,
        });
    }

    /// The other side is heard again: three quarters of what was, and probe at once.
    fn come_back(&mut self, now: Instant) {
        self.rate.restore(self.before_silence * 0.75);
        self.loss.forget();
        self.inherent.forget();
        self.experiment = None;
        self.probing.restart(now);
    }

    fn decide(&mut self, now: Instant, newest: Instant) {
        // What the line loses by itself was carried all the same.
        let kept = (1.0 - self.inherent.verdict().inherent).max(0.4);
        self.delay.note_swing();
        let acked = self.throughput.rate(ACKED_WINDOW).map(|rate| rate / kept);
        self.best.note(now, acked.unwrap_or(0.0));
        let signs = Signs {
            level: self.delay.level(),
            slope: self.delay.slope(),
            standing: self.delay.standing(),
            swing: self.delay.swing(self.rate.settled()),
            jitter: self.jitter(),
            acked,
            busy: self.throughput.busy_rate(BUSY_WINDOW),
            sent: self.sent.rate(now),
            bunched: self.throughput.is_bunched(),
            newest,
            drops: self.queue_loss.drops(),
            probed: self.probed.is_some_and(|at| now.saturating_duration_since(at) < PROBE_ECHO),
        };
        self.outcome = self.rate.on_feedback(now, &signs);
        match self.outcome {
            Outcome::Cut => self.probing.on_cut(now),
            Outcome::DrainedDeep => self.probing.after_drain(now),
            _ => {}
        }
        let inherent = self.inherent.verdict().inherent;
        if let Some(result) = self.probing.result(inherent, signs.jitter) {
            let ended = result.saturated && signs.jitter < UNEVEN;
            if self.rate.on_probe(now, result.rate, ended) && !result.saturated {
                self.probing.go_on(now);
            } else {
                self.probing.stop();
            }
        }
        let observed = self.inherent.on_feedback(now, self.loss.run());
        self.follow_losses(now, observed);
    }

    fn follow_losses(&mut self, now: Instant, observed: bool) {
        if let Some(experiment) = self.experiment
            && experiment.until <= now
        {
            self.experiment = None;
            if self.inherent.verdict().limit.is_none() {
                self.rate.restore(experiment.before);
            }
        }
        if !observed || self.rate.is_draining() {
            return;
        }
        let verdict = self.inherent.verdict();
        if let Some(limit) = verdict.limit {
            // What arrives is proof that so much is carried.
            self.rate.limit(limit.max(self.best.rate()) * BELOW_LIMIT);
            self.probing.stop();
        } else if self.experiment.is_none() {
            let (deviations, lost) = self.inherent.excess(2);
            if deviations > SURE
                && lost > verdict.inherent + SUSPICIOUS
                && !self.inherent.has_compared()
            {
                let before = self.rate.target();
                self.experiment = Some(Experiment { until: now + EXPERIMENT, before });
                self.rate.limit(before * EXPERIMENT_PART);
                self.probing.on_cut(now);
            }
        }
    }

    fn consider_probe(&mut self, now: Instant) {
        let calm =
            self.outcome == Outcome::Calm && self.experiment.is_none() && !self.silence.is_silent();
        let jitter = Duration::from_micros(self.jitter().max(0) as u64);
        let target = self.rate.target();
        let rtt = self.rtt.unwrap_or_default();
        let inherent = self.inherent.verdict().inherent;
        let path = ProbePath { rtt, jitter, inherent };
        self.probing.consider(now, target, self.wanted, calm, path);
    }
}

fn bits(size: usize) -> f64 {
    size.min(MAX_PACKET) as f64 * 8.0
}

/// Far below where sums of two would overflow.
fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 8)
}
