//! Which moment a timestamp stands for: sender reports tie the RTP timestamps of each stream to
//! the sender's own clock (RFC 3550 §6.4.1), which all its streams share.

use crate::{SAMPLE_RATE, VIDEO_CLOCK_RATE};

/// Beyond this the two reports are not of one clock.
const MAX_APART_SECONDS: i64 = 3_600;

/// What a sender report says of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderClock {
    /// The sender's clock, in 2⁻³² s.
    pub ntp: u64,
    /// The RTP timestamp of the same moment.
    pub timestamp: u32,
}

impl SenderClock {
    /// With `self` of a person's picture and `voice` of its voice: the timestamp that a picture
    /// would have of the moment when the sample with `timestamp` was recorded. `None` when the
    /// two do not agree at all.
    #[must_use]
    pub fn picture_of(&self, voice: &Self, timestamp: u32) -> Option<u32> {
        let since = i64::from(timestamp.wrapping_sub(voice.timestamp).cast_signed());
        // In 2⁻³² s: the NTP clock wraps in 2036, and the difference does not mind.
        let between = voice.ntp.wrapping_sub(self.ntp).cast_signed();
        if between.unsigned_abs() > (MAX_APART_SECONDS as u64) << 32 {
            return None;
        }
        let ticks = (i128::from(between) * i128::from(VIDEO_CLOCK_RATE)) >> 32;
        let ticks = i64::try_from(ticks).ok()?
            + since * i64::from(VIDEO_CLOCK_RATE) / i64::from(SAMPLE_RATE);
        // Wraps as timestamps do.
        Some(self.timestamp.wrapping_add(ticks as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_of_a_sound_is_found_across_both_wraps() {
        let voice = SenderClock { ntp: u64::MAX - (1 << 31), timestamp: u32::MAX - 100 };
        // Half a second later by the sender's clock, which wraps between the two.
        let picture = SenderClock { ntp: voice.ntp.wrapping_add(1 << 31), timestamp: 1_000 };
        let at_report = picture.picture_of(&voice, voice.timestamp).unwrap();
        assert_eq!(at_report, 1_000u32.wrapping_sub(45_000));
        let later = picture.picture_of(&voice, voice.timestamp.wrapping_add(24_000)).unwrap();
        assert_eq!(later, 1_000);
    }

    #[test]
    fn clocks_that_do_not_agree_tell_nothing() {
        let voice = SenderClock { ntp: 0, timestamp: 0 };
        let picture = SenderClock { ntp: 7_200 << 32, timestamp: 0 };
        assert_eq!(picture.picture_of(&voice, 0), None);
    }
}
