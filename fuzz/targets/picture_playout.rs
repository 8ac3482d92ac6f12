//! The jitter buffer of pictures: any timestamps, any rhythm, any claims of the voice.

#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use quartet_core::{EncodedFrame, PicturePlayout};

/// The longest that a picture may wait: several times what the machine says of itself.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Arbitrary)]
enum Step {
    Picture { milliseconds: u8, ticks: i16, jump: Option<u32> },
    Heard { ticks: i32, milliseconds: i16 },
    Pause { milliseconds: u16 },
}

fuzz_target!(|steps: Vec<Step>| {
    let mut playout = PicturePlayout::default();
    let mut now = Instant::now() + Duration::from_secs(100);
    let mut timestamp = u32::MAX - 9_000;
    let (mut pushed, mut shown) = (0_u8, 0_u8);
    for step in steps {
        match step {
            Step::Picture { milliseconds, ticks, jump } => {
                now += Duration::from_millis(milliseconds.into());
                timestamp = jump.unwrap_or(timestamp.wrapping_add_signed(ticks.into()));
                // The number of the picture, to see that the order holds.
                let data = Bytes::copy_from_slice(&[pushed]);
                pushed = pushed.wrapping_add(1);
                let (width, height, key, temporal) = (2, 2, true, 0);
                playout.push(now, EncodedFrame { data, key, width, height, timestamp, temporal });
            }
            Step::Heard { ticks, milliseconds } => {
                let shift = Duration::from_millis(milliseconds.unsigned_abs().into());
                let at = if milliseconds < 0 { now - shift } else { now + shift };
                playout.heard(now, timestamp.wrapping_add_signed(ticks), at);
            }
            Step::Pause { milliseconds } => now += Duration::from_millis(milliseconds.into()),
        }
        while let Some(frame) = playout.poll(now) {
            assert_eq!(frame.data[0], shown, "out of order");
            shown = shown.wrapping_add(1);
        }
        assert!(playout.poll_timeout().is_none_or(|at| at > now && at <= now + PATIENCE));
    }
});
