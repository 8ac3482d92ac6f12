//! Asking for lost packets again (generic NACK, RFC 4585 §6.2.1): which, when, and for how long.
//!
//! [`RepairRequests`] measures how long answers take and how many fail, and derives from that one
//! set of figures, the [`RepairWindow`]: how often a packet is asked for, and how long a picture
//! that misses it is waited for. Both ends of the bargain so agree by construction: nothing is
//! asked for that would come after its picture was given up, and no picture is given up while an
//! answer that can still be shown in time is on its way.

mod window;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

pub use self::window::RepairWindow;

/// Packets missed at a time: a second of 2.5 Mbit/s. Beyond that a key frame is cheaper.
const MAX_MISSING: usize = 256;
/// A gap that came with a silence as long as this was a cut: what it held cannot be shown in time
/// any more, and asking for all of it would fill the line that has just come back.
const CUT: Duration = Duration::from_millis(750);
/// Requests for one packet. With one of three failing, 12 in vain have a chance of 5 in a million.
const MAX_REQUESTS: u8 = 12;
/// So many packets lost in a row make a burst: pictures have stood still while it lasted, and…
const BURST: u64 = 3;
/// …its packets are asked for as insistently as if they had been so often in vain.
const BURST_PRESSING: u8 = 2;
/// Requests that may be made before anything has come; then one for each packet that comes, so
/// that whatever a path or a peer does, never more is asked for than was received.
const FIRST_REQUESTS: usize = 64;
/// Packets that came after they were asked for, of which it is remembered how late they were: a
/// second copy tells that the first was no answer.
const REMEMBERED: usize = 32;

/// What a missing packet is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Pictures cannot go on without it.
    Needed,
    /// It is of a picture that others do without.
    Droppable,
    /// Nobody waits for it any more.
    No,
}

/// What is missing of one stream, and when to ask for it.
#[derive(Debug)]
pub struct RepairRequests {
    highest: Option<u64>,
    heard: Option<Instant>,
    missing: BTreeMap<u64, Missing>,
    /// Packets that came after one request, and how late they were.
    found: VecDeque<(u64, Duration)>,
    window: RepairWindow,
    /// Requests that may still be made.
    allowed: usize,
}

#[derive(Debug)]
struct Missing {
    since: Instant,
    next: Instant,
    requests: u8,
    /// When it was asked for first.
    asked: Option<Instant>,
    /// Whether the first request was answered in its time has been counted.
    judged: bool,
    in_burst: bool,
}

impl Default for RepairRequests {
    fn default() -> Self {
        Self {
            highest: None,
            heard: None,
            missing: BTreeMap::new(),
            found: VecDeque::new(),
            window: RepairWindow::default(),
            allowed: FIRST_REQUESTS,
        }
    }
}

impl RepairRequests {
    /// A packet has come; false when it shows a gap too long to be filled. The sequence number is
    /// extended by its wraps.
    pub fn note(&mut self, now: Instant, sequence: u64) -> bool {
        self.allowed = (self.allowed + 1).min(MAX_MISSING);
        let silence = self.heard.replace(now).map(|heard| now.saturating_duration_since(heard));
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return true;
        };
        if sequence <= highest {
            if let Some(found) = self.missing.remove(&sequence) {
                self.learn(now, sequence, &found);
            } else if let Some(at) = self.found.iter().position(|&(found, _)| found == sequence)
                && let Some((_, late)) = self.found.remove(at)
            {
                // This is the answer: what came first had only been overtaken.
                self.window.overtaken(late);
            }
            return true;
        }
        self.highest = Some(sequence);
        let gap = sequence - highest - 1;
        let cut = gap > 0 && silence.is_some_and(|silence| silence >= CUT);
        if cut || self.missing.len() as u64 + gap > MAX_MISSING as u64 {
            self.missing.clear();
            return false;
        }
        let next = now + self.window.grace();
        for lost in highest + 1..sequence {
            let missing = Missing {
                since: now,
                next,
                requests: 0,
                asked: None,
                judged: false,
                in_burst: gap >= BURST,
            };
            self.missing.insert(lost, missing);
        }
        true
    }

    /// Everything below is settled, one way or the other.
    pub fn settle(&mut self, below: u64) {
        if self.missing.first_key_value().is_some_and(|(&first, _)| first < below) {
            self.missing = self.missing.split_off(&below);
        }
    }

    /// The stream has begun anew, with this sequence number to come.
    pub fn restart(&mut self, first: u64) {
        self.missing.clear();
        self.highest = first.checked_sub(1);
    }

    /// What to ask for now; `want` says what a missing packet is good for.
    pub fn due(&mut self, now: Instant, want: impl Fn(u64) -> Want) -> Vec<u64> {
        let mut due = Vec::new();
        if self.poll_timeout().is_none_or(|next| next > now) {
            return due;
        }
        let Self { missing, window, allowed, .. } = self;
        let in_time = window.answer_limit();
        missing.retain(|&sequence, missing| {
            if let Some(first) = missing.asked
                && !missing.judged
                && now.saturating_duration_since(first) > in_time
            {
                missing.judged = true;
                window.count_answer(false);
            }
            if missing.next > now {
                return true;
            }
            let wait = match want(sequence) {
                Want::Needed => window.needed_wait(),
                Want::Droppable => window.droppable_wait(),
                Want::No => return false,
            };
            if missing.requests == MAX_REQUESTS || now + window.answer() > missing.since + wait {
                // No answer could come in time; that to an earlier request still may.
                missing.next = missing.since + wait.max(in_time);
                return missing.next > now;
            }
            let pressing = if missing.in_burst { BURST_PRESSING } else { 0 };
            missing.next = now + window.interval(missing.requests + pressing);
            if *allowed > 0 {
                *allowed -= 1;
                missing.requests += 1;
                missing.asked = missing.asked.or(Some(now));
                due.push(sequence);
            }
            true
        });
        due
    }

    /// When [`Self::due`] should be asked next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.next).min()
    }

    /// The figures as they are now.
    #[must_use]
    pub fn window(&self) -> RepairWindow {
        self.window
    }

    fn learn(&mut self, now: Instant, sequence: u64, found: &Missing) {
        let late = now.saturating_duration_since(found.since);
        let Some(first) = found.asked else {
            self.window.overtaken(late);
            return;
        };
        let took = now.saturating_duration_since(first);
        if !found.judged {
            self.window.count_answer(took <= self.window.answer_limit());
        }
        self.window.answered(took);
        if found.requests == 1 {
            if self.found.len() == REMEMBERED {
                self.found.pop_front();
            }
            self.found.push_back((sequence, late));
        }
    }
}

#[cfg(test)]
mod tests;
