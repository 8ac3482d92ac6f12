//! The own picture: from a camera, or a test source, to encoded frames for everybody.
//!
//! Two threads ([`crate::encoding`]). One runs the input, which puts its pictures into a slot that
//! holds the newest; the other takes it from there, shows it, scales it to each rung that is wanted
//! and encodes it, the smallest first. A slow encoder makes pictures fall out of the slot, and never
//! holds up the input.

mod ladder;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use quartet_core::{EncodedFrame, Rung, layers::Encoding};

use self::ladder::Ladder;
use crate::{
    Ended, FrameSlot, I420Frame, VideoInput,
    encoding::{self, Names},
    worker::Worker,
};

const THREADS: Names = Names { capture: "video-capture", encoder: "video-encoder" };

/// Who is told what a [`VideoPipeline`] does. The first two are called on the encoder's thread:
/// what they wait for costs pictures, but never the input its time.
pub struct VideoCallbacks {
    /// A frame to be sent. Those of one picture have the same time, and come smallest rung first.
    pub encoded: Box<dyn FnMut(Rung, EncodedFrame) + Send>,
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
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VideoStats {
    /// Pixels, width and height, of the last picture of the input; 0 before the first.
    pub source: (u16, u16),
    /// Pictures that were taken from the input.
    pub taken: u64,
    /// Pictures that were not, because the encoder was still at work on one before, or the test
    /// source had no time to draw.
    pub fell_out: u64,
    /// Share of the time that the encoder's thread is at work or waits for a processor, 0..=1,
    /// smoothed over a second. Near 1 pictures fall out.
    pub load: f32,
    /// CPU time of the encoder's thread: scaling, encoding and both callbacks. On Windows the time
    /// that passed meanwhile instead, which is more on a busy machine.
    pub cpu: Duration,
    /// Of each rung, in the order of [`Rung::ALL`].
    pub rungs: [RungStats; 3],
}

/// What one rung has done since the pipeline was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RungStats {
    /// It runs now.
    pub active: bool,
    /// Pixels of the last encoded frame; 0 before the first.
    pub width: u16,
    /// Pixels of the last encoded frame; 0 before the first.
    pub height: u16,
    /// Encoded frames.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Their length.
    pub bytes: u64,
    /// CPU time that encoding took, as in [`VideoStats::cpu`].
    pub cpu: Duration,
}

/// Encodes one input, each wanted rung once, for any number of receivers; stops when dropped.
#[derive(Debug)]
pub struct VideoPipeline {
    controls: Arc<Controls>,
    worker: Worker,
}

/// Everything by rung is in the order of [`Rung::ALL`].
#[derive(Debug, Default)]
struct Controls {
    wanted: Mutex<[Option<Encoding>; 3]>,
    key_frame_wanted: [AtomicBool; 3],
    stats: Mutex<VideoStats>,
}

impl VideoPipeline {
    /// Opens the input on a thread. Nothing is encoded before [`Self::set_rungs`].
    #[must_use]
    pub fn start(input: Arc<dyn VideoInput>, callbacks: VideoCallbacks) -> Self {
        let controls = Arc::<Controls>::default();
        let shared = controls.clone();
        let VideoCallbacks { encoded, captured, ended } = callbacks;
        let worker = encoding::start(THREADS, input, ended, move || {
            let mut ladder = Ladder::new(shared, encoded, captured);
            move |slot: &FrameSlot| ladder.take(slot)
        });
        Self { controls, worker }
    }

    /// What is encoded from the next picture on; only these rungs cost anything. One that begins
    /// does so with a key frame, one that goes on takes its new rates without. Of two of the same
    /// rung the last counts. A picture smaller than a rung is not enlarged for it: see
    /// [`Rung::offered`].
    pub fn set_rungs(&self, encodings: &[Encoding]) {
        let mut wanted = [None; 3];
        for encoding in encodings {
            wanted[encoding.rung as usize] = Some(*encoding);
        }
        *self.controls.wanted.lock() = wanted;
    }

    /// Makes the rung's next frame a key frame. The first request is met at once, further ones at
    /// most every 300 ms: those in between are met together, none is forgotten.
    pub fn request_key_frame(&self, rung: Rung) {
        self.controls.key_frame_wanted[rung as usize].store(true, Ordering::Relaxed);
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
