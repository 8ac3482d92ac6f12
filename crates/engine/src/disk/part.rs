//! A file that is coming: its bytes under a hidden name, and the list of its hashes next to them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use quartet_core::transfer::{FileFault, HashList, Part};
use quartet_proto::{FileOffer, chunk_count, chunk_range, safe_file_name};

use super::{
    fault,
    place::{mark_as_received, move_to_its_name},
    source::{Source, read_at},
};

/// See the module.
pub(super) struct PartFile {
    offer: FileOffer,
    folder: PathBuf,
    file: Option<File>,
    list: Option<HashList>,
    /// Which chunks are there, verified; of the first ones, while they are being looked at.
    good: Vec<bool>,
}

impl PartFile {
    /// Makes it, or opens what there is of it. Nobody else may have it open: another app on the same
    /// folder has to be content with its own.
    pub(super) fn open(offer: FileOffer, folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let path = part_path(&folder, &offer);
        // A link at that place would lead out of the folder.
        if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let file = options.open(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        let list = fs::read(list_path(&folder, &offer)).ok();
        let list = list.and_then(|bytes| HashList::read(offer.file, offer.size, &bytes));
        Ok(Self { offer, folder, file: Some(file), list, good: Vec::new() })
    }

    /// The list of its hashes is known, so that its chunks can be looked at.
    pub(super) fn has_list(&self) -> bool {
        self.list.is_some()
    }

    /// Looks at one chunk more; after the last, gives those that are there.
    pub(super) fn verify_next(&mut self) -> io::Result<Option<Vec<u32>>> {
        let (Some(file), Some(list)) = (&mut self.file, &self.list) else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        let count = chunk_count(self.offer.size);
        let next = u32::try_from(self.good.len()).unwrap_or(u32::MAX);
        if next < count {
            let (begin, length) = chunk_range(self.offer.size, next);
            // What is not there yet cannot be read.
            let bytes = read_at(file, begin, length).unwrap_or_default();
            self.good.push(list.proves(next, &bytes));
            return Ok(None);
        }
        Ok(Some((0..count).filter(|chunk| self.good[*chunk as usize]).collect()))
    }

    /// Verifies a part and writes it.
    pub(super) fn store(&mut self, part: Part, bytes: &[u8]) -> Result<(), FileFault> {
        let Some(file) = &mut self.file else { return Err(FileFault::Unwritable) };
        match part {
            Part::Hashes => {
                let list = HashList::read(self.offer.file, self.offer.size, bytes)
                    .ok_or(FileFault::Corrupt)?;
                let path = list_path(&self.folder, &self.offer);
                write_private(&path, bytes).map_err(|error| fault(&error))?;
                self.good = vec![false; chunk_count(self.offer.size) as usize];
                self.list = Some(list);
            }
            Part::Chunk(chunk) => {
                let list = self.list.as_ref().ok_or(FileFault::Unwritable)?;
                if !list.proves(chunk, bytes) {
                    return Err(FileFault::Corrupt);
                }
                let (begin, _) = chunk_range(self.offer.size, chunk);
                file.seek(SeekFrom::Start(begin))
                    .and_then(|_| file.write_all(bytes))
                    .map_err(|error| fault(&error))?;
                if let Some(good) = self.good.get_mut(chunk as usize) {
                    *good = true;
                }
            }
        }
        Ok(())
    }

    /// All of it is there: on the disk for good, marked as what it is, under its own name.
    pub(super) fn finish(mut self) -> Result<(Source, PathBuf), FileFault> {
        let complete = self.good.iter().all(|good| *good);
        let (Some(file), Some(list), true) = (self.file.take(), self.list.take(), complete) else {
            return Err(FileFault::Unwritable);
        };
        let part = part_path(&self.folder, &self.offer);
        let finish = || {
            // What was there before may have been longer.
            file.set_len(self.offer.size)?;
            file.sync_all()?;
            mark_as_received(&part);
            let path = move_to_its_name(&part, &safe_file_name(&self.offer.name))?;
            file.unlock()?;
            Ok(path)
        };
        let path = finish().map_err(|error: io::Error| fault(&error))?;
        remove(&list_path(&self.folder, &self.offer));
        Ok((Source::new(self.offer, list, file), path))
    }

    /// Leaves it for later.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Throws it away.
    pub(super) fn discard(mut self) {
        // Where an open file cannot be removed.
        self.close();
        remove(&part_path(&self.folder, &self.offer));
        remove(&list_path(&self.folder, &self.offer));
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(kind = ?error.kind(), "a rest of a file stays");
    }
}

/// By what it is, not by what it is called: the same file goes on whoever offers it, and whatever
/// they call it.
fn part_path(folder: &Path, offer: &FileOffer) -> PathBuf {
    hidden(folder, offer, "part")
}

fn list_path(folder: &Path, offer: &FileOffer) -> PathBuf {
    hidden(folder, offer, "list")
}

fn hidden(folder: &Path, offer: &FileOffer, end: &str) -> PathBuf {
    let [a, b, c, d, e, f, g, h, ..] = offer.file.to_bytes();
    let id = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    folder.join(format!(".{id:016x}.quartet-{end}"))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    private(&mut options);
    options.open(path)?.write_all(bytes)
}

/// Not for the machine's other users, and nothing that can be run.
#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}
