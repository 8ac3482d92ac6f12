use std::{
    sync::mpsc::{self, Receiver, Sender},
    time::{Instant, SystemTime},
};

use super::*;
use crate::{Stop, TestPattern, Vp8Decoder};

const RUNG: Rung = Rung { max_width: 640, max_height: 360, max_fps: 30, bitrate_bps: 500_000 };
/// Long enough for any machine.
const SOON: Duration = Duration::from_secs(20);

type Play = dyn Fn(&FrameSlot, &Stop) -> Result<(), DeviceError> + Send + Sync;

/// A camera that does as it is told.
struct Script(Box<Play>);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl VideoInput for Script {
    fn label(&self) -> String {
        "Script".into()
    }

    fn run(&self, out: &FrameSlot, stop: &Stop) -> Result<(), DeviceError> {
        (self.0)(out, stop)
    }
}

fn script(
    play: impl Fn(&FrameSlot, &Stop) -> Result<(), DeviceError> + Send + Sync + 'static,
) -> Arc<dyn VideoInput> {
    Arc::new(Script(Box::new(play)))
}

fn picture(index: u64) -> I420Frame {
    TestPattern::with_size("", 160, 90, 30).draw(index, SystemTime::now())
}

struct Heard {
    encoded: Receiver<EncodedFrame>,
    captured: Receiver<u64>,
    ended: Receiver<Result<(), DeviceError>>,
}

fn callbacks() -> (VideoCallbacks, Heard) {
    fn forward<T: Send + 'static>(sender: Sender<T>) -> impl FnMut(T) + Send {
        move |value| drop(sender.send(value))
    }
    let (encoded, heard_encoded) = mpsc::channel();
    let (captured, heard_captured) = mpsc::channel();
    let (ended, heard_ended) = mpsc::channel();
    let mut captured = forward(captured);
    let callbacks = VideoCallbacks {
        encoded: Box::new(forward(encoded)),
        captured: Box::new(move |frame| captured(frame.index())),
        ended: Box::new(forward(ended)),
    };
    (callbacks, Heard { encoded: heard_encoded, captured: heard_captured, ended: heard_ended })
}

#[test]
fn a_pattern_comes_out_decodable_in_the_size_of_its_rung() {
    let (callbacks, heard) = callbacks();
    let rung = Rung { max_width: 320, max_height: 320, max_fps: 120, ..RUNG };
    let pipeline = VideoPipeline::start(Arc::new(TestPattern::new("Ada")), rung, callbacks);
    let mut decoder = Vp8Decoder::new().unwrap();
    let mut frames = 0;
    let mut bytes = 0;
    let mut asked = false;
    loop {
        let frame = heard.encoded.recv_timeout(SOON).unwrap();
        frames += 1;
        bytes += frame.data.len() as u64;
        let decoded = decoder.decode(&frame.data).unwrap().unwrap();
        assert_eq!((frame.width, frame.height), (320, 180));
        let number = TestPattern::read_index(&decoded).map(u64::from);
        assert_eq!(number, heard.captured.recv_timeout(SOON).ok());
        if frame.key && asked {
            break;
        }
        if frames == 5 {
            pipeline.request_key_frame();
            asked = true;
        }
    }
    let controls = pipeline.controls.clone();
    pipeline.stop();
    let stats = *controls.stats.lock();
    assert!(stats.frames >= frames && stats.bytes >= bytes);
    assert_eq!((stats.width, stats.height), (320, 180));
    assert!(stats.cpu > Duration::ZERO);
    assert_eq!(heard.ended.recv(), Ok(Ok(())));
}

#[test]
fn a_camera_that_vanishes_is_reported_once_after_all_else() {
    let (callbacks, heard) = callbacks();
    let vanished = DeviceError::Missing("Script".into());
    let error = vanished.clone();
    let (seen, wait_until_seen) = mpsc::channel();
    let wait_until_seen = Mutex::new(wait_until_seen);
    let input = script(move |out, _| {
        out.put(picture(0));
        let _ = wait_until_seen.lock().recv_timeout(SOON);
        Err(error.clone())
    });
    let pipeline = VideoPipeline::start(input, RUNG, callbacks);
    assert!(heard.encoded.recv_timeout(SOON).unwrap().key);
    seen.send(()).unwrap();
    assert_eq!(heard.ended.recv_timeout(SOON), Ok(Err(vanished)));
    // The threads are gone, and with them their ends of the channels.
    assert!(matches!(heard.encoded.recv_timeout(SOON), Err(mpsc::RecvTimeoutError::Disconnected)));
    pipeline.stop();
    assert!(heard.ended.recv().is_err());
}

#[test]
fn a_camera_that_panics_costs_the_camera_only() {
    let (callbacks, heard) = callbacks();
    let pipeline = VideoPipeline::start(script(|_, _| panic!("on purpose")), RUNG, callbacks);
    assert!(matches!(
        heard.ended.recv_timeout(SOON).unwrap(),
        Err(DeviceError::Failed { device, .. }) if device == "Script"
    ));
    pipeline.stop();
}

#[test]
fn a_slow_encoder_never_holds_up_the_input() {
    let (given, all_given) = mpsc::channel();
    let (encoder_enters, encoder_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (numbers, encoded_numbers) = mpsc::channel();
    let encoder_entered = Mutex::new(encoder_entered);
    let input = script(move |out, stop| {
        out.put(picture(0));
        encoder_entered.lock().recv_timeout(SOON).expect("the encoder takes the first");
        (1..=1000).for_each(|index| out.put(picture(index)));
        given.send(()).expect("the test listens");
        while !stop.wait(SOON) {}
        Ok(())
    });
    let callbacks = VideoCallbacks {
        captured: Box::new(move |frame| {
            if frame.index() == 0 {
                let _ = encoder_enters.send(());
                let _ = released.recv_timeout(SOON);
            }
            let _ = numbers.send(frame.index());
        }),
        encoded: Box::new(|_| {}),
        ended: Box::new(|_| {}),
    };
    let pipeline = VideoPipeline::start(input, RUNG, callbacks);
    all_given.recv_timeout(SOON).expect("the input waited for the encoder");
    release.send(()).unwrap();
    let taken: Vec<u64> = (0..2).map(|_| encoded_numbers.recv_timeout(SOON).unwrap()).collect();
    assert_eq!(taken, [0, 1000], "only the newest is kept");
    pipeline.stop();
}

#[test]
fn a_camera_that_hangs_for_a_while_is_waited_for() {
    let (callbacks, heard) = callbacks();
    let (entered, wait_entered) = mpsc::channel();
    let input = script(move |_, _| {
        entered.send(()).expect("the test listens");
        // Deaf to `stop`, as a driver can be.
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    });
    let pipeline = VideoPipeline::start(input, RUNG, callbacks);
    wait_entered.recv_timeout(SOON).unwrap();
    pipeline.stop();
    assert_eq!(heard.ended.try_recv(), Ok(Ok(())));
}

#[test]
fn a_camera_that_hangs_for_good_is_left_behind_in_bounded_time() {
    let (callbacks, heard) = callbacks();
    let (entered, wait_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let input = script(move |out, _| {
        entered.send(()).expect("the test listens");
        let _ = released.lock().recv();
        out.put(picture(0));
        Ok(())
    });
    let pipeline = VideoPipeline::start(input, RUNG, callbacks);
    wait_entered.recv_timeout(SOON).unwrap();
    let start = Instant::now();
    pipeline.stop();
    assert!(start.elapsed() < Duration::from_secs(10));
    // What it gives afterwards reaches nobody.
    drop(release);
    assert_eq!(heard.ended.recv_timeout(SOON), Ok(Ok(())));
    assert!(heard.encoded.recv().is_err());
}
