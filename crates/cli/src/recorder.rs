//! Writes a call to a folder: PEER.y4m, PEER.csv and PEER.wav of everybody, PEER.screen.y4m and
//! PEER.screen.csv of those who share something, self.csv of the own source; or the .csv alone.
//!
//! The lines of PEER.csv belong to the pictures of PEER.y4m: its index there, and when it was ready
//! to show, in microseconds of Unix time. Without pictures it is the number that the test pattern
//! writes into each (nothing, where there is none), the time, the width and the height. Those of
//! self.csv: the source's own index of the picture, and when it was captured. Files are written by threads of their own; a disk that is too slow
//! costs pictures of the recording, never of the call.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use quartet_engine::{CaptureTap, VoiceTap};
use quartet_media::{I420Frame, PcmFrame, TestPattern, WavWriter, Y4mWriter};
use quartet_proto::PeerId;

/// What the header of a .y4m file says; the true times are in the .csv.
const NOMINAL_FPS: u32 = 30;
/// Pictures that may wait for the disk: a second, 10 MB at 640×360.
const QUEUE: usize = 30;

/// The folder of a recording.
#[derive(Debug)]
pub(crate) struct Recording {
    folder: PathBuf,
    /// No pictures and no voices, only when pictures came.
    times_only: bool,
}

impl Recording {
    /// Of everything. Makes the folder if it is not there.
    pub(crate) fn whole(folder: &Path) -> io::Result<Self> {
        Self::new(folder, false)
    }

    /// Of the times of the pictures. Makes the folder if it is not there.
    pub(crate) fn of_times(folder: &Path) -> io::Result<Self> {
        Self::new(folder, true)
    }

    fn new(folder: &Path, times_only: bool) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), times_only })
    }

    /// Of somebody's camera.
    pub(crate) fn pictures(&self, peer: PeerId) -> io::Result<PictureRecorder> {
        self.pictures_of(&peer.to_string())
    }

    /// Of somebody's screen.
    pub(crate) fn screen(&self, peer: PeerId) -> io::Result<PictureRecorder> {
        self.pictures_of(&format!("{peer}.screen"))
    }

    fn pictures_of(&self, name: &str) -> io::Result<PictureRecorder> {
        if self.times_only {
            let mut times = self.csv(name)?;
            let write = move |(picture, ready_at): (I420Frame, SystemTime)| {
                let number = TestPattern::read_index(&picture).map(|it| it.to_string());
                let (width, height) = (picture.width(), picture.height());
                let at = unix_micros(ready_at);
                writeln!(times, "{},{at},{width},{height}", number.unwrap_or_default())
            };
            return Writer::start(write).map(PictureRecorder);
        }
        let mut video = Y4mWriter::create(self.folder.join(format!("{name}.y4m")), NOMINAL_FPS)?;
        let mut times = self.csv(name)?;
        let mut index = 0_u64;
        let write = move |(picture, ready_at): (I420Frame, SystemTime)| {
            video.write(&picture)?;
            writeln!(times, "{index},{}", unix_micros(ready_at))?;
            index += 1;
            Ok(())
        };
        Writer::start(write).map(PictureRecorder)
    }

    pub(crate) fn voice(&self, peer: PeerId) -> io::Result<Option<Arc<VoiceRecorder>>> {
        if self.times_only {
            return Ok(None);
        }
        let file = WavWriter::create(&self.folder.join(format!("{peer}.wav")))?;
        Ok(Some(Arc::new(VoiceRecorder(Mutex::new(file)))))
    }

    fn csv(&self, name: &str) -> io::Result<BufWriter<File>> {
        File::create(self.folder.join(format!("{name}.csv"))).map(BufWriter::new)
    }
}

/// PEER.csv, and PEER.y4m if wanted; written to the end when dropped.
#[derive(Debug)]
pub(crate) struct PictureRecorder(Writer<(I420Frame, SystemTime)>);

impl PictureRecorder {
    pub(crate) fn record(&mut self, picture: &I420Frame, ready_at: SystemTime) {
        self.0.put((picture.clone(), ready_at));
    }
}

/// PEER.wav; never waits for the disk, and is written to the end when dropped.
#[derive(Debug)]
pub(crate) struct VoiceRecorder(Mutex<WavWriter>);

impl VoiceTap for VoiceRecorder {
    fn voice(&self, frame: &PcmFrame) {
        self.0.lock().write(frame);
    }
}

/// self.csv; written to the end when dropped.
#[derive(Debug)]
pub(crate) struct CaptureRecorder(Writer<(u64, SystemTime)>);

impl CaptureRecorder {
    pub(crate) fn create(recording: &Recording) -> io::Result<Arc<Self>> {
        let mut times = recording.csv("self")?;
        let write = move |(index, captured_at): (u64, SystemTime)| {
            writeln!(times, "{index},{}", unix_micros(captured_at))
        };
        Writer::start(write).map(|writer| Arc::new(Self(writer)))
    }
}

impl CaptureTap for CaptureRecorder {
    fn captured(&self, frame: &I420Frame) {
        self.0.put((frame.index(), frame.captured_at()));
    }
}

/// A thread that writes what it is given.
#[derive(Debug)]
struct Writer<T> {
    queue: Option<SyncSender<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Writer<T> {
    fn start(mut write: impl FnMut(T) -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (queue, items) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            for item in items {
                if let Err(error) = write(item) {
                    return tracing::error!(%error, "the recording ends here");
                }
            }
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Never waits.
    fn put(&self, item: T) {
        if let Some(queue) = &self.queue
            && let Err(TrySendError::Full(_)) = queue.try_send(item)
        {
            tracing::warn!("the disk does not keep up: the recording misses a picture");
        }
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.queue = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a recorder panicked");
        }
    }
}

fn unix_micros(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()
}
