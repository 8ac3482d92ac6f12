//! What passes between the codecs and the network: encoded pictures and RTP packets.

use std::fmt;

use bytes::Bytes;

/// Ticks a second of a video RTP timestamp (RFC 7741 §4.1).
pub const VIDEO_CLOCK_RATE: u32 = 90_000;
/// Samples a second of all audio inside the program, and of an Opus RTP timestamp (RFC 7587 §4.1).
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples of one 10 ms mono frame, the unit in which audio moves through the program.
pub const SAMPLES_PER_10_MS: usize = 480;

/// One VP8 picture. Cloning shares the bytes: a frame is encoded once and fans out.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// The VP8 frame (RFC 6386), without RTP or container framing.
    pub data: Bytes,
    /// It can be decoded without any earlier one.
    pub key: bool,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Capture time in ticks of [`VIDEO_CLOCK_RATE`]; wraps.
    pub timestamp: u32,
    /// Temporal layer: 0 for the base, which later pictures refer to; a picture of a higher layer
    /// refers to the base only, and nothing refers to it, so that it can be left out.
    pub temporal: u8,
}

impl fmt::Debug for EncodedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.key { "key" } else { "delta" };
        let Self { width, height, timestamp, data, .. } = self;
        write!(f, "EncodedFrame({kind} {width}×{height} @{timestamp}, {} bytes)", data.len())
    }
}

/// The part of an RTP packet (RFC 3550 §5.1) that the media machines look at.
#[derive(Clone, PartialEq, Eq)]
pub struct RtpPacket {
    /// Counts packets; wraps.
    pub sequence: u16,
    /// Sampling time in ticks of the codec's clock; wraps.
    pub timestamp: u32,
    /// Video: the last packet of its picture. Opus: the first after silence.
    pub marker: bool,
    /// It came inside a later packet, as a copy for the case of loss (RFC 2198).
    pub redundant: bool,
    /// What the codec's payload format says.
    pub payload: Bytes,
}

impl fmt::Debug for RtpPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RtpPacket(#{} @{}, {} bytes)", self.sequence, self.timestamp, self.payload.len())
    }
}
