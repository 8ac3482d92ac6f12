//! What the encoder's thread does with each picture.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use quartet_core::{EncodedFrame, Rung, layers::Encoding};

use super::{Controls, RungStats};
use crate::{
    FrameSlot, I420Frame,
    encoding::{
        clocks::{CaptureClock, LoadMeter, ThreadClock},
        limits::{KeyFrameLimit, PaceLimit},
    },
    scale::{fit, scale},
    vp8::{Vp8Encoder, Vp8Error},
};

/// How often the thread looks whether to end, when the input gives nothing.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct Ladder {
    controls: Arc<Controls>,
    rungs: [Option<RungEncoder>; 3],
    encoded: Box<dyn FnMut(Rung, EncodedFrame) + Send>,
    captured: Box<dyn FnMut(&I420Frame) + Send>,
    capture_clock: CaptureClock,
    thread_clock: ThreadClock,
    load: LoadMeter,
    last_index: Option<u64>,
}

impl Ladder {
    pub(super) fn new(
        controls: Arc<Controls>,
        encoded: Box<dyn FnMut(Rung, EncodedFrame) + Send>,
        captured: Box<dyn FnMut(&I420Frame) + Send>,
    ) -> Self {
        Self {
            controls,
            rungs: [const { None }; 3],
            encoded,
            captured,
            capture_clock: CaptureClock::default(),
            thread_clock: ThreadClock::start(),
            load: LoadMeter::start(Instant::now()),
            last_index: None,
        }
    }

    /// Deals with the picture in the slot, waiting a little for one.
    pub(super) fn take(&mut self, slot: &FrameSlot) -> Result<(), Vp8Error> {
        let Some(frame) = slot.take(LOOK) else {
            return Ok(());
        };
        let begin = Instant::now();
        self.thread_clock.resume();
        (self.captured)(&frame);
        self.encode(&frame)?;

        let mut stats = self.controls.stats.lock();
        stats.source = (frame.width(), frame.height());
        stats.taken += 1;
        stats.fell_out += self
            .last_index
            .replace(frame.index())
            .map_or(0, |last| frame.index().saturating_sub(last + 1));
        stats.cpu = self.thread_clock.pause();
        stats.load = self.load.worked(begin, Instant::now());
        Ok(())
    }

    /// The smallest rung first, so that it never waits for a larger one.
    fn encode(&mut self, frame: &I420Frame) -> Result<(), Vp8Error> {
        self.settle()?;
        let pictures = self.pictures(frame);
        let time = self.capture_clock.tell(frame.captured_at());
        for (rung, picture) in Rung::ALL.into_iter().zip(pictures) {
            let (Some(picture), Some(encoder)) = (picture, &mut self.rungs[rung as usize]) else {
                continue;
            };
            let begin = self.thread_clock.pause();
            self.thread_clock.resume();
            let wanted = &self.controls.key_frame_wanted[rung as usize];
            let encoded = encoder.encode(&picture, time, wanted)?;
            let cpu = self.thread_clock.pause().saturating_sub(begin);
            self.thread_clock.resume();
            if let Some(encoded) = encoded {
                self.controls.stats.lock().rungs[rung as usize].count_on(&encoded, cpu);
                (self.encoded)(rung, encoded);
            }
        }
        Ok(())
    }

    /// Begins and ends rungs, and changes their rates, as is wanted now.
    fn settle(&mut self) -> Result<(), Vp8Error> {
        let wanted = *self.controls.wanted.lock();
        for rung in Rung::ALL {
            let running = &mut self.rungs[rung as usize];
            match (wanted[rung as usize], running.as_mut()) {
                (Some(encoding), Some(encoder)) => encoder.change(encoding)?,
                (Some(encoding), None) => *running = Some(RungEncoder::new(encoding)),
                (None, _) => *running = None,
            }
            self.controls.stats.lock().rungs[rung as usize].active = running.is_some();
        }
        Ok(())
    }

    /// What each rung is to encode now, scaled from the next larger one: that is a quarter of the
    /// work of scaling each from the source.
    fn pictures(&mut self, frame: &I420Frame) -> [Option<I420Frame>; 3] {
        let mut pictures = [const { None }; 3];
        let mut larger = frame.clone();
        for rung in Rung::ALL.into_iter().rev() {
            let Some(encoder) = &mut self.rungs[rung as usize] else { continue };
            if encoder.pace.admits(frame.captured_at()) {
                let (width, height) = fit((frame.width(), frame.height()), rung.size());
                larger = scale(&larger, width, height).expect("`fit` gives even sides");
                pictures[rung as usize] = Some(larger.clone());
            }
        }
        pictures
    }
}

/// One running rung.
struct RungEncoder {
    encoding: Encoding,
    encoder: Vp8Encoder,
    pace: PaceLimit,
    key_frames: KeyFrameLimit,
}

impl RungEncoder {
    fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            encoder: Vp8Encoder::new(encoding.bitrate_bps),
            pace: PaceLimit::new(encoding.max_fps),
            key_frames: KeyFrameLimit::default(),
        }
    }

    fn change(&mut self, encoding: Encoding) -> Result<(), Vp8Error> {
        if encoding.bitrate_bps != self.encoding.bitrate_bps {
            self.encoder.set_bitrate(encoding.bitrate_bps)?;
        }
        if encoding.max_fps != self.encoding.max_fps {
            self.pace = PaceLimit::new(encoding.max_fps);
        }
        self.encoding = encoding;
        Ok(())
    }

    fn encode(
        &mut self,
        picture: &I420Frame,
        time: i64,
        key_frame_wanted: &AtomicBool,
    ) -> Result<Option<EncodedFrame>, Vp8Error> {
        let force_key = self.key_frames.admits(Instant::now(), key_frame_wanted);
        self.encoder.encode(picture, time, force_key)
    }
}

impl RungStats {
    fn count_on(&mut self, encoded: &EncodedFrame, cpu: Duration) {
        self.count(encoded);
        self.cpu += cpu;
    }

    /// An encoded frame; its CPU time is the caller's to know.
    pub(crate) fn count(&mut self, encoded: &EncodedFrame) {
        (self.width, self.height) = (encoded.width, encoded.height);
        self.frames += 1;
        self.key_frames += u64::from(encoded.key);
        self.bytes += encoded.data.len() as u64;
    }
}
