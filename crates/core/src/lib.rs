//! The pure machines of a call.
//!
//! Each takes `now` and an input, gives outputs and the next time it wants to be woken, and never
//! reads a clock, a socket or a random source of its own.

mod frame;
mod link;

pub use frame::{EncodedFrame, RtpPacket, SAMPLE_RATE, SAMPLES_PER_10_MS, VIDEO_CLOCK_RATE};
pub use link::{LinkAction, LinkEvent, LinkState};
