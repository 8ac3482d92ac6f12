use std::time::{Duration, Instant};

use super::{Layer, UPPER_LAYER};
use crate::{EncodedFrame, Rung, VIDEO_CLOCK_RATE};

/// When a key frame that was asked for has not come, it is asked for again: the encoder makes one
/// with the next picture, at most 300 ms after the last.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Who asks this soon after a key frame may not have seen that one yet: the next one is made when
/// that much time has passed. No request is forgotten: a queue on the way that has dropped pictures
/// asks once only.
const ON_ITS_WAY: Duration = Duration::from_millis(300);
/// Times of two encodings further apart than this are no matter of order: the camera was changed.
const SAME_STREAM_TICKS: i32 = VIDEO_CLOCK_RATE as i32;

/// Lets one peer have, of all encodings, one stream that it can decode.
///
/// Inputs: what the peer should get; every encoded picture of every rung, in each rung's order; and
/// when the path lost its thread. A change of the rung waits for the new one's key frame, and goes
/// on with the old one until then: downwards with its base layer only, as the rate is short.
/// Whatever is left out, a picture is only let through when the picture that it refers to was.
#[derive(Debug, Default)]
pub struct LayerSelector {
    wanted: Option<Layer>,
    /// What the peer gets now; it has had a key frame of it.
    rung: Option<Rung>,
    /// Nothing but a key frame may go on: a picture is missing.
    broken: bool,
    /// A key frame has been asked for, and is due then.
    refresh: Option<Instant>,
    asked: Option<(Rung, Instant)>,
    key_given: Option<Instant>,
    last_timestamp: Option<u32>,
}

impl LayerSelector {
    /// What the peer should get from now on; `None` for nothing at all.
    pub fn set(&mut self, wanted: Option<Layer>) {
        self.wanted = wanted;
        if wanted.is_none() {
            self.rung = None;
            self.broken = false;
            self.refresh = None;
        }
    }

    /// What the peer gets at present; `None` before the first key frame.
    #[must_use]
    pub fn rung(&self) -> Option<Rung> {
        self.rung
    }

    /// Takes an encoded picture: what to send of it, if anything. Its time is one tick later than
    /// it was where the peer has already had the same moment from another encoding.
    pub fn take(&mut self, now: Instant, rung: Rung, frame: &EncodedFrame) -> Option<EncodedFrame> {
        let wanted = self.wanted?;
        if frame.key && (rung == wanted.rung || Some(rung) == self.rung) {
            self.rung = Some(rung);
            self.broken = false;
            self.key_given = Some(now);
            if rung == wanted.rung {
                self.refresh = None;
                self.asked = None;
            }
        } else if Some(rung) != self.rung || self.broken || frame.temporal > self.top(wanted, rung)
        {
            return None;
        }
        let mut frame = frame.clone();
        frame.timestamp = self.next_timestamp(frame.timestamp);
        Some(frame)
    }

    /// The peer, or the way to it, cannot go on without a key frame.
    pub fn restart(&mut self, now: Instant) {
        let due = self.key_given.map_or(now, |given| now.max(given + ON_ITS_WAY));
        self.refresh.get_or_insert(due);
    }

    /// A picture that was let through was dropped on the way: nothing but a key frame helps.
    pub fn begin_anew(&mut self) {
        self.broken = self.rung.is_some();
    }

    /// Of which rung a key frame is to be asked for now. Says so once, and again when none comes.
    pub fn poll_key_frame(&mut self, now: Instant) -> Option<Rung> {
        let rung = self.wanted?.rung;
        let refresh = self.refresh.is_some_and(|due| now >= due);
        if self.rung == Some(rung) && !self.broken && !refresh {
            return None;
        }
        if self.asked.is_some_and(|(asked, at)| asked == rung && now < at + ASK_AGAIN) {
            return None;
        }
        self.asked = Some((rung, now));
        Some(rung)
    }

    /// The highest temporal layer to let through of the present `rung`.
    fn top(&self, wanted: Layer, rung: Rung) -> u8 {
        match wanted.rung.cmp(&rung) {
            std::cmp::Ordering::Equal => wanted.temporal,
            // On the way down: the rate is short.
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Greater => UPPER_LAYER,
        }
    }

    fn next_timestamp(&mut self, timestamp: u32) -> u32 {
        let ahead = |last: u32| timestamp.wrapping_sub(last) as i32;
        let timestamp = match self.last_timestamp {
            Some(last) if (-SAME_STREAM_TICKS..=0).contains(&ahead(last)) => last.wrapping_add(1),
            _ => timestamp,
        };
        self.last_timestamp = Some(timestamp);
        timestamp
    }
}

#[cfg(test)]
mod tests;
