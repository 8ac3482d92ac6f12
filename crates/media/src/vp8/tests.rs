use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quartet_core::{EncodedFrame, layers::BASE_SHARE_PCT};

use super::*;
use crate::{I420Frame, TestPattern, scale::scale};

fn at(index: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_secs(index) / 30
}

fn picture(index: u64) -> I420Frame {
    TestPattern::new("Ada").draw(index, at(index))
}

/// Ticks of a picture of that number, at 30 a second.
fn ticks(index: u64) -> i64 {
    index as i64 * 3000
}

fn encode_some(encoder: &mut Vp8Encoder, frame: &I420Frame, index: u64, key: bool) -> EncodedFrame {
    encoder.encode(frame, ticks(index), key).unwrap().unwrap()
}

fn encode(encoder: &mut Vp8Encoder, index: u64) -> EncodedFrame {
    encode_some(encoder, &picture(index), index, false)
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
        let frame = encode_some(&mut encoder, &picture(index), index, force);
        assert_eq!(frame.key, index == 0 || force, "picture {index}");
    }
}

#[test]
fn layers_take_turns_and_a_key_frame_begins_anew() {
    let mut encoder = Vp8Encoder::new(300_000);
    let layers: Vec<u8> = (0..10)
        .map(|index| encode_some(&mut encoder, &picture(index), index, index == 5).temporal)
        .collect();
    assert_eq!(layers, [0, 1, 0, 1, 0, 0, 1, 0, 1, 0]);
}

/// Whatever is left out of the upper layer, each picture that is decoded is, to the last bit, what
/// it is for who has them all.
#[test]
fn pictures_of_the_upper_layer_can_be_left_out() {
    for seed in 0..8 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut encoder = Vp8Encoder::new(300_000);
        let (mut whole, mut partial) = (Vp8Decoder::new().unwrap(), Vp8Decoder::new().unwrap());
        for index in 0..60 {
            if rng.u8(..) < 20 {
                encoder.set_bitrate(rng.u32(60_000..900_000)).unwrap();
            }
            let key = rng.u8(..) < 10;
            let frame = encode_some(&mut encoder, &picture(index), index, key);
            let expected = whole.decode(&frame.data).unwrap().unwrap();
            if frame.temporal == 0 || rng.bool() {
                let decoded = partial.decode(&frame.data).unwrap().unwrap();
                assert!(decoded.data() == expected.data(), "picture {index}");
            }
        }
    }
}

#[test]
fn the_base_layer_takes_its_share_of_the_bitrate() {
    let mut encoder = Vp8Encoder::new(500_000);
    let mut bytes = [0, 0];
    for index in 0..180 {
        let frame = encode(&mut encoder, index);
        if index >= 60 {
            bytes[usize::from(frame.temporal)] += frame.data.len();
        }
    }
    let share = bytes[0] * 100 / (bytes[0] + bytes[1]);
    let expected = BASE_SHARE_PCT as usize;
    assert!((expected - 10..=expected + 10).contains(&share), "{share} %");
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
            let encoded = encode_some(&mut encoder, &frame, index, false);
            assert_eq!(encoded.key, repeat == 0);
            assert_eq!(encoded.temporal, repeat as u8);
            let decoded = decoder.decode(&encoded.data).unwrap().unwrap();
            assert_eq!((decoded.width(), decoded.height()), (*width, *height));
        }
    }
}

#[test]
fn timestamps_are_the_times_and_wrap() {
    let mut encoder = Vp8Encoder::new(300_000);
    for time in [0, 3000, i64::from(u32::MAX) - 5, i64::from(u32::MAX) + 5, 1 << 52] {
        let frame = encoder.encode(&picture(0), time, false).unwrap().unwrap();
        assert_eq!(frame.timestamp, time as u32);
    }
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

/// Lines of letters of ten pixels, as an editor shows them: black on white, no two lines alike.
fn page(first_line: u64) -> I420Frame {
    const WIDTH: usize = 960;
    const HEIGHT: usize = 540;
    const LINE: usize = 15;
    let mut data = vec![235; I420Frame::len_for(WIDTH as u16, HEIGHT as u16)];
    data[WIDTH * HEIGHT..].fill(128);
    for line in 0..HEIGHT / LINE {
        let mut random = fastrand::Rng::with_seed(first_line + line as u64);
        for column in 2..WIDTH / 8 - 2 {
            // A glyph of 5×7 dots.
            let glyph = if random.u8(..6) == 0 { 0 } else { random.u64(..1 << 35) };
            for dot in (0..35).filter(|dot| glyph >> dot & 1 == 1) {
                let (x, y) = (column * 8 + dot % 5, line * LINE + 4 + dot / 5);
                data[y * WIDTH + x] = 16;
            }
        }
    }
    I420Frame::new(WIDTH as u16, HEIGHT as u16, data.into(), 0, SystemTime::now()).unwrap()
}

/// Scrolls through three pages in six seconds; how many pictures there were, how good the worst
/// was, and how good the last one is two seconds after everything has come to rest.
fn read_pages(mut encoder: Vp8Encoder) -> (usize, f64, f64) {
    let mut decoder = Vp8Decoder::new().unwrap();
    let (mut pictures, mut worst, mut last) = (0, f64::MAX, 0.0);
    for index in 0..240 {
        let page = page(index.min(180) / 60 * 100);
        if let Some(frame) = encoder.encode(&page, ticks(index), false).unwrap() {
            let decoded = decoder.decode(&frame.data).unwrap().unwrap();
            last = psnr(&page, &decoded);
            (pictures, worst) = (pictures + 1, worst.min(last));
        }
    }
    (pictures, worst, last)
}

/// Glyphs of 5×7 pixels are told apart at this, and hardly at 5 dB less.
const READABLE_DB: f64 = 22.0;

#[test]
fn text_stays_readable_at_a_low_bitrate() {
    let (pictures, worst, last) = read_pages(Vp8Encoder::for_screen(400_000));
    println!("a screen: {pictures} pictures, the worst with {worst:.1} dB, at rest {last:.1} dB");
    assert!(worst > READABLE_DB, "{worst:.1} dB");
    assert!(last > READABLE_DB + 8.0, "{last:.1} dB");
    assert!(pictures < 240, "pictures were to be left out");
    let (pictures, worst, last) = read_pages(Vp8Encoder::new(400_000));
    println!("a camera: {pictures} pictures, the worst with {worst:.1} dB, at rest {last:.1} dB");
    assert!(worst < READABLE_DB, "else a screen would need no encoder of its own");
}
