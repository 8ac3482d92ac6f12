//! A voice packet with copies of earlier ones (RFC 2198), from any bytes.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use quartet_core::{RtpPacket, red};

/// Of Opus, as most ends number it.
const OPUS: u8 = 111;

fuzz_target!(|input: (u16, u32, Vec<u8>)| {
    let (sequence, timestamp, payload) = input;
    let payload = Bytes::from(payload);
    let packet = RtpPacket {
        sequence,
        timestamp,
        marker: false,
        redundant: false,
        payload: payload.clone(),
    };
    let Some(packets) = red::unpack(&packet, OPUS) else { return };
    let held: usize = packets.iter().map(|packet| packet.payload.len()).sum();
    assert!(held <= payload.len(), "nothing is invented");
    assert!(packets.len() <= payload.len(), "each block costs at least a byte");
    let (first, copies) = packets.split_first().expect("it holds its own content");
    assert_eq!((first.sequence, first.timestamp, first.redundant), (sequence, timestamp, false));
    assert!(copies.iter().all(|copy| copy.redundant && copy.sequence != sequence));
});
