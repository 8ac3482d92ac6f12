//! From the signs of congestion to a rate: growth, cuts, and the ceiling that was last met.

use std::time::{Duration, Instant};

/// A queue of this length is congestion, µs, when it does not shrink by itself. Voices stand 100 ms
/// and more of delay in all; a third of that is left to the queue. Jitter is added to it.
const LIMIT: i64 = 32_000;
/// Below this, µs, a queue is not cut for, however fast it grows: a frame's own packets queue on a
/// slow line.
const LEAST: i64 = 14_000;
/// A queue that will be beyond [`LIMIT`] by the time a cut now takes effect is cut for now: one
/// feedback interval and one round trip, µs.
const FORESIGHT: f64 = 100_000.0;
/// From this queue on the rate does not grow, µs.
const CALM: i64 = 10_000;
/// A queue counts as drained when it is below this, µs, jitter apart.
const DRAINED: i64 = 14_000;
/// The limits of a queue that drops already where others only grow are this part of the usual.
const SHORT: f64 = 0.5;
/// And this part of the capacity is used then: what a frame's own packets queue must fit.
const AFTER_CUT_SHORT: f64 = 0.9;
/// With more jitter than this, µs, the pace of single packets says little.
pub(super) const UNEVEN: i64 = 4_000;
/// A path swings by itself from here on, µs.
const SWINGS: i64 = 5_000;
/// While draining, so much is sent that the queue is gone in this long, µs: below a second, so that
/// a full 200 ms buffer at a fifth of the old rate is empty within two.
const DRAIN_TIME: f64 = 600_000.0;
/// The least part of the capacity that is sent while draining: a voice.
const DRAIN_LEAST: f64 = 0.12;
/// The part of the measured capacity that is used after a cut. What a path carries is measured well
/// while it is full, so little has to be left free.
const AFTER_CUT: f64 = 0.93;
/// When a queue has not become shorter for this long, however little is sent, it is not ours.
const DRAIN_PATIENCE: Duration = Duration::from_millis(1500);
/// A rate that the path carried lately is no reason for a queue: up to this part of the ceiling, only
/// a queue longer than the one below, now or soon, is cut for, µs. What else is there is the path's
/// usual: jitter that holds back many packets at once, or another flow's queue.
const CARRIED: f64 = 0.96;
const LONG: i64 = 70_000;
const LONG_SOON: i64 = 110_000;
/// The usual queue is a mean over about so many feedbacks, 2 s; and never more than this, µs.
const USUAL_FEEDBACKS: f64 = 40.0;
const MOST_USUAL: f64 = 300_000.0;
/// After so much of a drain, what is left of a short queue counts as usual too.
const DRAIN_SEEN: Duration = Duration::from_millis(300);
/// Growth a second away from any known ceiling, and near one. GCC grows by 8 % a second (§5.5);
/// probes do the large steps here too.
const GROWTH: f64 = 0.10;
const GROWTH_NEAR: f64 = 0.03;
/// And at it, as long as it was met just now; the older it is, the less is it minded.
const GROWTH_AT: f64 = 0.004;
/// However near the ceiling, a small rate grows by up to this, bit/s a second, a larger one by less,
/// from the rate below on by nothing: so the small get their part of a path that several share.
const GROWTH_SMALL: f64 = 24_000.0;
const SMALL: f64 = 400_000.0;
/// A cut to less than this part of the rate is deep: it may have been somebody else's burst.
const DEEP: f64 = 0.7;
/// A ceiling is near from here on.
const NEAR: f64 = 0.8;
/// And met from here on.
const AT: f64 = 0.94;
/// A ceiling that was not met again for so long is forgotten; probes find sooner whether the path
/// carries more.
const CEILING_EXPIRES: Duration = Duration::from_secs(15);
/// What is not used is not known to be there: the rate grows only up to this multiple of what
/// arrives, plus a little for the very small (§5.5).
const UNUSED: f64 = 1.5;
const UNUSED_EXTRA: f64 = 20_000.0;
/// What a probe has found is used but for this part.
const AFTER_PROBE: f64 = 0.93;
/// The longest time between two feedbacks that the rate grows for, s.
const LONGEST_STEP: f64 = 0.25;
/// By receiver reports alone: loss up to this is the line's own (§6: 10 %), above it half of the
/// share is taken away; a slow round trip takes this.
const REPORT_LOSS: f64 = 0.1;
const REPORT_CUT: f64 = 0.85;

/// What is known when feedback has come. Rates in bit/s, queues in µs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    pub(super) level: i64,
    pub(super) slope: f64,
    /// Which part of the level has been there for a while.
    pub(super) standing: i64,
    /// How far the level swings by itself.
    pub(super) swing: i64,
    pub(super) jitter: i64,
    pub(super) acked: Option<f64>,
    pub(super) busy: Option<f64>,
    pub(super) sent: f64,
    /// The path holds packets back and lets them go together.
    pub(super) bunched: bool,
    /// When the newest packet that is known of left.
    pub(super) newest: Instant,
    /// The queue drops what does not fit, and is a short one.
    pub(super) drops: bool,
    /// Feedback is about a probe: what it queues is no reason to cut.
    pub(super) probed: bool,
}

impl Signs {
    /// What comes out of the queue, while there is one.
    fn capacity(&self) -> Option<f64> {
        match (self.busy, self.acked) {
            (Some(busy), Some(acked)) if self.jitter > UNEVEN => Some(busy.min(acked)),
            (busy, _) => busy,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Growing,
    Draining(Drain),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Drain {
    since: Instant,
    /// The longest that the queue was, µs.
    level: i64,
    /// What comes out of the queue, bit/s.
    capacity: f64,
    /// The rate before.
    before: f64,
}

/// What is to be done besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Calm,
    /// A queue is there, but it does not grow.
    Queued,
    /// The rate was cut just now.
    Cut,
    Draining,
    /// The queue has gone, and the rate is far below what it was.
    DrainedDeep,
}

#[derive(Debug)]
pub(super) struct Rate {
    target: f64,
    floor: f64,
    top: f64,
    ceiling: Option<(f64, Instant)>,
    phase: Phase,
    last_step: Instant,
    /// The queue at rates that the path is known to carry, µs.
    usual: f64,
}

impl Rate {
    pub(super) fn new(now: Instant, start: f64, floor: f64, top: f64) -> Self {
        Self {
            target: start,
            floor,
            top,
            ceiling: None,
            phase: Phase::Growing,
            last_step: now,
            usual: 0.0,
        }
    }

    /// Bit/s; in a drain, less than what will be used after it.
    pub(super) fn target(&self) -> f64 {
        let clamped = self.target.clamp(self.floor, self.top);
        if clamped.is_finite() { clamped } else { self.floor }
    }

    /// What it will be after a drain, bit/s.
    pub(super) fn settled(&self) -> f64 {
        match self.phase {
            Phase::Draining(drain) if drain.capacity.is_finite() => {
                (drain.capacity * AFTER_CUT).clamp(self.floor, self.top).max(self.target())
            }
            _ => self.target(),
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining(_))
    }

    pub(super) fn on_feedback(&mut self, now: Instant, signs: &Signs) -> Outcome {
        let step = now.saturating_duration_since(self.last_step).as_secs_f64().min(LONGEST_STEP);
        self.last_step = now;
        if self.ceiling.is_some_and(|(rate, met)| {
            now.saturating_duration_since(met) > CEILING_EXPIRES || self.target > 1.2 * rate
        }) {
            self.ceiling = None;
        }
        if signs.bunched {
            self.note_usual(now, signs);
        } else {
            self.usual *= 1.0 - 1.0 / USUAL_FEEDBACKS;
        }
        let usual = self.usual as i64;
        let own = Signs {
            level: (signs.level - usual).max(0),
            standing: (signs.standing - usual).max(0),
            ..*signs
        };
        match self.phase {
            Phase::Growing => self.growing(now, &own, step),
            Phase::Draining(drain) => self.draining(now, &own, drain),
        }
    }

    /// Whether no more is sent than what the path was seen to carry.
    fn carried(&self, signs: &Signs) -> bool {
        self.ceiling.is_some_and(|(rate, _)| signs.sent < CARRIED * rate)
    }

    fn note_usual(&mut self, now: Instant, signs: &Signs) {
        let at_rest = match self.phase {
            Phase::Growing => self.carried(signs),
            Phase::Draining(drain) => {
                now.saturating_duration_since(drain.since) > DRAIN_SEEN
                    && signs.level < LONG
                    && signs.slope.abs() < 0.1
            }
        };
        if at_rest {
            let level = (signs.level as f64).min(MOST_USUAL);
            self.usual += (level - self.usual) / USUAL_FEEDBACKS;
        }
    }

    fn growing(&mut self, now: Instant, signs: &Signs, step: f64) -> Outcome {
        let part = if signs.drops { SHORT } else { 1.0 };
        let scaled = |queue: i64| (queue as f64 * part) as i64;
        let limit = scaled(LIMIT) + signs.swing;
        let ahead = signs.level + (signs.slope.max(0.0) * FORESIGHT) as i64;
        let over = if signs.probed {
            // A probe queues its own length and no more.
            signs.level > 2 * limit
        } else {
            let grows = signs.level > scaled(LEAST) + 2 * signs.swing
                && ahead > limit + 2 * signs.swing
                && signs.slope > -0.05;
            let carried = signs.bunched && self.carried(signs);
            let long = signs.level > LONG || ahead > LONG_SOON;
            (grows || signs.standing > limit) && (long || !carried)
        };
        if over {
            let capacity = self.capacity(signs);
            self.ceiling = Some((capacity, now));
            let before = self.target;
            self.phase =
                Phase::Draining(Drain { since: now, level: signs.level, capacity, before });
            self.drain(signs, capacity);
            return Outcome::Cut;
        }
        if signs.level > scaled(CALM) + 2 * signs.swing {
            return Outcome::Queued;
        }
        let unused = signs.acked.unwrap_or(signs.sent).max(signs.sent) * UNUSED + UNUSED_EXTRA;
        if self.target < unused {
            let share = match self.ceiling {
                // A short queue is not filled to see where it ends.
                Some((rate, _)) if signs.drops && self.target > AFTER_CUT_SHORT * rate => GROWTH_AT,
                Some((rate, met)) if self.target > AT * rate => {
                    let age = now.saturating_duration_since(met).as_secs_f64();
                    GROWTH_AT + GROWTH_NEAR * age / CEILING_EXPIRES.as_secs_f64()
                }
                Some((rate, _)) if self.target > NEAR * rate => GROWTH_NEAR,
                _ => GROWTH,
            };
            let least = GROWTH_SMALL * (1.0 - self.target / SMALL).max(0.0);
            let grown = self.target + (self.target * share).max(least) * step;
            self.set(grown.min(unused.max(self.target)));
        }
        Outcome::Calm
    }

    fn draining(&mut self, now: Instant, signs: &Signs, drain: Drain) -> Outcome {
        let capacity = match signs.capacity() {
            // What comes out of the queue is what the path carries, also while we send little.
            Some(busy) => 0.5 * drain.capacity + 0.5 * busy,
            None => drain.capacity,
        };
        if signs.level <= DRAINED + signs.swing {
            self.phase = Phase::Growing;
            if signs.newest < drain.since && signs.swing > SWINGS {
                // It went before the cut can have helped: a stall of the path, not our rate.
                self.set(drain.before);
                return Outcome::Calm;
            }
            self.ceiling = Some((capacity, now));
            self.set(capacity * if signs.drops { AFTER_CUT_SHORT } else { AFTER_CUT });
            let deep = self.target < DEEP * drain.before;
            return if deep { Outcome::DrainedDeep } else { Outcome::Calm };
        }
        let grown = signs.level > drain.level;
        let since = if grown { now } else { drain.since };
        if now.saturating_duration_since(since) > DRAIN_PATIENCE
            && signs.level > drain.level / 2
            && signs.slope > -0.1
        {
            self.phase = Phase::Growing;
            self.usual = (self.usual + signs.level as f64).min(MOST_USUAL);
            self.set(drain.before);
            return Outcome::Calm;
        }
        let level = drain.level.max(signs.level);
        self.phase = Phase::Draining(Drain { since, level, capacity, ..drain });
        self.drain(signs, capacity);
        Outcome::Draining
    }

    fn drain(&mut self, signs: &Signs, capacity: f64) {
        let above = (signs.level - DRAINED / 2 - signs.swing).max(0) as f64;
        self.set(capacity * (AFTER_CUT - above / DRAIN_TIME).clamp(DRAIN_LEAST, AFTER_CUT));
    }

    /// What the path carries, in the moment in which it is full.
    fn capacity(&self, signs: &Signs) -> f64 {
        let measured = signs.capacity().or(signs.acked.map(|acked| acked * 0.95));
        measured.unwrap_or(0.7 * self.target).min(self.target.max(signs.sent))
    }

    /// A probe has come through at `rate`, where the path has `ended` or not; true when that is news.
    pub(super) fn on_probe(&mut self, now: Instant, rate: f64, ended: bool) -> bool {
        let found = rate * AFTER_PROBE;
        if self.is_draining() || found <= self.target {
            return false;
        }
        self.ceiling = ended.then_some((rate, now));
        self.set(found);
        true
    }

    /// Never more than this, for now.
    pub(super) fn limit(&mut self, rate: f64) {
        if self.target > rate {
            self.set(rate);
        }
    }

    /// Back to a rate that was known before.
    pub(super) fn restore(&mut self, rate: f64) {
        if !self.is_draining() && rate > self.target {
            self.set(rate);
        }
    }

    /// Nothing is heard from the other side.
    pub(super) fn halve(&mut self) {
        self.set(self.target * 0.5);
    }

    /// By a receiver report alone: `lost` since the report before, `slow` when the round trip is
    /// far above its least, `sent` bit/s.
    pub(super) fn on_receiver_report(&mut self, now: Instant, lost: f64, slow: bool, sent: f64) {
        let step = now.saturating_duration_since(self.last_step).as_secs_f64().min(2.0);
        self.last_step = now;
        if slow {
            self.set(self.target.min(sent) * REPORT_CUT);
        } else if lost > REPORT_LOSS {
            self.set(self.target * (1.0 - 0.5 * lost));
        } else if self.target < sent * UNUSED + UNUSED_EXTRA {
            self.set(self.target * (1.0 + GROWTH * step));
        }
    }

    /// Another path: what was known of the old one does not hold.
    pub(super) fn forget(&mut self) {
        self.ceiling = None;
        self.phase = Phase::Growing;
    }

    fn set(&mut self, rate: f64) {
        if rate.is_finite() {
            self.target = rate.clamp(self.floor, self.top);
        }
    }
}
