//! What passes between a voice buffer, its decoder and who plays it.

use std::time::{Duration, Instant};

use crate::SAMPLE_RATE;

/// What a decoder sees in a packet without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoicePacketInfo {
    /// How much sound it holds, in samples at 48 kHz; at most [`MAX_PACKET_SAMPLES`].
    pub samples: usize,
    /// It also holds a coarse copy of the sound before it (in-band FEC).
    pub redundant: bool,
    /// It is the last one before planned silence (DTX).
    pub silence: bool,
}

/// The longest Opus packet, 120 ms (RFC 6716 §3.2).
pub const MAX_PACKET_SAMPLES: usize = SAMPLE_RATE as usize * 120 / 1000;

/// The packet is not what the codec's format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the voice packet cannot be decoded")]
pub struct UndecodableVoice;

/// A voice codec; mono, 48 kHz, samples in −1..=1.
pub trait VoiceDecoder {
    /// Looks at a packet; `None` when it is not one.
    fn inspect(&self, payload: &[u8]) -> Option<VoicePacketInfo>;

    /// Decodes the packet that follows what was given out last; `out` is as long as it says.
    fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice>;

    /// Rebuilds the sound just before `next`, as long as `next` is, from what `next` tells of it.
    fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice>;

    /// Invents a continuation of what was given out last; background noise after planned silence.
    fn conceal(&mut self, out: &mut [f32]);
}

/// What became of a voice so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VoiceStats {
    /// Packets that came by themselves, each counted once.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that did not come, or not yet; also those that were played from a copy.
    pub lost: u64,
    /// Packets that came and could not be played: damaged, too late, or skipped to catch up.
    pub discarded: u64,
    /// Sound of lost packets that was played from a copy, or rebuilt from the following packet.
    pub recovered: Duration,
    /// Sound invented because there was none to play.
    pub concealed: Duration,
    /// Sound given out in all, planned silence apart; includes the recovered and the concealed.
    pub played: Duration,
    /// How much later sound is played now than the fastest packets of the last seconds would allow.
    pub delay: Duration,
}

/// What is heard of a voice when: the other media of that person are shown in step with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoicePlayout {
    /// The RTP timestamp of a sample…
    pub timestamp: u32,
    /// …and when it is given to the speaker.
    pub at: Instant,
}
