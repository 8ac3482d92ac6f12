//! The own picture: from a camera, or a test source, to encoded frames for everybody.
//!
//! Two threads. One runs the input, which puts its pictures into a slot that holds the newest; the
//! other takes it from there, shows it, scales it to its rung and encodes it. A slow encoder makes
//! pictures fall out of the slot, and never holds up the input. The second thread lives inside the
//! first: when the input ends, for whatever reason, both do.

mod encoding;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use quartet_core::EncodedFrame;

use self::encoding::Encoding;
use crate::{
    DeviceError, Ended, FrameSlot, I420Frame, VideoInput,
    worker::{EndedOnce, Worker},
};

/// What one encoding of the picture may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Pixels; larger pictures are scaled down to fit, keeping their shape.
    pub max_width: u16,
    /// Pixels.
    pub max_height: u16,
    /// Pictures a second; what comes faster is thinned out.
    pub max_fps: u16,
    /// Bits a second.
    pub bitrate_bps: u32,
}

/// Who is told what a [`VideoPipeline`] does. The first two are called on the encoder's thread:
/// what they wait for costs pictures, but never the input its time.
pub struct VideoCallbacks {
    /// A frame to be sent.
    pub encoded: Box<dyn FnMut(EncodedFrame) + Send>,
    /// A picture as the input gave it, before scaling and thinning out.
    pub captured: Box<dyn FnMut(&I420Frame) + Send>,
    /// Called once, after the last of the others: the input has ended or failed, the encoder has
    /// failed, or the pipeline was stopped (`Ok`).
    pub ended: Ended,
}

impl fmt::Debug for VideoCallbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VideoCallbacks")
    }
}

/// What a [`VideoPipeline`] has done since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VideoStats {
    /// Pixels of the last encoded frame; 0 before the first.
    pub width: u16,
    /// Pixels of the last encoded frame; 0 before the first.
    pub height: u16,
    /// Encoded frames.
    pub frames: u64,
    /// Their length.
    pub bytes: u64,
    /// CPU time of the encoder's thread: scaling, encoding and both callbacks. On Windows the time
    /// that passed meanwhile instead, which is more on a busy machine.
    pub cpu: Duration,
}

/// Encodes one input once, for any number of receivers; stops when dropped.
#[derive(Debug)]
pub struct VideoPipeline {
    controls: Arc<Controls>,
    worker: Worker,
}

#[derive(Debug)]
struct Controls {
    key_frame_wanted: AtomicBool,
    bitrate_bps: AtomicU32,
    stats: Mutex<VideoStats>,
}

impl VideoPipeline {
    /// Opens the input on a thread. The first frame is a key frame.
    #[must_use]
    pub fn start(input: Arc<dyn VideoInput>, rung: Rung, callbacks: VideoCallbacks) -> Self {
        let controls = Arc::new(Controls {
            key_frame_wanted: AtomicBool::new(false),
            bitrate_bps: AtomicU32::new(rung.bitrate_bps),
            stats: Mutex::default(),
        });
        let shared = controls.clone();
        let VideoCallbacks { encoded, captured, ended } = callbacks;
        let label = input.label();
        let mut ended = EndedOnce::new(label.clone(), ended);
        let worker = Worker::start("video-capture", move |stop| {
            let slot = FrameSlot::default();
            let failure = Arc::new(Mutex::new(None));
            let mut encoder = Worker::start("video-encoder", {
                let (slot, failure, capture) = (slot.clone(), failure.clone(), stop.clone());
                move |stop| {
                    let mut encoding = Encoding::new(shared, rung, encoded, captured);
                    while !stop.is_stopped() && !capture.is_stopped() {
                        if let Err(error) = encoding.take(&slot) {
                            let reason = error.to_string();
                            *failure.lock() = Some(DeviceError::Failed { device: label, reason });
                            return capture.stop();
                        }
                    }
                }
            });
            let result = input.run(&slot, stop);
            encoder.stop();
            let failure = failure.lock().take();
            ended.call(failure.map_or(result, Err));
        });
        Self { controls, worker }
    }

    /// Makes the next frame a key frame. The first request is met at once, further ones at most
    /// every 300 ms: those in between are met together, none is forgotten.
    pub fn request_key_frame(&self) {
        self.controls.key_frame_wanted.store(true, Ordering::Relaxed);
    }

    /// Changes the bitrate, in bits a second, from the next frame on.
    pub fn set_bitrate(&self, bitrate_bps: u32) {
        self.controls.bitrate_bps.store(bitrate_bps, Ordering::Relaxed);
    }

    /// What has been done so far.
    #[must_use]
    pub fn stats(&self) -> VideoStats {
        *self.controls.stats.lock()
    }

    /// Closes the input; waits for both threads, for 2 s at most. Not to be called by a callback.
    pub fn stop(mut self) {
        self.worker.stop();
    }
}

#[cfg(test)]
mod tests;
