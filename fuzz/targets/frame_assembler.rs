//! The depacketiser: any packets in any order, at any time.

#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use quartet_core::{Assembled, AssemblerConfig, FrameAssembler, RtpPacket};

#[derive(Debug, Arbitrary)]
struct Step {
    /// After the step before.
    milliseconds: u8,
    /// What is added to the sequence number; small steps find more.
    sequence: i8,
    /// It jumps instead.
    jump: Option<u16>,
    timestamp: u8,
    marker: bool,
    payload: Vec<u8>,
}

fuzz_target!(|steps: Vec<Step>| {
    let config = AssemblerConfig::default();
    let mut assembler = FrameAssembler::new(config);
    let mut now = Instant::now();
    let (mut sequence, mut timestamp) = (65_500_u16, u32::MAX - 9_000);
    let mut decoding = false;
    for step in steps {
        now += Duration::from_millis(step.milliseconds.into());
        if assembler.poll_timeout().is_some_and(|at| at <= now) {
            assembler.handle_timeout(now);
        }
        sequence = step.jump.unwrap_or_else(|| sequence.wrapping_add_signed(step.sequence.into()));
        timestamp = timestamp.wrapping_add(u32::from(step.timestamp) * 300);
        let payload = Bytes::from(step.payload);
        let marker = step.marker;
        assembler.push(now, RtpPacket { sequence, timestamp, marker, redundant: false, payload });
        while let Some(output) = assembler.poll() {
            if let Assembled::Frame(frame) = output {
                assert!(frame.width > 0 && frame.height > 0 && !frame.data.is_empty());
                assert!(frame.key || decoding, "the first picture has to be a key frame");
                decoding = true;
            }
        }
    }
});
