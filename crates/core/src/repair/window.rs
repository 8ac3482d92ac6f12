//! The figures of repair: measured, and what follows from them.

use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How long an answer takes before one has come: most paths within a continent are shorter.
const FIRST_ANSWER: Duration = ms(60);
/// Longer ones are left to key frames.
const LONGEST_ANSWER: Duration = ms(600);
/// What was overtaken comes within this time on a path without reordering, where packets of one
/// burst differ by their own length only…
const SHORTEST_GRACE: Duration = ms(3);
/// …and where there is much of it nobody waits longer: a request too many costs less.
const LONGEST_GRACE: Duration = ms(25);
/// Between two requests for one packet. Senders ignore what comes sooner (ours after 15 ms,
/// libwebrtc within a round trip).
const SHORTEST_INTERVAL: Duration = ms(15);
/// Requests are repeated after this share of the answer time when all are answered; a little more
/// than one, because the time varies…
const PATIENT: f64 = 1.25;
/// …and after this where many fail: then two more are on their way before the first can be known
/// to have failed.
const INSISTENT: f64 = 0.4;
/// Each request in vain makes the next interval shorter by this share of the first.
const PRESSING: f64 = 0.5;
/// A share of requests that fail which calls for that: at 20 % loss each way it is 1 − 0.8² = 0.36.
const MANY_FAIL: f64 = 0.2;
/// The share of lost packets that may stay lost for want of requests: at 45 base packets a second
/// and 20 % loss, one in minutes.
const LEFT_OVER: f64 = 5e-4;
/// A picture that others build on is waited for at least this long: a gap below it is no freeze
/// (see [`FreezeMeter`](crate::FreezeMeter))…
const SHORTEST_WAIT: Duration = ms(150);
/// …and at most this long, unless a key frame, which takes a round trip too and has to be repaired
/// itself, would not be there sooner.
const LONGEST_WAIT: Duration = ms(400);
/// Answer times for which it is waited: a first request, three more when they fail.
const ROUNDS: u32 = 4;
/// A picture that nothing builds on is waited for so long that the one after it is not shown
/// noticeably late: with its own 33 ms well below [`SHORTEST_WAIT`].
const LONGEST_DROPPABLE_WAIT: Duration = ms(140);
/// Answers that the averages reach over.
const AVERAGED: u32 = 8;
/// Answers from whose times the usual one is read.
const SAMPLES: usize = 16;

/// How lost packets are repaired on a path, as far as is known.
///
/// All waits are counted from when a later packet showed that one is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RepairWindow {
    /// From the first request for a packet until it came, for the last ones.
    took: [Duration; SAMPLES],
    /// How many of these there are, and more.
    answers: usize,
    answer: Duration,
    /// How much longer an answer takes now and then.
    spread: Duration,
    grace: Duration,
    /// The share of requests that bring nothing, 0..=1.
    failing: f64,
}

impl Default for RepairWindow {
    fn default() -> Self {
        Self {
            took: [Duration::ZERO; SAMPLES],
            answers: 0,
            answer: FIRST_ANSWER,
            spread: FIRST_ANSWER / 4,
            grace: SHORTEST_GRACE * 2,
            failing: 0.0,
        }
    }
}

impl RepairWindow {
    /// How long a packet may be overtaken before it is asked for.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace.clamp(SHORTEST_GRACE, LONGEST_GRACE)
    }

    /// From a request to its answer, on average.
    #[must_use]
    pub fn answer(&self) -> Duration {
        self.answer
    }

    /// The share of requests that bring nothing in their time, 0..=1.
    #[must_use]
    pub fn failing(&self) -> f64 {
        self.failing
    }

    /// Between two requests for the same packet, when so many before them were in vain.
    #[must_use]
    pub fn interval(&self, in_vain: u8) -> Duration {
        let trust = (1.0 - self.failing / MANY_FAIL).clamp(0.0, 1.0);
        let relaxed = self.answer.mul_f64(INSISTENT + (PATIENT - INSISTENT) * trust);
        // On a long path the requests have to fit into the time there is.
        let failing = self.failing.clamp(0.01, 0.9);
        let requests = (LEFT_OVER.ln() / failing.ln()).ceil().max(1.0);
        let room = self.needed_wait().saturating_sub(self.answer + self.grace());
        // Whatever was measured: what has been asked for in vain is the more pressing.
        let pressing = 1.0 + f64::from(in_vain) * PRESSING;
        relaxed.div_f64(pressing).min(room.div_f64(requests)).max(SHORTEST_INTERVAL)
    }

    /// How long a picture that others build on is waited for.
    #[must_use]
    pub fn needed_wait(&self) -> Duration {
        let round = self.answer_limit();
        let longest = LONGEST_WAIT.max(self.grace() + round * 2);
        (self.grace() + round * ROUNDS).clamp(SHORTEST_WAIT, longest)
    }

    /// How long a picture that nothing builds on is waited for.
    #[must_use]
    pub fn droppable_wait(&self) -> Duration {
        let once = self.grace() + self.answer_limit();
        if once > LONGEST_DROPPABLE_WAIT {
            // No answer comes in time, so only what was overtaken is waited for.
            return self.grace();
        }
        (once + self.answer_limit()).min(LONGEST_DROPPABLE_WAIT)
    }

    /// The time in which an answer comes unless it was lost.
    pub(super) fn answer_limit(&self) -> Duration {
        self.answer + self.spread * 2
    }

    /// A packet came so long after it was first asked for.
    pub(super) fn answered(&mut self, took: Duration) {
        self.took[self.answers % SAMPLES] = took.min(LONGEST_ANSWER);
        self.answers += 1;
        let mut sorted = self.took;
        let sorted = &mut sorted[..self.answers.min(SAMPLES)];
        sorted.sort_unstable();
        // Which of several requests was answered is not known. Nothing comes before the answer to
        // the first one, though, and more than a quarter of these come: that one tells.
        self.answer = sorted[sorted.len() / 4];
        let usual = sorted[sorted.len() / 2] - sorted[0];
        self.spread = usual.clamp(self.answer / 16, self.answer / 4);
    }

    /// A packet came this much after the one that had overtaken it.
    pub(super) fn overtaken(&mut self, late: Duration) {
        let late = late.mul_f64(1.25).min(LONGEST_GRACE);
        self.grace = if late > self.grace {
            (self.grace + late) / 2
        } else {
            (self.grace * (2 * AVERAGED - 1) + late) / (2 * AVERAGED)
        };
    }

    /// A request was, or was not, answered in its time.
    pub(super) fn count_answer(&mut self, came: bool) {
        let share = 1.0 / f64::from(2 * AVERAGED);
        self.failing += (if came { 0.0 } else { 1.0 } - self.failing) * share;
        if came {
            // Losses that were none of reordering: a request may go out sooner.
            self.grace = (self.grace * (2 * AVERAGED - 1) + SHORTEST_GRACE) / (2 * AVERAGED);
        }
    }
}
