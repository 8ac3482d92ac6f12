//! A file of this machine that is given to others, chunk by chunk, each verified before it leaves:
//! a file that was changed meanwhile is noticed, and no byte of it goes out as what it is not.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use bytes::Bytes;
use quartet_core::transfer::{FileFault, Hash, HashList, Part, hash_chunk};
use quartet_proto::{
    FileId, FileOffer, chunk_count, chunk_range, limits::MAX_FILE_BYTES, safe_file_name,
};

/// See the module.
pub(super) struct Source {
    offer: FileOffer,
    list: HashList,
    file: File,
    /// When it was last written, as far as the system says.
    modified: Option<SystemTime>,
}

impl Source {
    /// Of a file that has just been verified.
    pub(super) fn new(offer: FileOffer, list: HashList, file: File) -> Self {
        let modified = file.metadata().and_then(|it| it.modified()).ok();
        Self { offer, list, file, modified }
    }

    pub(super) fn file(&self) -> FileId {
        self.offer.file
    }

    pub(super) fn offer(&self) -> FileOffer {
        self.offer.clone()
    }

    /// A part of it; empty when there is none of this number.
    pub(super) fn read(&mut self, part: Part) -> Result<Bytes, FileFault> {
        let Part::Chunk(chunk) = part else { return Ok(self.list.to_bytes().into()) };
        let (begin, length) = chunk_range(self.offer.size, chunk);
        if length == 0 {
            return Ok(Bytes::new());
        }
        let now = self.file.metadata().map_err(|_| FileFault::Unreadable)?;
        if now.len() != self.offer.size || now.modified().ok() != self.modified {
            return Err(FileFault::Changed);
        }
        let bytes = read_at(&mut self.file, begin, length).map_err(|_| FileFault::Unreadable)?;
        if self.list.proves(chunk, &bytes) { Ok(bytes.into()) } else { Err(FileFault::Changed) }
    }
}

/// A file that is being hashed.
pub(super) struct Hashing {
    name: String,
    file: File,
    before: Metadata,
    hashes: Vec<Hash>,
}

impl Hashing {
    pub(super) fn begin(path: PathBuf) -> io::Result<Self> {
        // Before it is opened: to open a pipe waits for whoever writes into it.
        if !std::fs::metadata(&path)?.is_file() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let file = File::open(&path)?;
        let before = file.metadata()?;
        if before.len() > MAX_FILE_BYTES {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(Self { name: name_of(&path), file, before, hashes: Vec::new() })
    }

    /// One chunk more; the file when it was the last.
    pub(super) fn step(&mut self) -> io::Result<Option<Source>> {
        let size = self.before.len();
        let next = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        if next < chunk_count(size) {
            let (begin, length) = chunk_range(size, next);
            let bytes = read_at(&mut self.file, begin, length)?;
            self.hashes.push(hash_chunk(&bytes));
            return Ok(None);
        }
        let list = HashList::new(size, std::mem::take(&mut self.hashes))
            .ok_or(io::ErrorKind::InvalidData)?;
        let (name, kind) = (self.name.clone(), kind_of(&self.name).to_owned());
        let offer = FileOffer { file: list.file(), name, size, kind };
        let (file, modified) = (self.file.try_clone()?, self.before.modified().ok());
        Ok(Some(Source { offer, list, file, modified }))
    }

    /// Its name, the bytes that are hashed, and how many there are.
    pub(super) fn progress(&self) -> (String, u64, u64) {
        let size = self.before.len();
        let next = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        (self.name.clone(), chunk_range(size, next).0, size)
    }
}

/// What others are told that a file is called.
pub(super) fn name_of(path: &Path) -> String {
    safe_file_name(&path.file_name().unwrap_or_default().to_string_lossy())
}

pub(super) fn read_at(file: &mut File, begin: u64, length: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The media type that goes with the end of a name; for showing only.
fn kind_of(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "json" => "application/json",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "txt" | "log" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "mkv" => "video/matroska",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        _ => "",
    }
}
