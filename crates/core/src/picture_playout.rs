//! When a picture is shown.
//!
//! Whole pictures come in as they become whole: evenly from a good path, late and several at a
//! time after a repair. Each is given out at its capture time plus one *offset*, and so in its own
//! rhythm. The offset follows
//!
//! - the jitter: most of the recent pictures, but for a few, must be there by then. What is less
//!   than a person notices is left alone, so that on a good path nothing waits;
//! - the voice: when that is played later, its jitter buffer being longer, pictures wait for it up
//!   to a bound; lips and voice of one moment are then within ±40 ms of each other. When pictures
//!   are the later ones, [`PicturePlayout::behind_voice`] says so.
//!
//! Inputs: pictures in decoding order, what is heard when, time. Every picture that comes in goes
//! out, in order: only its time changes. Timestamps are the sender's and mean nothing by
//! themselves; when they jump, the rhythm is learnt anew. Bounded in pictures, bytes and time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{EncodedFrame, VIDEO_CLOCK_RATE};

/// Microseconds, of the receiver's clock or between two clocks.
type Micros = i64;

/// Pictures whose times are looked at: a route that changed is followed, and the clocks of both
/// ends, which differ by less than 1 ms in it.
const WINDOW: Duration = Duration::from_secs(5);
/// …and no more than these, whatever the rate.
const MAX_RECENT: usize = 300;
/// The share of pictures that may come after their time: about one a second.
const LATE_SHARE: f64 = 0.03;
/// Before so many have come, a share of them means nothing.
const SETTLED: usize = 100;
/// A picture this late is not noticed: half the time that one is shown at 30 a second.
const UNNOTICED: Micros = 15_000;
/// Smoothing adds no more than this: beyond it talking suffers more than looking.
const MAX_SMOOTHING: Micros = 200_000;
/// Pictures wait for the voice no longer than this.
const MAX_FOR_VOICE: Micros = 250_000;
/// Pictures may be earlier than the voice by this much: 40 ms less what the measurement may err.
const BEFORE_VOICE: Micros = 32_000;
/// What is heard is told about in steps of 10 ms; so many are averaged.
const VOICE_AVERAGED: Micros = 8;
/// The voice waits for pictures no longer than this: whoever talks minds delay more than lips.
const MAX_VOICE_DELAY: Micros = 150_000;
/// A difference between picture and voice beyond this comes from a clock that is wrong.
const MAX_DIFFERENCE: Micros = 2_000_000;
/// Without a word of the voice for this long nobody looks at the lips.
const VOICE_KEPT: Duration = Duration::from_secs(2);
/// How fast the offset grows and shrinks, for each picture: growing, the picture slows down by
/// half at most; shrinking goes unseen.
const GROW: Micros = 16_000;
const SHRINK: Micros = 2_000;
/// A picture that is this far off the rhythm begins a new one.
const JUMP: Micros = 2_000_000;
/// No picture waits longer, whatever the timestamps say.
const MAX_WAIT: Duration = Duration::from_millis(400);
/// Pictures held: 400 ms of 60 a second and as many again for bursts…
const MAX_PICTURES: usize = 48;
/// …and their bytes.
const MAX_BYTES: usize = 4 << 20;

/// See the module's text.
///
/// After each input, `poll` until it gives nothing, then wait until `poll_timeout`.
#[derive(Debug, Default)]
pub struct PicturePlayout {
    origin: Option<Instant>,
    /// The last timestamp, extended by its wraps.
    timestamp: Option<i64>,
    /// When pictures came, and arrival minus capture time.
    recent: VecDeque<(Instant, Micros)>,
    /// From capture to showing; `None` before the first picture.
    offset: Option<Micros>,
    voice: Option<Voice>,
    held: VecDeque<(Instant, EncodedFrame)>,
    bytes: usize,
}

#[derive(Debug)]
struct Voice {
    /// From capture to hearing, in the same clocks as [`PicturePlayout::offset`].
    offset: Micros,
    heard: Instant,
}

impl PicturePlayout {
    /// Takes the next picture.
    pub fn push(&mut self, now: Instant, frame: EncodedFrame) {
        let arrived = self.clock(now);
        let mut captured = self.capture_time(frame.timestamp);
        let jumped = self
            .recent
            .back()
            .is_some_and(|&(_, transit)| ((arrived - captured) - transit).abs() > JUMP);
        if jumped {
            self.begin_anew(now);
            captured = self.capture_time(frame.timestamp);
        }
        self.note(now, arrived - captured);
        let offset = self.adapt(now, arrived - captured);
        let wait = Duration::from_micros((captured + offset - arrived).max(0).unsigned_abs());
        let after = self.held.back().map_or(now, |&(due, _)| due);
        let due = (now + wait.min(MAX_WAIT)).max(after);
        self.bytes += frame.data.len();
        self.held.push_back((due, frame));
    }

    /// The picture with this timestamp (which need not be one that came) belongs to the sound
    /// that is heard at `at`.
    pub fn heard(&mut self, now: Instant, timestamp: u32, at: Instant) {
        let Some(last) = self.timestamp else { return };
        let heard = self.clock(at);
        let captured = micros(extend(timestamp, last));
        let offset = heard - captured;
        let usual = match &self.voice {
            Some(voice) if (offset - voice.offset).abs() < MAX_FOR_VOICE => voice.offset,
            _ => offset,
        };
        let offset = usual + (offset - usual) / VOICE_AVERAGED;
        self.voice = Some(Voice { offset, heard: now });
    }

    /// The next picture whose time has come.
    pub fn poll(&mut self, now: Instant) -> Option<EncodedFrame> {
        let &(due, _) = self.held.front()?;
        let full = self.held.len() > MAX_PICTURES || self.bytes > MAX_BYTES;
        if due > now && !full {
            return None;
        }
        let (_, frame) = self.held.pop_front()?;
        self.bytes -= frame.data.len();
        Some(frame)
    }

    /// When [`Self::poll`] will give the next one.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.held.front().map(|&(due, _)| due)
    }

    /// How much later than the voice of the same moment pictures are shown, in microseconds;
    /// negative when they are earlier, `None` while nothing is known of the voice.
    #[must_use]
    pub fn behind_voice(&self) -> Option<i64> {
        Some(self.offset? - self.voice.as_ref()?.offset)
    }

    /// How much later than its packets allow a voice has to be played at least, that is now played
    /// `present` later, when pictures are `behind` it by so many microseconds.
    #[must_use]
    pub fn voice_delay(present: Duration, behind: i64) -> Duration {
        let present = i64::try_from(present.as_micros()).unwrap_or(MAX_VOICE_DELAY);
        let wanted = present.saturating_add(behind).saturating_sub(BEFORE_VOICE);
        Duration::from_micros(wanted.clamp(0, MAX_VOICE_DELAY).unsigned_abs())
    }

    /// Pictures that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.held.len()
    }

    fn clock(&mut self, now: Instant) -> Micros {
        let origin = *self.origin.get_or_insert(now);
        let (after, before) =
            (now.saturating_duration_since(origin), origin.saturating_duration_since(now));
        let whole = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        whole(after) - whole(before)
    }

    fn capture_time(&mut self, timestamp: u32) -> Micros {
        let extended = self.timestamp.map_or(i64::from(timestamp), |last| extend(timestamp, last));
        self.timestamp = Some(extended);
        micros(extended)
    }

    /// What is held goes out at once; what is known of the rhythm is forgotten.
    fn begin_anew(&mut self, now: Instant) {
        self.held.iter_mut().for_each(|(due, _)| *due = now.min(*due));
        self.recent.clear();
        self.timestamp = None;
        self.offset = None;
        self.voice = None;
    }

    fn note(&mut self, now: Instant, transit: Micros) {
        self.recent.push_back((now, transit));
        let old = |&(at, _): &(Instant, Micros)| now.saturating_duration_since(at) > WINDOW;
        while self.recent.len() > MAX_RECENT || self.recent.front().is_some_and(old) {
            self.recent.pop_front();
        }
    }

    /// The offset for a picture that came just now.
    fn adapt(&mut self, now: Instant, transit: Micros) -> Micros {
        let mut transits: Vec<_> = self.recent.iter().map(|&(_, transit)| transit).collect();
        transits.sort_unstable();
        let fastest = transits.first().copied().unwrap_or(transit);
        let late = (transits.len().max(SETTLED) as f64 * LATE_SHARE) as usize;
        let most = transits.iter().rev().nth(late).copied().unwrap_or(fastest);
        let smooth = fastest + (most - fastest - UNNOTICED).clamp(0, MAX_SMOOTHING);
        let voice = self.voice.as_ref().filter(|voice| {
            now.saturating_duration_since(voice.heard) < VOICE_KEPT
                && (voice.offset - fastest).abs() < MAX_DIFFERENCE
        });
        let with_voice = voice.map_or(smooth, |voice| {
            (voice.offset - BEFORE_VOICE).min(fastest + MAX_FOR_VOICE).max(smooth)
        });
        let offset = match self.offset {
            // Nobody notices one small step.
            Some(offset) if (0..=UNNOTICED).contains(&(offset - with_voice)) => with_voice,
            Some(offset) => with_voice
                .clamp(offset - SHRINK, offset + GROW)
                .clamp(fastest, fastest + MAX_FOR_VOICE),
            None => transit,
        };
        self.offset = Some(offset);
        offset
    }
}

/// The extended timestamp nearest to `last`.
fn extend(timestamp: u32, last: i64) -> i64 {
    last + i64::from(timestamp.wrapping_sub(last as u32).cast_signed())
}

fn micros(ticks: i64) -> Micros {
    // The clock's rate divides this without a remainder; 64 bits hold centuries of it.
    ticks * 100 / (i64::from(VIDEO_CLOCK_RATE) / 10_000)
}

#[cfg(test)]
mod tests;
