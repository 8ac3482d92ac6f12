use std::{
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Instant, SystemTime},
};

use super::*;
use crate::{DeviceError, Stop, TestPattern, Vp8Decoder};

const ENCODING: Encoding = Encoding { rung: Rung::P360, bitrate_bps: 500_000, max_fps: 30 };
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
    encoded: Receiver<(Rung, EncodedFrame)>,
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
    let mut encoded = forward(encoded);
    let callbacks = VideoCallbacks {
        encoded: Box::new(move |rung, frame| encoded((rung, frame))),
        captured: Box::new(move |frame| captured(frame.index())),
        ended: Box::new(forward(ended)),
    };
    (callbacks, Heard { encoded: heard_encoded, captured: heard_captured, ended: heard_ended })
}

/// One rung, as in a call with one person.
fn start(input: Arc<dyn VideoInput>, callbacks: VideoCallbacks) -> VideoPipeline {
    let pipeline = VideoPipeline::start(input, callbacks);
    pipeline.set_rungs(&[ENCODING]);
    pipeline
}

#[test]
fn a_pattern_comes_out_decodable_in_the_size_of_its_rung() {
    let (callbacks, heard) = callbacks();
    let pipeline = start(Arc::new(TestPattern::with_size("Ada", 1280, 720, 30)), callbacks);
    let mut decoder = Vp8Decoder::new().unwrap();
    let mut frames = 0;
    let mut bytes = 0;
    let mut asked = false;
    loop {
        let (rung, frame) = heard.encoded.recv_timeout(SOON).unwrap();
        assert_eq!(rung, Rung::P360);
        frames += 1;
        bytes += frame.data.len() as u64;
        let decoded = decoder.decode(&frame.data).unwrap().unwrap();
        assert_eq!((frame.width, frame.height), (640, 360));
        let number = TestPattern::read_index(&decoded).map(u64::from).unwrap();
        while heard.captured.recv_timeout(SOON).unwrap() != number {}
        if frame.key && asked {
            break;
        }
        if frames == 5 {
            pipeline.request_key_frame(Rung::P360);
            asked = true;
        }
    }
    let controls = pipeline.controls.clone();
    pipeline.stop();
    let stats = *controls.stats.lock();
    let rung = stats.rungs[Rung::P360 as usize];
    assert!(rung.frames >= frames && rung.bytes >= bytes && rung.key_frames >= 2);
    assert_eq!((rung.width, rung.height), (640, 360));
    assert!(rung.active && rung.cpu > Duration::ZERO && stats.cpu >= rung.cpu);
    assert_eq!(stats.source, (1280, 720));
    assert!(stats.taken >= frames && stats.load > 0.0 && stats.load <= 1.0);
    assert_eq!(heard.ended.recv(), Ok(Ok(())));
}

#[test]
fn rungs_begin_with_a_key_frame_go_on_without_and_end_at_once() {
    // A picture comes when the test says so.
    let (give, given) = mpsc::channel::<u64>();
    let given = Mutex::new(given);
    let pattern = TestPattern::with_size("", 1280, 720, 30);
    let input = script(move |out, _| {
        for index in given.lock().iter() {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + index) / 30;
            out.put(pattern.draw(index, at));
        }
        Ok(())
    });
    let (callbacks, heard) = callbacks();
    let pipeline = VideoPipeline::start(input, callbacks);
    let mut index = 0;
    let mut next = |encodings: &[(Rung, u32)]| {
        let encoding = |&(rung, bitrate_bps)| Encoding { rung, bitrate_bps, max_fps: 30 };
        pipeline.set_rungs(&encodings.iter().map(encoding).collect::<Vec<_>>());
        give.send(index).unwrap();
        index += 1;
        assert_eq!(heard.captured.recv_timeout(SOON), Ok(index - 1));
        let frames: Vec<_> =
            encodings.iter().map(|_| heard.encoded.recv_timeout(SOON).unwrap()).collect();
        // Counted when all is done with it: what is wanted next cannot come into this one.
        let begin = Instant::now();
        while pipeline.stats().taken < index {
            assert!(begin.elapsed() < SOON);
            thread::yield_now();
        }
        let times: Vec<_> = frames.iter().map(|(_, frame)| frame.timestamp).collect();
        assert!(times.windows(2).all(|pair| pair[0] == pair[1]), "{times:?}");
        frames
            .into_iter()
            .map(|(rung, frame)| (rung, (frame.width, frame.height), frame.key))
            .collect::<Vec<_>>()
    };
    let (small, middle, large) = (Rung::P180, Rung::P360, Rung::P720);
    assert_eq!(next(&[]), []);
    assert_eq!(next(&[(middle, 500_000)]), [(middle, (640, 360), true)]);
    assert_eq!(next(&[(middle, 300_000)]), [(middle, (640, 360), false)]);
    assert_eq!(
        next(&[(large, 900_000), (middle, 300_000), (small, 100_000)]),
        [(small, (320, 180), true), (middle, (640, 360), false), (large, (1280, 720), true)]
    );
    assert_eq!(
        next(&[(small, 100_000), (large, 900_000)]),
        [(small, (320, 180), false), (large, (1280, 720), false)]
    );
    assert_eq!(next(&[]), []);
    assert_eq!(next(&[(small, 100_000)]), [(small, (320, 180), true)]);
    let rungs = pipeline.stats().rungs;
    assert_eq!(rungs.map(|rung| rung.active), [true, false, false]);
    drop(give);
    pipeline.stop();
}

#[test]
fn a_key_frame_of_one_rung_costs_the_others_none() {
    let (callbacks, heard) = callbacks();
    let pattern = Arc::new(TestPattern::with_size("Ada", 640, 360, 60));
    let pipeline = VideoPipeline::start(pattern, callbacks);
    let small = Encoding { rung: Rung::P180, bitrate_bps: 150_000, max_fps: 60 };
    pipeline.set_rungs(&[small, Encoding { max_fps: 60, ..ENCODING }]);
    pipeline.request_key_frame(Rung::P180);
    let mut keys = [0, 0];
    for count in 0..120 {
        if count % 10 == 0 {
            pipeline.request_key_frame(Rung::P180);
        }
        let (rung, frame) = heard.encoded.recv_timeout(SOON).unwrap();
        keys[rung as usize] += u32::from(frame.key);
    }
    pipeline.stop();
    assert_eq!(keys[1], 1);
    // One at the beginning, then at most one every 300 ms of the second that it takes.
    assert!(keys[0] >= 3, "{keys:?}");
}

#[test]
fn a_small_source_is_not_enlarged_and_a_rung_may_be_slower() {
    let (callbacks, heard) = callbacks();
    let pattern = Arc::new(TestPattern::with_size("Ada", 320, 240, 60));
    let pipeline = VideoPipeline::start(pattern, callbacks);
    pipeline.set_rungs(&[Encoding { max_fps: 15, ..ENCODING }]);
    let times: Vec<_> = (0..10)
        .map(|_| {
            let (_, frame) = heard.encoded.recv_timeout(SOON).unwrap();
            assert_eq!((frame.width, frame.height), (320, 240));
            frame.timestamp
        })
        .collect();
    pipeline.stop();
    // 15 a second are 6000 ticks apart.
    let mean = times[9].wrapping_sub(times[0]) / 9;
    assert!(mean >= 5000, "{times:?}");
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
    let pipeline = start(input, callbacks);
    assert!(heard.encoded.recv_timeout(SOON).unwrap().1.key);
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
    let pipeline = start(script(|_, _| panic!("on purpose")), callbacks);
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
        encoded: Box::new(|_, _| {}),
        ended: Box::new(|_| {}),
    };
    let pipeline = start(input, callbacks);
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
    let pipeline = start(input, callbacks);
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
    let pipeline = start(input, callbacks);
    wait_entered.recv_timeout(SOON).unwrap();
    let begin = Instant::now();
    pipeline.stop();
    assert!(begin.elapsed() < Duration::from_secs(10));
    // What it gives afterwards reaches nobody.
    drop(release);
    assert_eq!(heard.ended.recv_timeout(SOON), Ok(Ok(())));
    assert!(heard.encoded.recv().is_err());
}
