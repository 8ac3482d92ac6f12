use std::{
    sync::mpsc::{self, Receiver},
    time::SystemTime,
};

use super::*;
use crate::{DeviceError, Stop, TestPattern, Vp8Decoder};

/// Long enough for any machine.
const SOON: Duration = Duration::from_secs(20);

/// A window that gives a few pictures, 30 a second, and is closed.
#[derive(Debug)]
struct Window {
    size: (u16, u16),
    pictures: u64,
}

impl VideoInput for Window {
    fn label(&self) -> String {
        "Window".into()
    }

    fn run(&self, out: &FrameSlot, stop: &Stop) -> Result<(), DeviceError> {
        let pattern = TestPattern::with_size("", self.size.0, self.size.1, 30);
        for index in 0..self.pictures {
            out.put(pattern.draw(index, SystemTime::now()));
            if stop.wait(Duration::from_millis(33)) {
                return Ok(());
            }
        }
        Err(DeviceError::Closed(self.label()))
    }
}

struct Heard {
    encoded: Receiver<EncodedFrame>,
    ended: Receiver<Result<(), DeviceError>>,
}

fn start(window: Window) -> (ScreenPipeline, Heard) {
    let (encoded, heard) = mpsc::channel();
    let (ended, heard_end) = mpsc::channel();
    let callbacks = ScreenCallbacks {
        encoded: Box::new(move |frame| drop(encoded.send(frame))),
        captured: Box::new(|_| {}),
        ended: Box::new(move |result| drop(ended.send(result))),
    };
    let pipeline = ScreenPipeline::start(Arc::new(window), callbacks);
    (pipeline, Heard { encoded: heard, ended: heard_end })
}

#[test]
fn nothing_is_encoded_before_somebody_is_to_get_it_and_then_a_key_frame_comes_first() {
    let (pipeline, heard) = start(Window { size: (640, 360), pictures: u64::MAX });
    assert!(heard.encoded.recv_timeout(Duration::from_millis(300)).is_err());
    pipeline.set_bitrate(Some(1_000_000));
    let mut decoder = Vp8Decoder::new().unwrap();
    let first = heard.encoded.recv_timeout(SOON).unwrap();
    assert!(first.key);
    let mut numbers = Vec::new();
    for frame in std::iter::once(first).chain(heard.encoded.iter().take(9)) {
        assert_eq!((frame.width, frame.height, frame.temporal), (640, 360, 0));
        let picture = decoder.decode(&frame.data).unwrap().unwrap();
        numbers.push(TestPattern::read_index(&picture).unwrap());
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    pipeline.request_key_frame();
    assert!(heard.encoded.iter().take(60).any(|frame| frame.key));
    pipeline.stop();
    assert_eq!(heard.ended.recv_timeout(SOON), Ok(Ok(())));
}

#[test]
fn a_screen_larger_than_the_limit_is_scaled_down_to_it() {
    let (pipeline, heard) = start(Window { size: (2560, 1600), pictures: u64::MAX });
    pipeline.set_bitrate(Some(1_000_000));
    let first = heard.encoded.recv_timeout(SOON).unwrap();
    assert_eq!((first.width, first.height), (1728, 1080));
    pipeline.stop();
}

#[test]
fn a_window_that_is_closed_ends_it_with_that_reason() {
    let (pipeline, heard) = start(Window { size: (320, 180), pictures: 3 });
    pipeline.set_bitrate(Some(1_000_000));
    let end = heard.ended.recv_timeout(SOON).unwrap();
    assert_eq!(end, Err(DeviceError::Closed("Window".to_owned())));
    pipeline.stop();
}
