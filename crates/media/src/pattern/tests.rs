use super::*;
use crate::{Vp8Decoder, Vp8Encoder, scale::scale};

#[test]
fn the_number_survives_a_low_bitrate_and_a_small_size() {
    let pattern = TestPattern::new("Grace");
    for (width, height) in [(640, 360), (320, 180)] {
        let mut encoder = Vp8Encoder::new(150_000);
        let mut decoder = Vp8Decoder::new().unwrap();
        for step in 0..150 {
            // Far into the numbers, so that all bits are seen.
            let index = 0x5a00_ff00 + step;
            let at = UNIX_EPOCH + Duration::from_secs(step) / 30;
            let frame = scale(&pattern.draw(index, at), width, height).unwrap();
            let encoded = encoder.encode(&frame, step as i64 * 3000, false).unwrap().unwrap();
            let decoded = decoder.decode(&encoded.data).unwrap().unwrap();
            let read = TestPattern::read_index(&decoded);
            assert_eq!(read, Some(index as u32), "picture {step} of {width}×{height}");
            let shown = scale(&decoded, 320, 180).unwrap();
            assert_eq!(TestPattern::read_index(&shown), Some(index as u32), "shown small");
        }
    }
}

#[test]
fn every_number_can_be_read_at_every_size() {
    let numbers = [0, 1, u32::MAX, 0x8000_0000, 0x1234_5678];
    for (width, height) in [(160, 90), (640, 360), (854, 480), (1280, 720), (360, 640)] {
        let pattern = TestPattern::with_size("", width, height, 30);
        for number in numbers {
            let frame = pattern.draw(number.into(), UNIX_EPOCH);
            assert_eq!(TestPattern::read_index(&frame), Some(number), "{width}×{height}");
        }
    }
}

#[test]
fn other_pictures_have_no_number() {
    let mut rng = fastrand::Rng::with_seed(1);
    let frame = |fill: &mut dyn FnMut() -> u8| {
        let data: Vec<u8> = (0..I420Frame::len_for(640, 360)).map(|_| fill()).collect();
        I420Frame::new(640, 360, data.into(), 0, UNIX_EPOCH).unwrap()
    };
    assert_eq!(TestPattern::read_index(&frame(&mut || 16)), None);
    assert_eq!(TestPattern::read_index(&frame(&mut || 235)), None);
    assert_eq!(TestPattern::read_index(&frame(&mut || rng.u8(..))), None);
}

#[test]
fn each_seed_has_its_colours_and_each_picture_its_own_look() {
    let (a, b) = (TestPattern::new("Ada"), TestPattern::new("Grace"));
    let [first, second] = [&a, &b].map(|pattern| pattern.draw(0, UNIX_EPOCH));
    assert_ne!(first.planes().1, second.planes().1);
    assert_eq!(first.data(), a.draw(0, UNIX_EPOCH).data());
    let later = a.draw(1, UNIX_EPOCH);
    let moved = first.data().iter().zip(later.data()).filter(|(a, b)| a != b).count();
    assert!(moved > 100, "{moved} bytes differ");
}

#[test]
fn the_clock_shows_the_time_of_day() {
    let at = UNIX_EPOCH + Duration::from_millis(86_400_000 * 20_000 + 45_296_789);
    assert_eq!(clock_text(at), "12:34:56.789");
}

#[test]
fn pictures_come_at_their_time_and_show_their_number() {
    let (slot, stop) = (FrameSlot::default(), Stop::default());
    let pattern = TestPattern::with_size("", 160, 90, 100);
    let start = SystemTime::now();
    std::thread::scope(|scope| {
        scope.spawn(|| pattern.run(&slot, &stop));
        let mut last = None;
        while last.is_none_or(|last| last < 30) {
            let frame = slot.take(Duration::from_secs(10)).expect("a picture");
            assert!(last.is_none_or(|last| last < frame.index()));
            assert_eq!(TestPattern::read_index(&frame), Some(frame.index() as u32));
            let due = start + Duration::from_millis(10) * frame.index() as u32;
            assert!(frame.captured_at() + Duration::from_millis(1) >= due, "too early");
            last = Some(frame.index());
        }
        stop.stop();
    });
}
