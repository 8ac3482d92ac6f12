use std::collections::HashMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const PICTURE: Duration = Duration::from_millis(33);
const TICKS: u32 = 3000;

/// Encodes every picture in every rung; the data says which picture it refers to.
struct Encoders {
    count: u32,
    /// Of each rung: the number of the last base picture, and whether the next one is upper.
    rungs: [(Option<u32>, bool); 3],
    key_wanted: [bool; 3],
    keys: [u32; 3],
}

/// What a picture of the simulation is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Picture {
    rung: Rung,
    number: u32,
    refers_to: Option<u32>,
    temporal: u8,
}

impl Encoders {
    fn new() -> Self {
        Self { count: 0, rungs: [(None, false); 3], key_wanted: [false; 3], keys: [0; 3] }
    }

    /// The next moment, in all rungs, the smallest first.
    fn next(&mut self) -> Vec<(Picture, EncodedFrame)> {
        let number = self.count;
        self.count += 1;
        Rung::ALL
            .into_iter()
            .map(|rung| {
                let (base, upper) = &mut self.rungs[rung as usize];
                let wanted = std::mem::take(&mut self.key_wanted[rung as usize]);
                let key = wanted || base.is_none();
                let temporal = u8::from(*upper && !key);
                let refers_to = if key { None } else { *base };
                if temporal == 0 {
                    *base = Some(number);
                }
                *upper = temporal == 0;
                self.keys[rung as usize] += u32::from(key);
                let (width, height) = rung.size();
                let timestamp = number.wrapping_mul(TICKS);
                let data = Bytes::from_static(b"x");
                let frame = EncodedFrame { data, key, width, height, timestamp, temporal };
                (Picture { rung, number, refers_to, temporal }, frame)
            })
            .collect()
    }
}

/// Fails where a picture cannot be decoded.
#[derive(Default)]
struct Decoder {
    has: HashMap<(Rung, u32), ()>,
    rung: Option<Rung>,
    last: Option<u32>,
}

impl Decoder {
    fn decode(&mut self, picture: Picture, frame: &EncodedFrame) {
        if frame.key {
            self.has.clear();
            self.rung = Some(picture.rung);
        } else {
            assert_eq!(self.rung, Some(picture.rung), "{picture:?}");
            let refers_to = picture.refers_to.expect("not a key frame");
            assert!(self.has.contains_key(&(picture.rung, refers_to)), "{picture:?}");
        }
        if picture.temporal == 0 {
            self.has.insert((picture.rung, picture.number), ());
        }
        if let Some(last) = self.last {
            assert!((frame.timestamp.wrapping_sub(last) as i32) > 0, "{picture:?}");
        }
        self.last = Some(frame.timestamp);
    }
}

fn layer(rung: Rung, temporal: u8) -> Option<Layer> {
    Some(Layer { rung, temporal })
}

/// One moment: what is let through.
fn step(
    encoders: &mut Encoders,
    selector: &mut LayerSelector,
    now: &mut Instant,
) -> Vec<(Picture, EncodedFrame)> {
    *now += PICTURE;
    let taken = encoders
        .next()
        .into_iter()
        .filter_map(|(picture, frame)| {
            selector.take(*now, picture.rung, &frame).map(|frame| (picture, frame))
        })
        .collect();
    if let Some(rung) = selector.poll_key_frame(*now) {
        encoders.key_wanted[rung as usize] = true;
    }
    taken
}

fn shape(taken: &[(Picture, EncodedFrame)]) -> Vec<(Rung, bool, u8)> {
    taken.iter().map(|(picture, frame)| (picture.rung, frame.key, frame.temporal)).collect()
}

#[test]
fn a_stream_begins_with_a_key_frame_of_the_wanted_rung() {
    let (mut encoders, mut selector, mut now) =
        (Encoders::new(), LayerSelector::default(), Instant::now());
    encoders.next();
    assert_eq!(step(&mut encoders, &mut selector, &mut now), []);
    selector.set(layer(Rung::P360, 1));
    assert_eq!(step(&mut encoders, &mut selector, &mut now), []);
    assert_eq!(selector.rung(), None);
    let taken = step(&mut encoders, &mut selector, &mut now);
    assert_eq!(shape(&taken), [(Rung::P360, true, 0)]);
    let taken = step(&mut encoders, &mut selector, &mut now);
    assert_eq!(shape(&taken), [(Rung::P360, false, 1)]);
    selector.set(layer(Rung::P360, 0));
    let shapes: Vec<_> =
        (0..4).flat_map(|_| shape(&step(&mut encoders, &mut selector, &mut now))).collect();
    assert_eq!(shapes, [(Rung::P360, false, 0); 2]);
}

#[test]
fn on_the_way_down_the_base_layer_goes_on_until_the_key_frame() {
    let (mut encoders, mut selector, mut now) =
        (Encoders::new(), LayerSelector::default(), Instant::now());
    selector.set(layer(Rung::P720, 1));
    for _ in 0..4 {
        step(&mut encoders, &mut selector, &mut now);
    }
    selector.set(layer(Rung::P180, 1));
    // The key frame is asked for after this picture, and does not come yet.
    for expected in [vec![(Rung::P720, false, 0)], vec![], vec![(Rung::P720, false, 0)]] {
        let taken = step(&mut encoders, &mut selector, &mut now);
        encoders.key_wanted = [false; 3];
        assert_eq!(shape(&taken), expected);
    }
    encoders.key_wanted[0] = true;
    assert_eq!(shape(&step(&mut encoders, &mut selector, &mut now)), [(Rung::P180, true, 0)]);
    assert_eq!(selector.rung(), Some(Rung::P180));
}

#[test]
fn on_the_way_up_no_picture_is_missed_and_time_goes_on() {
    let (mut encoders, mut selector, mut now) =
        (Encoders::new(), LayerSelector::default(), Instant::now());
    selector.set(layer(Rung::P180, 1));
    step(&mut encoders, &mut selector, &mut now);
    selector.set(layer(Rung::P360, 1));
    let before = step(&mut encoders, &mut selector, &mut now);
    assert_eq!(before[0].0.rung, Rung::P180);
    // The same moment twice: small, then the key frame, one tick later.
    let both = step(&mut encoders, &mut selector, &mut now);
    assert_eq!(both.len(), 2);
    assert!(both[1].1.key && both[1].1.width == 640);
    assert_eq!(both[1].1.timestamp, both[0].1.timestamp + 1);
    let after = step(&mut encoders, &mut selector, &mut now);
    assert_eq!(after[0].1.timestamp, both[0].1.timestamp + TICKS);
}

#[test]
fn a_rung_that_is_wanted_again_before_the_key_frame_costs_none() {
    let (mut encoders, mut selector, mut now) =
        (Encoders::new(), LayerSelector::default(), Instant::now());
    selector.set(layer(Rung::P360, 1));
    step(&mut encoders, &mut selector, &mut now);
    let keys = encoders.keys;
    selector.set(layer(Rung::P180, 1));
    selector.set(layer(Rung::P360, 1));
    for _ in 0..10 {
        assert_eq!(step(&mut encoders, &mut selector, &mut now).len(), 1);
    }
    assert_eq!(encoders.keys, keys);
}

#[test]
fn after_a_dropped_picture_only_a_key_frame_goes_on() {
    let (mut encoders, mut selector, mut now) =
        (Encoders::new(), LayerSelector::default(), Instant::now());
    selector.set(layer(Rung::P360, 1));
    step(&mut encoders, &mut selector, &mut now);
    selector.begin_anew();
    assert_eq!(step(&mut encoders, &mut selector, &mut now), []);
    assert_eq!(shape(&step(&mut encoders, &mut selector, &mut now)), [(Rung::P360, true, 0)]);
}

#[test]
fn a_peer_that_asks_all_the_time_gets_few_key_frames() {
    let (mut encoders, mut selector, mut now) =
        (Encoders::new(), LayerSelector::default(), Instant::now());
    selector.set(layer(Rung::P360, 1));
    step(&mut encoders, &mut selector, &mut now);
    for _ in 0..60 {
        selector.restart(now);
        step(&mut encoders, &mut selector, &mut now);
    }
    // Two seconds of asking with every picture; the pictures go on meanwhile.
    assert!((5..=7).contains(&encoders.keys[1]), "{:?}", encoders.keys);
}

#[test]
fn a_request_just_after_a_key_frame_is_met_later_and_not_forgotten() {
    let (mut encoders, mut selector, mut now) =
        (Encoders::new(), LayerSelector::default(), Instant::now());
    selector.set(layer(Rung::P360, 1));
    step(&mut encoders, &mut selector, &mut now);
    selector.restart(now);
    let keys: Vec<_> =
        (0..20).filter(|_| step(&mut encoders, &mut selector, &mut now)[0].1.key).collect();
    // 300 ms are nine pictures, and the encoder makes it with the one after.
    assert_eq!(keys, [10]);
}

#[test]
fn a_key_frame_that_does_not_come_is_asked_for_again() {
    let (mut selector, start) = (LayerSelector::default(), Instant::now());
    selector.set(layer(Rung::P360, 1));
    let asked = (0..100).filter(|ms| {
        selector.poll_key_frame(start + Duration::from_millis(ms * 10)) == Some(Rung::P360)
    });
    assert_eq!(asked.count(), 2);
}

#[test]
fn a_new_camera_may_have_another_time() {
    let (mut selector, now) = (LayerSelector::default(), Instant::now());
    selector.set(layer(Rung::P360, 1));
    let data = Bytes::from_static(b"x");
    let key = |timestamp| EncodedFrame {
        data: data.clone(),
        key: true,
        width: 640,
        height: 360,
        timestamp,
        temporal: 0,
    };
    let mut stamp = |timestamp| selector.take(now, Rung::P360, &key(timestamp)).unwrap().timestamp;
    assert_eq!(stamp(4_000_000_000), 4_000_000_000);
    assert_eq!(stamp(4_000_000_000), 4_000_000_001);
    assert_eq!(stamp(1_000_000_000), 1_000_000_000);
    assert_eq!(stamp(u32::MAX), u32::MAX);
    assert_eq!(stamp(u32::MAX), 0);
}

#[derive(Debug, Clone)]
enum Deed {
    Set(Option<Layer>),
    BeginAnew,
    Restart,
    /// The encoders forget what was asked of them.
    Forget,
}

fn deed() -> impl Strategy<Value = Deed> {
    let layer = (0..3_usize, 0..2_u8)
        .prop_map(|(rung, temporal)| Layer { rung: Rung::ALL[rung], temporal });
    prop_oneof![
        4 => proptest::option::weighted(0.9, layer).prop_map(Deed::Set),
        1 => Just(Deed::BeginAnew),
        1 => Just(Deed::Restart),
        1 => Just(Deed::Forget),
    ]
}

proptest! {
    #[test]
    fn whatever_is_wanted_the_stream_can_be_decoded_and_gets_there(
        deeds in proptest::collection::vec((0..12_u32, deed()), 1..40),
    ) {
        let (mut encoders, mut selector) = (Encoders::new(), LayerSelector::default());
        let (mut decoder, mut now) = (Decoder::default(), Instant::now());
        let mut changes = 0;
        for (pictures, deed) in deeds {
            for _ in 0..pictures {
                for (picture, frame) in step(&mut encoders, &mut selector, &mut now) {
                    decoder.decode(picture, &frame);
                }
            }
            match deed {
                Deed::Set(wanted) => selector.set(wanted),
                Deed::BeginAnew => {
                    selector.begin_anew();
                    decoder.has.clear();
                }
                Deed::Restart => selector.restart(now),
                Deed::Forget => encoders.key_wanted = [false; 3],
            }
            changes += 1;
        }
        // Half a second later it has what it wants: also where a request was forgotten.
        let mut last = None;
        for _ in 0..20 {
            for (picture, frame) in step(&mut encoders, &mut selector, &mut now) {
                decoder.decode(picture, &frame);
                last = Some(picture);
            }
        }
        prop_assert_eq!(selector.rung(), selector.wanted.map(|layer| layer.rung));
        if let Some(wanted) = selector.wanted {
            prop_assert_eq!(last.map(|picture| picture.rung), Some(wanted.rung));
        }
        // At most one key frame for each change, beside the first of each rung and repeated asking.
        let keys: u32 = encoders.keys.iter().sum();
        let repeated = encoders.count / 15;
        prop_assert!(keys <= 3 + changes + repeated, "{} key frames", keys);
    }
}
