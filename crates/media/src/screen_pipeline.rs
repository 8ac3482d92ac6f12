//! The shared screen: from a source of its pictures to encoded frames, once for everybody.
//!
//! Threads as for the camera ([`crate::encoding`]), but one size, its own as far as the limit allows,
//! and an encoder that rather leaves pictures out than blurs them. The source decides how many
//! pictures there are to encode: a screen on which nothing moves gives a few a second, which make
//! what was coarse at first fine, and then take next to nothing.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use quartet_core::{
    EncodedFrame,
    layers::{MAX_SCREEN, SCREEN_MAX_FPS},
};

use crate::{
    Ended, FrameSlot, I420Frame, RungStats, VideoInput,
    encoding::{
        self, Names,
        clocks::{CaptureClock, ThreadClock},
        limits::{KeyFrameLimit, PaceLimit},
    },
    scale::{fit, scale},
    vp8::{Vp8Encoder, Vp8Error},
    worker::Worker,
};

const THREADS: Names = Names { capture: "screen-capture", encoder: "screen-encoder" };
/// How often the thread looks whether to end, when the source gives nothing.
const LOOK: Duration = Duration::from_millis(100);
/// Between two key frames: each is as long as many other pictures of a screen.
const KEY_FRAME_INTERVAL: Duration = Duration::from_secs(1);

/// Who is told what a [`ScreenPipeline`] does; the first two on the encoder's thread.
pub struct ScreenCallbacks {
    /// A frame to be sent.
    pub encoded: Box<dyn FnMut(EncodedFrame) + Send>,
    /// A picture as the source gave it.
    pub captured: Box<dyn FnMut(&I420Frame) + Send>,
    /// Called once, after the last of the others: the source has ended (the window was closed, say),
    /// the encoder has failed, or the pipeline was stopped (`Ok`).
    pub ended: Ended,
}

impl fmt::Debug for ScreenCallbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScreenCallbacks")
    }
}

/// Encodes a screen once, for any number of receivers; stops when dropped.
#[derive(Debug)]
pub struct ScreenPipeline {
    controls: Arc<Controls>,
    worker: Worker,
}

#[derive(Debug, Default)]
struct Controls {
    bitrate_bps: Mutex<Option<u32>>,
    key_frame_wanted: AtomicBool,
    stats: Mutex<RungStats>,
}

impl ScreenPipeline {
    /// Opens the source on a thread. Nothing is encoded before [`Self::set_bitrate`].
    #[must_use]
    pub fn start(input: Arc<dyn VideoInput>, callbacks: ScreenCallbacks) -> Self {
        let controls = Arc::<Controls>::default();
        let shared = controls.clone();
        let ScreenCallbacks { encoded, captured, ended } = callbacks;
        let worker = encoding::start(THREADS, input, ended, move || {
            let mut screen = Screen::new(shared, encoded, captured);
            move |slot: &FrameSlot| screen.take(slot)
        });
        Self { controls, worker }
    }

    /// From the next picture on it is encoded at this bitrate, in bits a second; `None` while nobody
    /// is to get it. It begins with a key frame, and takes another bitrate without.
    pub fn set_bitrate(&self, bitrate_bps: Option<u32>) {
        *self.controls.bitrate_bps.lock() = bitrate_bps;
    }

    /// Makes the next frame a key frame. The first request is met at once, further ones at most once
    /// a second: those in between are met together, none is forgotten.
    pub fn request_key_frame(&self) {
        self.controls.key_frame_wanted.store(true, Ordering::Relaxed);
    }

    /// What has been done so far.
    #[must_use]
    pub fn stats(&self) -> RungStats {
        *self.controls.stats.lock()
    }

    /// Closes the source; waits for both threads, for 2 s at most. Not to be called by a callback.
    pub fn stop(mut self) {
        self.worker.stop();
    }
}

/// What the encoder's thread does with each picture.
struct Screen {
    controls: Arc<Controls>,
    encoder: Option<(u32, Vp8Encoder)>,
    pace: PaceLimit,
    key_frames: KeyFrameLimit,
    capture_clock: CaptureClock,
    thread_clock: ThreadClock,
    encoded: Box<dyn FnMut(EncodedFrame) + Send>,
    captured: Box<dyn FnMut(&I420Frame) + Send>,
}

impl Screen {
    fn new(
        controls: Arc<Controls>,
        encoded: Box<dyn FnMut(EncodedFrame) + Send>,
        captured: Box<dyn FnMut(&I420Frame) + Send>,
    ) -> Self {
        Self {
            controls,
            encoder: None,
            pace: PaceLimit::new(SCREEN_MAX_FPS),
            key_frames: KeyFrameLimit::every(KEY_FRAME_INTERVAL),
            capture_clock: CaptureClock::default(),
            thread_clock: ThreadClock::start(),
            encoded,
            captured,
        }
    }

    /// Deals with the picture in the slot, waiting a little for one.
    fn take(&mut self, slot: &FrameSlot) -> Result<(), Vp8Error> {
        let Some(frame) = slot.take(LOOK) else { return Ok(()) };
        self.thread_clock.resume();
        (self.captured)(&frame);
        self.encode(&frame)?;
        self.controls.stats.lock().cpu = self.thread_clock.pause();
        Ok(())
    }

    fn encode(&mut self, frame: &I420Frame) -> Result<(), Vp8Error> {
        let time = self.capture_clock.tell(frame.captured_at());
        let wanted = *self.controls.bitrate_bps.lock();
        self.controls.stats.lock().active = wanted.is_some();
        let Some(bitrate) = wanted else {
            self.encoder = None;
            return Ok(());
        };
        if !self.pace.admits(frame.captured_at()) {
            return Ok(());
        }
        let (rate, encoder) =
            self.encoder.get_or_insert_with(|| (bitrate, Vp8Encoder::for_screen(bitrate)));
        if *rate != bitrate {
            encoder.set_bitrate(bitrate)?;
            *rate = bitrate;
        }
        let (width, height) = fit((frame.width(), frame.height()), MAX_SCREEN);
        let picture = scale(frame, width, height).expect("`fit` gives even sides");
        let wanted = &self.controls.key_frame_wanted;
        let force_key = self.key_frames.admits(Instant::now(), wanted);
        match encoder.encode(&picture, time, force_key)? {
            Some(encoded) => {
                self.controls.stats.lock().count(&encoded);
                (self.encoded)(encoded);
            }
            // It was left out; whoever waits for a key frame still does.
            None if force_key => wanted.store(true, Ordering::Relaxed),
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
