//! Stands beside the thread that is inside the camera library.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, TryRecvError},
    },
    time::{Duration, Instant, SystemTime},
};

use quartet_media::{DeviceError, FrameSlot, I420Frame, Stop};

use super::convert::{Converter, Layout};
use crate::worker::Worker;

/// A camera gives a picture every 33 ms, a slow one in the dark every 200: after 3 s it hangs.
const SILENCE: Duration = Duration::from_secs(3);

/// Media Foundation and slow USB cameras take 1–4 s to open.
const OPENING: Duration = Duration::from_secs(10);

/// How long a camera may take to give its last picture and close.
const CLOSING: Duration = Duration::from_secs(1);

/// How often `run` looks.
const TICK: Duration = Duration::from_millis(50);

/// One picture as the driver gave it.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) layout: Layout,
    /// Pixels.
    pub(super) width: u32,
    /// Pixels.
    pub(super) height: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) captured_at: SystemTime,
}

/// An open camera; dropping it closes it.
pub(super) trait Pictures {
    /// Waits for a picture, perhaps for ever.
    fn next(&mut self) -> Result<Raw, DeviceError>;
}

#[derive(Debug, Default)]
struct Progress {
    opened: AtomicBool,
    /// Pictures that could be used.
    good: AtomicU64,
}

/// Opens a camera and puts its pictures into `out` until `stop`, on a thread of its own that is
/// left behind when the library hangs.
pub(super) fn supervise(
    label: &str,
    out: &FrameSlot,
    stop: &Stop,
    open: impl FnOnce(&Stop) -> Result<Box<dyn Pictures>, DeviceError> + Send + 'static,
) -> Result<(), DeviceError> {
    supervise_within(SILENCE, OPENING, CLOSING, label, out, stop, open)
}

fn supervise_within(
    silence: Duration,
    opening: Duration,
    closing: Duration,
    label: &str,
    out: &FrameSlot,
    stop: &Stop,
    open: impl FnOnce(&Stop) -> Result<Box<dyn Pictures>, DeviceError> + Send + 'static,
) -> Result<(), DeviceError> {
    let failed =
        |reason: &str| DeviceError::Failed { device: label.to_owned(), reason: reason.to_owned() };
    let progress = Arc::new(Progress::default());
    let (tell, told) = mpsc::sync_channel(1);
    let worker = Worker::spawn("camera", {
        let (progress, out) = (Arc::clone(&progress), out.clone());
        move |closing| {
            // Nobody listens when the camera was given up.
            let _ = tell.send(capture(open, &progress, &out, closing));
        }
    })
    .map_err(|error| failed(&error.to_string()))?;

    let mut last = (0, Instant::now());
    let outcome = loop {
        match told.try_recv() {
            Ok(outcome) => break outcome,
            Err(TryRecvError::Disconnected) => break Err(failed("its driver's library crashed")),
            Err(TryRecvError::Empty) => {}
        }
        let now = Instant::now();
        let good = progress.good.load(Ordering::Relaxed);
        // Opening counts as progress, too.
        let opened = progress.opened.load(Ordering::Relaxed);
        let state = good + u64::from(opened);
        if state != last.0 {
            last = (state, now);
        } else if opened && now - last.1 > silence {
            break Err(failed("it gives no picture"));
        } else if !opened && now - last.1 > opening {
            break Err(failed("it does not open"));
        }
        if stop.wait(TICK.min(silence / 4)) {
            break Ok(());
        }
    };
    worker.close(closing);
    outcome
}

fn capture(
    open: impl FnOnce(&Stop) -> Result<Box<dyn Pictures>, DeviceError>,
    progress: &Progress,
    out: &FrameSlot,
    closing: &Stop,
) -> Result<(), DeviceError> {
    let mut camera = open(closing)?;
    progress.opened.store(true, Ordering::Relaxed);
    let mut converter = Converter::default();
    let mut damaged = 0_u64;
    let mut index = 0_u64;
    while !closing.is_stopped() {
        let raw = camera.next()?;
        if closing.is_stopped() {
            break;
        }
        let frame = converter
            .convert(raw.layout, raw.width, raw.height, &raw.bytes)
            .and_then(|(w, h, data)| I420Frame::new(w, h, data, index, raw.captured_at));
        index += 1;
        match frame {
            Some(frame) => {
                out.put(frame);
                progress.good.fetch_add(1, Ordering::Relaxed);
            }
            // Cut-off MJPEG pictures are common on a busy USB bus.
            None => damaged += 1,
        }
    }
    tracing::debug!(pictures = index, damaged, "camera closes");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(40);
    const LONG: Duration = Duration::from_secs(600);

    struct Fake<F>(F);

    impl<F: FnMut() -> Result<Raw, DeviceError>> Pictures for Fake<F> {
        fn next(&mut self) -> Result<Raw, DeviceError> {
            (self.0)()
        }
    }

    fn raw(bytes: Vec<u8>) -> Raw {
        let captured_at = SystemTime::now();
        Raw { layout: Layout::Gray, width: 4, height: 2, bytes, captured_at }
    }

    fn run(
        silence: Duration,
        out: &FrameSlot,
        stop: &Stop,
        next: impl FnMut() -> Result<Raw, DeviceError> + Send + 'static,
    ) -> Result<(), DeviceError> {
        supervise_within(silence, LONG, SHORT, "Cam", out, stop, |_| {
            Ok(Box::new(Fake(next)) as Box<dyn Pictures>)
        })
    }

    fn reason(outcome: Result<(), DeviceError>) -> String {
        match outcome {
            Err(DeviceError::Failed { device, reason }) if device == "Cam" => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pictures_arrive_until_the_stop() {
        let (out, stop) = (FrameSlot::default(), Stop::default());
        let taker = std::thread::spawn({
            let (out, stop) = (out.clone(), stop.clone());
            move || {
                let frame = out.take(LONG);
                stop.stop();
                frame.unwrap()
            }
        });
        let outcome = run(LONG, &out, &stop, || {
            std::thread::yield_now();
            Ok(raw(vec![255; 8]))
        });
        assert_eq!(outcome, Ok(()));
        let frame = taker.join().unwrap();
        assert_eq!((frame.width(), frame.height()), (4, 2));
    }

    #[test]
    fn a_camera_that_hangs_is_given_up() {
        let (hold, held) = mpsc::channel::<()>();
        let outcome = run(SHORT, &FrameSlot::default(), &Stop::default(), move || {
            let _ = held.recv();
            Ok(raw(vec![]))
        });
        assert_eq!(reason(outcome), "it gives no picture");
        drop(hold);
    }

    #[test]
    fn a_camera_that_never_opens_is_given_up() {
        let (hold, held) = mpsc::channel::<()>();
        let (out, stop) = (FrameSlot::default(), Stop::default());
        let outcome = supervise_within(LONG, SHORT, SHORT, "Cam", &out, &stop, move |_| {
            let _ = held.recv();
            Err(DeviceError::Missing("Cam".into()))
        });
        assert_eq!(reason(outcome), "it does not open");
        drop(hold);
    }

    #[test]
    fn damaged_pictures_are_not_shown_and_do_not_count_as_pictures() {
        let out = FrameSlot::default();
        let outcome = run(SHORT, &out, &Stop::default(), || {
            std::thread::yield_now();
            Ok(raw(vec![0; 7]))
        });
        assert_eq!(reason(outcome), "it gives no picture");
        assert!(out.take(Duration::ZERO).is_none());
    }

    #[test]
    fn a_crash_in_the_library_is_an_error() {
        let outcome = run(LONG, &FrameSlot::default(), &Stop::default(), || {
            panic!("as v4l does when STREAMOFF fails")
        });
        assert_eq!(reason(outcome), "its driver's library crashed");
    }

    #[test]
    fn an_unplugged_camera_is_an_error_at_once() {
        let outcome = run(LONG, &FrameSlot::default(), &Stop::default(), || {
            Err(DeviceError::Missing("Cam".into()))
        });
        assert_eq!(outcome, Err(DeviceError::Missing("Cam".into())));
    }
}
