//! The jitter buffer of a voice: any packets in any order, at any time, beside a player.

#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use quartet_core::{
    MAX_PACKET_SAMPLES, RtpPacket, SAMPLES_PER_10_MS, UndecodableVoice, VoiceBuffer, VoiceDecoder,
    VoicePacketInfo,
};

#[derive(Debug, Arbitrary)]
enum Step {
    Packet {
        sequence: i8,
        timestamp: i16,
        jump: Option<(u16, u32)>,
        redundant: bool,
        payload: [u8; 2],
    },
    /// The player takes this many times 10 ms.
    Pull(u8),
    Pause {
        milliseconds: u16,
    },
}

/// Decodes any payload to what its first byte says, and fails when the second is odd.
#[derive(Debug)]
struct Decoder;

impl VoiceDecoder for Decoder {
    fn inspect(&self, payload: &[u8]) -> Option<VoicePacketInfo> {
        let &[length, kind] = payload else { return None };
        let samples = (usize::from(length % 48) + 1) * 120;
        (samples <= MAX_PACKET_SAMPLES).then_some(VoicePacketInfo {
            samples,
            redundant: kind & 2 != 0,
            silence: kind & 4 != 0,
        })
    }

    fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice> {
        out.fill(0.5);
        if payload[1] & 1 == 0 { Ok(()) } else { Err(UndecodableVoice) }
    }

    fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice> {
        self.decode(next, out)
    }

    fn conceal(&mut self, out: &mut [f32]) {
        out.fill(0.1);
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut buffer = VoiceBuffer::new(Decoder);
    let mut now = Instant::now();
    let (mut sequence, mut timestamp) = (65_500_u16, u32::MAX - 9_000);
    for step in steps {
        match step {
            Step::Packet { sequence: step, timestamp: ticks, jump, redundant, payload } => {
                (sequence, timestamp) = jump.unwrap_or((
                    sequence.wrapping_add_signed(step.into()),
                    timestamp.wrapping_add_signed(i32::from(ticks) * 16),
                ));
                let payload = Bytes::copy_from_slice(&payload);
                let marker = false;
                buffer.push(now, RtpPacket { sequence, timestamp, marker, redundant, payload });
            }
            Step::Pull(times) => {
                for _ in 0..times {
                    let mut frame = [0.0; SAMPLES_PER_10_MS];
                    buffer.pull(now, &mut frame);
                    assert!(
                        frame.iter().all(|sample| sample.abs() <= 1.0),
                        "louder than any input"
                    );
                    now += Duration::from_millis(10);
                }
            }
            Step::Pause { milliseconds } => now += Duration::from_millis(milliseconds.into()),
        }
    }
});
