//! The pure machines of a call.
//!
//! Each takes `now` and an input, gives outputs and the next time it wants to be woken, and never
//! reads a clock, a socket or a random source of its own.

mod allowance;
mod backoff;
pub mod chat;
pub mod congestion;
mod frame;
mod frame_assembler;
mod freeze_meter;
pub mod gestures;
pub mod layers;
mod link;
mod negotiator;
mod pacer;
mod picture_playout;
pub mod red;
pub mod repair;
mod rung;
mod sender_clock;
pub mod session;
pub mod transfer;
mod voice_buffer;
pub mod vp8;

pub use frame::{EncodedFrame, RtpPacket, SAMPLE_RATE, SAMPLES_PER_10_MS, VIDEO_CLOCK_RATE};
pub use frame_assembler::{Assembled, AssemblerConfig, FrameAssembler};
pub use freeze_meter::{FreezeMeter, FreezeTotals};
pub use link::{LinkAction, LinkEstimate, LinkEvent, LinkState};
pub use pacer::{Pacer, Released, Traffic};
pub use picture_playout::PicturePlayout;
pub use rung::Rung;
pub use sender_clock::SenderClock;
pub use voice_buffer::{
    MAX_PACKET_SAMPLES, UndecodableVoice, VoiceBuffer, VoiceDecoder, VoicePacketInfo, VoicePlayout,
    VoiceStats, VoiceTuning,
};
