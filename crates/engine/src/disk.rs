//! The thread that reads, verifies and writes the files of a call.
//!
//! One thread for all of them, as there is one disk: what it is asked to do comes in order through a
//! bounded queue, and it says of each what became of it. What takes long (hashing a file that is to
//! be offered, looking through what there is of one) is done a chunk at a time, whenever nothing
//! else waits. It ends when the queue does; what it has begun of files stays, to go on later.
//!
//! A file that comes is under a temporary, hidden name until all of it is verified, next to the list
//! of its hashes ([`part`]). Nothing says which chunks are there: they are looked at anew, so nothing
//! can say so wrongly. What it is called in the end is [`place`]'s.

mod part;
mod place;
mod source;

use std::{
    collections::{HashMap, VecDeque},
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use quartet_core::transfer::{FileFault, Job, Part};
use quartet_proto::{FileId, FileOffer, PeerId};
use tokio::sync::mpsc;

use self::{
    part::PartFile,
    source::{Hashing, Source},
};
use crate::input::{Generation, Input};

/// Things to do that wait: a chunk of each request that can be under way, several times over.
const QUEUE: usize = 2048;
/// Between two words about how far hashing is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// A file that another process has is waited for this long: an app that was closed in the middle of
/// it and started again may still be ending.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
/// Between two tries; nothing else is done meanwhile.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// What is to be done.
pub(crate) enum Task {
    /// Hash a file, to offer it.
    Offer(PathBuf, Option<PeerId>),
    /// Make a place for a file in this folder, or find what there is of it.
    Begin(Job, FileOffer, PathBuf),
    /// Verify and keep a part.
    Store(Job, Part, Bytes),
    /// Give it its name.
    Finish(Job),
    /// Leave it for later.
    Close(Job),
    /// Throw it away.
    Discard(Job),
    /// Read a part of a file that was offered, or has come.
    Read(u64, FileId, Part),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum DiskNews {
    /// How far the hashing of a file is: its name, bytes, and how many there are.
    Hashing(String, u64, u64),
    /// It is hashed, and can be offered.
    Hashed(FileOffer, Option<PeerId>),
    /// It cannot be offered.
    Unreadable(String),
    /// See [`quartet_core::transfer::Input`].
    Begun(Job, Result<Option<Vec<u32>>, FileFault>),
    /// Likewise.
    Stored(Job, Part, Result<(), FileFault>),
    /// Likewise; with where it is.
    Finished(Job, Result<PathBuf, FileFault>),
    /// Likewise.
    Read(u64, Result<Bytes, FileFault>),
}

/// The handle of the thread. Dropping it ends the thread, after what it is at.
#[derive(Debug)]
pub(crate) struct Disk {
    tasks: SyncSender<Task>,
    stop: Arc<AtomicBool>,
}

impl Disk {
    /// The handle, and what the thread is to run; its news have this generation.
    pub(crate) fn new(
        generation: Generation,
        inputs: mpsc::Sender<Input>,
    ) -> (Self, impl FnOnce() + Send + 'static) {
        let (tasks, tasks_end) = sync_channel(QUEUE);
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            generation,
            inputs,
            stop: Arc::clone(&stop),
            parts: HashMap::new(),
            sources: HashMap::new(),
            slow: VecDeque::new(),
            said_at: Instant::now(),
        };
        (Self { tasks, stop }, move || worker.run(&tasks_end))
    }

    /// False when it takes nothing more.
    pub(crate) fn ask(&self, task: Task) -> bool {
        self.tasks.try_send(task).is_ok()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

struct Worker {
    generation: Generation,
    inputs: mpsc::Sender<Input>,
    stop: Arc<AtomicBool>,
    parts: HashMap<Job, PartFile>,
    sources: HashMap<FileId, Source>,
    slow: VecDeque<Slow>,
    said_at: Instant,
}

/// A file that is to be gone on with.
struct Opening {
    job: Job,
    offer: FileOffer,
    folder: PathBuf,
    until: Instant,
}

/// What is done a step at a time.
enum Slow {
    Open(Opening),
    Hash(Box<Hashing>, Option<PeerId>),
    Verify(Job),
}

impl Worker {
    fn run(mut self, tasks: &Receiver<Task>) {
        loop {
            let task = if self.slow.is_empty() {
                tasks.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                tasks.try_recv()
            };
            let news = match task {
                Ok(task) => self.obey(task),
                Err(TryRecvError::Empty) => self.go_on(),
                Err(TryRecvError::Disconnected) => return,
            };
            if let Some(news) = news
                && self.inputs.blocking_send(Input::Disk(self.generation, news)).is_err()
            {
                return;
            }
            if self.stop.load(Ordering::Acquire) {
                return;
            }
        }
    }

    fn obey(&mut self, task: Task) -> Option<DiskNews> {
        match task {
            Task::Offer(path, to) => {
                let name = source::name_of(&path);
                match Hashing::begin(path) {
                    Ok(hashing) => self.slow.push_back(Slow::Hash(Box::new(hashing), to)),
                    Err(error) => return Some(unreadable(name, &error)),
                }
                None
            }
            Task::Begin(job, offer, folder) => {
                let until = Instant::now() + LOCK_PATIENCE;
                self.open(Opening { job, offer, folder, until })
            }
            Task::Store(job, part, bytes) => {
                let result = match self.parts.get_mut(&job) {
                    Some(file) => file.store(part, &bytes),
                    None => Err(FileFault::Unwritable),
                };
                Some(DiskNews::Stored(job, part, result))
            }
            Task::Finish(job) => {
                let Some(part) = self.parts.remove(&job) else {
                    return Some(DiskNews::Finished(job, Err(FileFault::Unwritable)));
                };
                let result = part.finish().map(|(source, path)| {
                    self.sources.insert(source.file(), source);
                    path
                });
                Some(DiskNews::Finished(job, result))
            }
            Task::Close(job) => {
                self.stop_opening(job);
                self.parts.get_mut(&job).map(PartFile::close);
                None
            }
            Task::Discard(job) => {
                self.stop_opening(job);
                if let Some(part) = self.parts.remove(&job) {
                    part.discard();
                }
                None
            }
            Task::Read(token, file, part) => {
                let source = self.sources.get_mut(&file);
                let result = source.map_or(Err(FileFault::Unreadable), |source| source.read(part));
                Some(DiskNews::Read(token, result))
            }
        }
    }

    /// Opens what there is of a file, or tries again soon while another process has it.
    fn open(&mut self, opening: Opening) -> Option<DiskNews> {
        let Opening { job, offer, folder, until } = &opening;
        match PartFile::open(offer.clone(), folder.clone()) {
            Ok(part) => {
                let job = *job;
                let has_list = part.has_list();
                self.parts.insert(job, part);
                if !has_list {
                    return Some(DiskNews::Begun(job, Ok(None)));
                }
                self.slow.push_back(Slow::Verify(job));
                None
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < *until => {
                self.slow.push_back(Slow::Open(opening));
                None
            }
            Err(error) => Some(DiskNews::Begun(*job, Err(fault(&error)))),
        }
    }

    fn stop_opening(&mut self, job: Job) {
        self.slow.retain(|it| !matches!(it, Slow::Open(opening) if opening.job == job));
    }

    /// The next step of what takes long.
    fn go_on(&mut self) -> Option<DiskNews> {
        match self.slow.pop_front()? {
            Slow::Hash(mut hashing, to) => match hashing.step() {
                Ok(None) => {
                    let (name, bytes, of) = hashing.progress();
                    self.slow.push_front(Slow::Hash(hashing, to));
                    if self.said_at.elapsed() < PROGRESS_INTERVAL {
                        return None;
                    }
                    self.said_at = Instant::now();
                    Some(DiskNews::Hashing(name, bytes, of))
                }
                Ok(Some(source)) => {
                    let offer = source.offer();
                    self.sources.insert(offer.file, source);
                    Some(DiskNews::Hashed(offer, to))
                }
                Err(error) => Some(unreadable(hashing.progress().0, &error)),
            },
            Slow::Open(opening) => {
                thread::sleep(LOCK_POLL);
                self.open(opening)
            }
            Slow::Verify(job) => match self.parts.get_mut(&job)?.verify_next() {
                Ok(None) => {
                    self.slow.push_back(Slow::Verify(job));
                    None
                }
                Ok(Some(found)) => Some(DiskNews::Begun(job, Ok(Some(found)))),
                Err(error) => Some(DiskNews::Begun(job, Err(fault(&error)))),
            },
        }
    }
}

fn unreadable(name: String, error: &io::Error) -> DiskNews {
    tracing::warn!(kind = ?error.kind(), "a file cannot be offered");
    DiskNews::Unreadable(name)
}

/// What an error of the disk means for the file that is written.
fn fault(error: &io::Error) -> FileFault {
    tracing::warn!(kind = ?error.kind(), "a file cannot be written");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            FileFault::DiskFull
        }
        _ => FileFault::Unwritable,
    }
}

#[cfg(test)]
mod tests;
