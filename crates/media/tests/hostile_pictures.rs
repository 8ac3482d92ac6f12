//! What a decoder does with pictures that somebody made to do harm.

use std::time::{Instant, SystemTime};

use quartet_core::vp8;
use quartet_media::{I420Frame, TestPattern, Vp8Decoder, Vp8Encoder, Vp8Error, scale};

/// A key frame of this size.
fn key_frame(width: u16, height: u16) -> Vec<u8> {
    let picture = TestPattern::new("").draw(1, SystemTime::UNIX_EPOCH);
    let picture = scale(&picture, width, height).expect("even sides");
    let encoded = Vp8Encoder::new(300_000).encode(&picture, 0, false);
    encoded.expect("encodes").expect("a picture").data.to_vec()
}

/// Pictures of a stream of 640 × 360, the first a key frame.
fn stream(count: u64) -> Vec<Vec<u8>> {
    let mut encoder = Vp8Encoder::new(300_000);
    let pattern = TestPattern::new("");
    let encode = |index: u64| {
        let picture = pattern.draw(index, SystemTime::UNIX_EPOCH);
        let encoded = encoder.encode(&picture, index as i64 * 3000, false);
        encoded.expect("encodes").expect("a picture").data.to_vec()
    };
    (0..count).map(encode).collect()
}

/// Resident bytes of this process; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn size(frame: Option<I420Frame>) -> Option<(u16, u16)> {
    frame.map(|frame| (frame.width(), frame.height()))
}

#[test]
fn a_size_that_changes_with_every_picture_costs_no_more_memory() {
    let seed = 11;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let sizes: Vec<(u16, u16)> =
        (0..12).map(|_| (rng.u16(1..640) * 2, rng.u16(1..360) * 2)).collect();
    let keys: Vec<_> = sizes.iter().map(|&(width, height)| key_frame(width, height)).collect();
    let mut decoder = Vp8Decoder::new().expect("a decoder");
    let mut round = |count: usize| {
        for _ in 0..count {
            let which = rng.usize(0..keys.len());
            let decoded = decoder.decode(&keys[which]).expect("a good key frame");
            assert_eq!(size(decoded), Some(sizes[which]));
        }
    };
    round(50);
    let before = resident();
    round(400);
    if let (Some(before), Some(after)) = (before, resident()) {
        // 400 × the largest of these pictures would be 500 MB.
        assert!(after < before + (32 << 20), "{before} before, {after} after");
    }
}

#[test]
fn a_key_frame_that_lies_about_its_size_is_bounded_in_time_and_does_no_harm() {
    let mut data = key_frame(640, 360);
    let mut decoder = Vp8Decoder::new().expect("a decoder");
    for (width, height) in [(4096_u16, 2304_u16), (16, 2304), (4096, 16), (2, 2), (1280, 720)] {
        data[6..8].copy_from_slice(&width.to_le_bytes());
        data[8..10].copy_from_slice(&height.to_le_bytes());
        let begin = Instant::now();
        for len in [10, 11, 100, data.len()] {
            if let Ok(decoded) = decoder.decode(&data[..len]) {
                assert!(size(decoded).is_none_or(|size| size == (width, height)));
            }
        }
        // Far longer than the largest picture takes on a busy machine.
        assert!(begin.elapsed().as_secs() < 20, "{width}×{height}: {:?}", begin.elapsed());
    }
    let good = key_frame(320, 180);
    assert_eq!(size(decoder.decode(&good).expect("mended")), Some((320, 180)));
}

#[test]
fn a_picture_cut_anywhere_is_an_error_or_a_picture_and_then_a_key_frame_is_asked_for() {
    let frames = stream(4);
    let step = frames[0].len() / 40 + 1;
    for len in (0..frames[0].len()).step_by(step) {
        let mut decoder = Vp8Decoder::new().expect("a decoder");
        if decoder.decode(&frames[0][..len]).is_err() {
            let next = decoder.decode(&frames[1]);
            assert_eq!(next.unwrap_err(), Vp8Error::KeyFrameMissing, "cut at {len}");
        }
    }
    for len in 0..frames[1].len().min(60) {
        let mut decoder = Vp8Decoder::new().expect("a decoder");
        decoder.decode(&frames[0]).expect("a good key frame");
        if decoder.decode(&frames[1][..len]).is_err() {
            let next = decoder.decode(&frames[2]);
            assert_eq!(next.unwrap_err(), Vp8Error::KeyFrameMissing, "cut at {len}");
        }
        assert_eq!(size(decoder.decode(&frames[0]).expect("mended")), Some((640, 360)));
    }
}

#[test]
fn noise_after_a_good_picture_does_no_harm() {
    let frames = stream(1);
    let mut decoder = Vp8Decoder::new().expect("a decoder");
    for seed in 0..400 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        decoder.decode(&frames[0]).expect("a good key frame");
        for _ in 0..3 {
            let mut noise = vec![0; rng.usize(0..2000)];
            rng.fill(&mut noise);
            if let Some(tag) = noise.first_mut() {
                // A picture between key frames: all of it is decoded.
                *tag |= 1;
            }
            if let Ok(decoded) = decoder.decode(&noise) {
                assert!(size(decoded).is_none_or(|size| size == (640, 360)));
            }
        }
        // Noise that calls itself a key frame, of a size that is decoded soon.
        let mut noise = vec![0; rng.usize(10..2000)];
        rng.fill(&mut noise);
        noise[0] &= !1;
        noise[3..10].copy_from_slice(&[0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
        assert_eq!(vp8::key_frame_size(&noise), Some((320, 180)));
        if let Ok(decoded) = decoder.decode(&noise) {
            assert!(size(decoded).is_none_or(|size| size == (320, 180)));
        }
    }
}
