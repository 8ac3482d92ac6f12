//! Looks at one tile's pictures, somebody's camera or screen: decodes each on a thread of its own, as a window would.
//!
//! A picture is "ready to show" when it is decoded; that moment is what is counted and recorded.

use std::{
    collections::VecDeque,
    sync::Arc,
    thread::JoinHandle,
    time::{Instant, SystemTime},
};

use parking_lot::{Condvar, Mutex};
use quartet_core::{EncodedFrame, FreezeMeter};
use quartet_engine::{Command, Engine, TileId, TileSink, VideoInStats};
use quartet_media::{I420Frame, Vp8Decoder};

use crate::{
    recorder::PictureRecorder,
    report::{Printer, Report},
};

/// Pictures that may wait for the decoder: half a second at 30 fps. When there are more, they are
/// thrown away and the newest begin again with a key frame: late pictures are worth less than none.
const QUEUE: usize = 15;

/// A running viewer; [`Viewer::stop`] ends it.
#[derive(Debug)]
pub(crate) struct Viewer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<EncodedFrame>,
    overflowed: bool,
    stopped: bool,
}

/// What there is for the decoder.
enum Work {
    Picture(EncodedFrame),
    /// Pictures were thrown away.
    BeginAgain,
    Stop,
}

#[derive(Debug, Default)]
struct Seen {
    meter: FreezeMeter,
    width: u16,
    height: u16,
    /// When [`Viewer::figures`] last looked, and how many pictures there were.
    looked: (Option<Instant>, u64),
}

impl Viewer {
    /// Starts the decoder and attaches it to a tile; the report is made with its first picture.
    pub(crate) fn start(
        tile: TileId,
        engine: &Engine,
        (printer, first): (Printer, Report),
        recorder: Option<PictureRecorder>,
    ) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            seen: Mutex::default(),
        });
        let (work, to_engine) = (Arc::clone(&shared), engine.clone());
        let thread = std::thread::Builder::new().name("decoder".to_owned()).spawn(move || {
            let begin_again = || to_engine.send(Command::Refresh(tile));
            let first_shown = || printer.print(&first);
            decode(&work, recorder, begin_again, first_shown);
        });
        if let Err(error) = &thread {
            tracing::error!(%error, "no thread for a decoder");
        }
        engine.send(Command::Attach(tile, Arc::clone(&shared) as _));
        Self { shared, thread: thread.ok() }
    }

    /// Ends the decoder; what waits is not decoded any more.
    pub(crate) fn stop(mut self) {
        self.shared.queue.lock().stopped = true;
        self.shared.changed.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a decoder panicked");
        }
    }

    /// No pictures are meant to come for now.
    pub(crate) fn pause(&self) {
        self.shared.seen.lock().meter.pause(Instant::now());
    }

    /// What was shown, with the rate since the last call; the bandwidth is the link's to know.
    pub(crate) fn figures(&self, kbps: f32) -> VideoInStats {
        let now = Instant::now();
        let mut seen = self.shared.seen.lock();
        let totals = seen.meter.totals(now);
        let (looked_at, frames) = seen.looked;
        let fps = looked_at.map_or(0.0, |at| {
            (totals.frames - frames) as f32 / now.duration_since(at).as_secs_f32().max(0.001)
        });
        seen.looked = (Some(now), totals.frames);
        VideoInStats {
            width: seen.width,
            height: seen.height,
            fps,
            kbps,
            frames: totals.frames,
            freezes: totals.freezes,
            frozen: totals.frozen,
            longest_freeze: totals.longest,
        }
    }
}

impl TileSink for Shared {
    fn picture(&self, frame: &EncodedFrame) -> bool {
        let mut queue = self.queue.lock();
        if queue.frames.len() == QUEUE {
            queue.frames.clear();
            queue.overflowed = true;
        } else {
            queue.frames.push_back(frame.clone());
        }
        self.changed.notify_one();
        !queue.overflowed
    }
}

impl Shared {
    fn next(&self) -> Work {
        let mut queue = self.queue.lock();
        loop {
            if queue.stopped {
                return Work::Stop;
            }
            if std::mem::take(&mut queue.overflowed) {
                return Work::BeginAgain;
            }
            if let Some(frame) = queue.frames.pop_front() {
                return Work::Picture(frame);
            }
            self.changed.wait(&mut queue);
        }
    }

    fn shown(&self, picture: &I420Frame) {
        let now = Instant::now();
        let mut seen = self.seen.lock();
        seen.meter.shown(now);
        // The rate is counted from the first picture on.
        seen.looked.0.get_or_insert(now);
        (seen.width, seen.height) = (picture.width(), picture.height());
    }
}

/// The decoder's thread.
fn decode(
    shared: &Shared,
    mut recorder: Option<PictureRecorder>,
    begin_again: impl Fn(),
    first_shown: impl FnOnce(),
) {
    let mut decoder = match Vp8Decoder::new() {
        Ok(decoder) => decoder,
        Err(error) => return tracing::error!(%error, "no decoder"),
    };
    let mut first_shown = Some(first_shown);
    // After an error the pictures that still wait cannot be decoded either.
    let mut skip_to_key = false;
    loop {
        let frame = match shared.next() {
            Work::Stop => return,
            Work::BeginAgain => {
                tracing::warn!("the decoder does not keep up");
                begin_again();
                continue;
            }
            Work::Picture(frame) if skip_to_key && !frame.key => continue,
            Work::Picture(frame) => frame,
        };
        match decoder.decode(&frame.data) {
            Ok(Some(picture)) => {
                let ready_at = SystemTime::now();
                shared.shown(&picture);
                if let Some(first_shown) = first_shown.take() {
                    first_shown();
                }
                if let Some(recorder) = &mut recorder {
                    recorder.record(&picture, ready_at);
                }
                skip_to_key = false;
            }
            Ok(None) => skip_to_key = false,
            Err(error) => {
                tracing::warn!(%error, "a picture cannot be decoded");
                skip_to_key = true;
                begin_again();
            }
        }
    }
}
