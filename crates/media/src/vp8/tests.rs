use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use quartet_core::EncodedFrame;

use super::*;
use crate::{I420Frame, TestPattern, scale::scale};

fn at(index: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_secs(index) / 30
}

fn picture(index: u64) -> I420Frame {
    TestPattern::new("Ada").draw(index, at(index))
}

fn encode(encoder: &mut Vp8Encoder, index: u64) -> EncodedFrame {
    encoder.encode(&picture(index), false).unwrap().unwrap()
}

/// Of the brightness, in dB.
fn psnr(a: &I420Frame, b: &I420Frame) -> f64 {
    let (a, b) = (a.planes().0, b.planes().0);
    assert_eq!(a.len(), b.len());
    let squares: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / squares.max(1) as f64).log10()
}

#[test]
fn what_is_decoded_looks_like_what_was_encoded() {
    let mut encoder = Vp8Encoder::new(500_000);
    let mut decoder = Vp8Decoder::new().unwrap();
    for index in 0..60 {
        let frame = encode(&mut encoder, index);
        assert_eq!((frame.width, frame.height), (640, 360));
        let decoded = decoder.decode(&frame.data).unwrap().unwrap();
        let quality = psnr(&picture(index), &decoded);
        assert!(quality > 30.0, "picture {index}: {quality:.1} dB");
        assert_eq!(TestPattern::read_index(&decoded), Some(index as u32));
    }
}

#[test]
fn key_frames_come_first_and_when_forced_only() {
    let mut encoder = Vp8Encoder::new(300_000);
    for index in 0..200 {
        let force = index == 70 || index == 71;
        let frame = encoder.encode(&picture(index), force).unwrap().unwrap();
        assert_eq!(frame.key, index == 0 || force, "picture {index}");
    }
}

#[test]
fn a_new_bitrate_is_held_within_a_second() {
    let mut encoder = Vp8Encoder::new(500_000);
    let mut index = 0;
    let mut second = |encoder: &mut Vp8Encoder| {
        let bytes: usize = (0..30).map(|n| encode(encoder, index + n).data.len()).sum();
        index += 30;
        bytes as f64 * 8.0
    };
    for _ in 0..3 {
        second(&mut encoder);
    }
    for bitrate in [0, u32::MAX] {
        encoder.set_bitrate(bitrate).unwrap();
    }
    for bitrate in [150_000, 600_000, 200_000] {
        encoder.set_bitrate(bitrate).unwrap();
        second(&mut encoder);
        let rate = (second(&mut encoder) + second(&mut encoder)) / 2.0 / f64::from(bitrate);
        assert!((0.7..1.2).contains(&rate), "{rate:.2} × {bitrate}");
    }
}

#[test]
fn another_size_begins_with_a_key_frame_at_the_same_bitrate() {
    let mut encoder = Vp8Encoder::new(300_000);
    let mut decoder = Vp8Decoder::new().unwrap();
    for (index, (width, height)) in
        [(320, 180), (640, 360), (322, 182), (16, 2), (2, 2)].iter().enumerate()
    {
        for repeat in 0..2 {
            let index = index as u64 * 2 + repeat;
            let frame = scale(&picture(index), *width, *height).unwrap();
            let encoded = encoder.encode(&frame, false).unwrap().unwrap();
            assert_eq!(encoded.key, repeat == 0);
            let decoded = decoder.decode(&encoded.data).unwrap().unwrap();
            assert_eq!((decoded.width(), decoded.height()), (*width, *height));
        }
    }
}

#[test]
fn timestamps_follow_the_capture_times_and_never_go_back() {
    let mut encoder = Vp8Encoder::new(300_000);
    let mut stamp = |time| {
        let frame = I420Frame::new(64, 64, Arc::from(vec![90; 64 * 96]), 0, time).unwrap();
        encoder.encode(&frame, false).unwrap().unwrap().timestamp
    };
    let first = stamp(at(0));
    assert_eq!(stamp(at(1)).wrapping_sub(first), 2999);
    assert_eq!(stamp(at(3)).wrapping_sub(first), 9000);
    // The clock is set back, and runs on.
    assert_eq!(stamp(UNIX_EPOCH).wrapping_sub(first), 12_000);
    assert_eq!(stamp(UNIX_EPOCH + Duration::from_millis(50)).wrapping_sub(first), 16_500);
}

#[test]
fn nothing_is_decoded_before_a_key_frame() {
    let mut encoder = Vp8Encoder::new(300_000);
    let key = encode(&mut encoder, 0);
    let delta = encode(&mut encoder, 1);
    let mut decoder = Vp8Decoder::new().unwrap();
    assert_eq!(decoder.decode(&delta.data).unwrap_err(), Vp8Error::KeyFrameMissing);
    assert!(decoder.decode(&key.data).unwrap().is_some());
    assert!(decoder.decode(&delta.data).unwrap().is_some());
}

#[test]
fn a_hostile_size_is_refused_before_anything_is_allocated() {
    let mut data = encode(&mut Vp8Encoder::new(300_000), 0).data.to_vec();
    let mut decoder = Vp8Decoder::new().unwrap();
    for (width, height) in [(16383_u16, 16383_u16), (4098, 16), (16, 2306), (0, 16)] {
        data[6..8].copy_from_slice(&width.to_le_bytes());
        data[8..10].copy_from_slice(&height.to_le_bytes());
        assert!(matches!(decoder.decode(&data), Err(Vp8Error::Size { .. })));
    }
}

#[test]
fn an_odd_picture_loses_its_last_column_and_row() {
    let mut data = encode(&mut Vp8Encoder::new(300_000), 0).data.to_vec();
    // The same number of macroblocks, so that it can be decoded.
    data[6..8].copy_from_slice(&639_u16.to_le_bytes());
    data[8..10].copy_from_slice(&359_u16.to_le_bytes());
    let decoded = Vp8Decoder::new().unwrap().decode(&data).unwrap().unwrap();
    assert_eq!((decoded.width(), decoded.height()), (638, 358));
}

#[test]
fn broken_frames_do_no_harm_and_a_key_frame_mends() {
    let mut encoder = Vp8Encoder::new(300_000);
    let frames: Vec<_> = (0..20).map(|index| encode(&mut encoder, index).data).collect();
    for seed in 0..300 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut decoder = Vp8Decoder::new().unwrap();
        for frame in &frames {
            let mut data = frame.to_vec();
            if rng.u8(..) < 80 {
                data.truncate(rng.usize(0..=data.len()));
            }
            for _ in 0..rng.usize(0..4) {
                if let Some(at) = data.len().checked_sub(1).map(|last| rng.usize(0..=last)) {
                    data[at] ^= 1 << rng.u8(0..8);
                }
            }
            // Sizes that a flipped bit made large are decoded too, but not in this many tests.
            let size = quartet_core::vp8::key_frame_size(&data);
            if size.is_none_or(|size| size == (640, 360)) {
                let _ = decoder.decode(&data);
            }
        }
        assert!(decoder.decode(&frames[0]).unwrap().is_some());
    }
}
