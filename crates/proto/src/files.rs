//! What two participants say about files, and how the bytes of a file travel.
//!
//! Whoever wants a file asks for it, part by part: the receiver alone knows what it lacks, so a
//! pause, a reconnect, a restart and several holders are nothing special to whoever is asked. The
//! `Debug` is for logs: it leaves out what a file is called and where it can be told apart.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    InvalidId,
    limits::{
        CHUNK_BYTES, MAX_CHUNKS, MAX_FILE_BYTES, MAX_FILE_KIND_BYTES, MAX_FILE_NAME_BYTES,
        MAX_PIECE_BYTES,
    },
};

/// What a file is: 32 bytes that all of its content goes into, as 43 characters of base64url. How
/// they are made is in `docs/protocol.md`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileId([u8; 32]);

impl FileId {
    /// The file of this root hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The root hash.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Not the whole: whoever is told it may ask for the file.
impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileId({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

impl From<FileId> for String {
    fn from(id: FileId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for FileId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl std::str::FromStr for FileId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidId("file"))?;
        bytes.try_into().map(Self).map_err(|_| InvalidId("file"))
    }
}

/// A file that somebody offers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOffer {
    /// What it is.
    pub file: FileId,
    /// What it is called; a stranger's text, to be looked at with
    /// [`safe_file_name`](crate::safe_file_name) before it names anything on a disk.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its media type (RFC 6838), as the sender has it; empty if unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

impl FileOffer {
    /// Within the limits; one that is not is ignored.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.size <= MAX_FILE_BYTES
            && (1..=MAX_FILE_NAME_BYTES).contains(&self.name.len())
            && self.kind.len() <= MAX_FILE_KIND_BYTES
    }
}

impl fmt::Debug for FileOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileOffer({:?}, {} bytes)", self.file, self.size)
    }
}

/// How far somebody is with a file that was offered to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileProgress {
    /// Wanted; nothing comes at the moment.
    Accepted,
    /// It comes.
    Sending,
    /// Wanted later.
    Paused,
    /// There, whole and verified.
    Done,
    /// Not wanted.
    Refused,
    /// Wanted no more.
    Cancelled,
    /// It cannot be kept.
    Failed,
}

/// Why somebody cannot give a part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileAbsence {
    /// It is not offered (any more).
    Unknown,
    /// It is not what it was when it was offered.
    Changed,
    /// It cannot be read.
    Unreadable,
}

/// One message: JSON text on the data channel that both ends open with id 2 and the label
/// `files-control` (negotiated out of band, ordered, reliable). Unknown types are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FilesMessage {
    /// The first message in each direction of a new channel.
    Ready {
        /// One of the receiver's has come on this channel.
        met: bool,
    },
    /// A file for the receiver to take or refuse.
    Offer {
        /// Which.
        #[serde(flatten)]
        offer: FileOffer,
        /// It is for everybody in the call: whoever has it may give it to the others.
        shared: bool,
        /// The sender gives nothing of it for the moment.
        paused: bool,
    },
    /// It is offered no more.
    Withdraw {
        /// Which.
        file: FileId,
    },
    /// The sender has got a file that is for everybody, and gives parts of it as well.
    Have {
        /// Which.
        file: FileId,
    },
    /// How far the sender is with a file that the receiver offers.
    Report {
        /// Which.
        file: FileId,
        /// How far.
        state: FileProgress,
        /// Bytes that are there and verified.
        bytes: u64,
    },
    /// A part of a file is wanted.
    Get {
        /// Names the request; higher than that of every request before on this channel.
        id: u32,
        /// Of which.
        file: FileId,
        /// The number of the chunk, or none for the list of the chunks' hashes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chunk: Option<u32>,
    },
    /// Requests whose answer is not wanted any more.
    Stop {
        /// Theirs.
        ids: Vec<u32>,
    },
    /// An answer that cannot be given.
    Absent {
        /// The request.
        id: u32,
        /// Why.
        reason: FileAbsence,
    },
    /// What has come on the channel of the pieces.
    Ack {
        /// Bytes of all messages, since the channel was opened.
        bytes: u64,
        /// When the last of them came, in microseconds of any clock that runs evenly.
        at: u64,
    },
}

/// Bytes before the content of a piece: the request and the place in its answer, 32 bits each, the
/// highest byte first.
pub const PIECE_HEADER_BYTES: usize = 8;

/// A message on the data channel with id 3 and the label `files`: a run of bytes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceHeader {
    /// The request that it answers.
    pub id: u32,
    /// Where in the answer it begins.
    pub offset: u32,
}

impl PieceHeader {
    /// As it is sent.
    #[must_use]
    pub fn to_bytes(self) -> [u8; PIECE_HEADER_BYTES] {
        (u64::from(self.id) << 32 | u64::from(self.offset)).to_be_bytes()
    }

    /// Of a whole message, with what comes after it; none if it is too short or too long, or
    /// carries nothing.
    #[must_use]
    pub fn split(message: &[u8]) -> Option<(Self, &[u8])> {
        let (header, content) = message.split_first_chunk::<PIECE_HEADER_BYTES>()?;
        if content.is_empty() || content.len() > MAX_PIECE_BYTES {
            return None;
        }
        let [i, d, e, n, o, f, s, t] = *header;
        let (id, offset) = (u32::from_be_bytes([i, d, e, n]), u32::from_be_bytes([o, f, s, t]));
        Some((Self { id, offset }, content))
    }
}

/// Bytes of each chunk of a file of this size, but the last: the same for everybody.
#[must_use]
pub fn chunk_bytes(size: u64) -> u64 {
    let mut bytes = CHUNK_BYTES;
    while size.div_ceil(bytes) > u64::from(MAX_CHUNKS) {
        bytes *= 2;
    }
    bytes
}

/// How many chunks a file of this size has; none if it is empty.
#[must_use]
pub fn chunk_count(size: u64) -> u32 {
    u32::try_from(size.div_ceil(chunk_bytes(size))).unwrap_or(u32::MAX)
}

/// Where a chunk begins, and how long it is; length 0 when there is none of this number.
#[must_use]
pub fn chunk_range(size: u64, chunk: u32) -> (u64, usize) {
    let bytes = chunk_bytes(size);
    let begin = u64::from(chunk).saturating_mul(bytes).min(size);
    let length = usize::try_from(bytes.min(size - begin)).unwrap_or(0);
    (begin, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_FILES_MESSAGE_BYTES;

    #[test]
    fn every_byte_is_in_one_chunk_and_there_are_not_too_many() {
        let most = u64::from(MAX_CHUNKS);
        for size in [
            0,
            1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            most * CHUNK_BYTES,
            most * CHUNK_BYTES + 1,
            10_000_000_000,
            MAX_FILE_BYTES,
        ] {
            let count = chunk_count(size);
            assert!(count <= MAX_CHUNKS, "{size}");
            let mut end = 0;
            for chunk in [0, 1, count.saturating_sub(1)] {
                let (begin, length) = chunk_range(size, chunk);
                assert_eq!(begin, (u64::from(chunk) * chunk_bytes(size)).min(size));
                end = end.max(begin + length as u64);
            }
            assert_eq!(end, size);
            assert_eq!(chunk_range(size, count).1, 0);
            assert_eq!(chunk_range(size, u32::MAX).1, 0);
        }
        assert_eq!(chunk_bytes(most * CHUNK_BYTES), CHUNK_BYTES);
        assert_eq!(chunk_bytes(most * CHUNK_BYTES + 1), 2 * CHUNK_BYTES);
    }

    #[test]
    fn a_piece_carries_its_place() {
        let header = PieceHeader { id: 0x0102_0304, offset: 0x0506_0708 };
        let mut message = header.to_bytes().to_vec();
        assert_eq!(message, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(PieceHeader::split(&message), None, "it carries nothing");
        assert_eq!(PieceHeader::split(&message[..7]), None);
        message.push(9);
        assert_eq!(PieceHeader::split(&message), Some((header, &[9][..])));
        message.resize(PIECE_HEADER_BYTES + MAX_PIECE_BYTES, 0);
        assert!(PieceHeader::split(&message).is_some());
        message.push(0);
        assert_eq!(PieceHeader::split(&message), None);
    }

    #[test]
    fn an_offer_ends_at_its_limits() {
        let offer = FileOffer {
            file: FileId::from_bytes([7; 32]),
            name: "x".repeat(MAX_FILE_NAME_BYTES),
            size: MAX_FILE_BYTES,
            kind: "y".repeat(MAX_FILE_KIND_BYTES),
        };
        assert!(offer.is_valid());
        assert!(!FileOffer { name: String::new(), ..offer.clone() }.is_valid());
        assert!(!FileOffer { name: offer.name.clone() + "x", ..offer.clone() }.is_valid());
        assert!(!FileOffer { size: MAX_FILE_BYTES + 1, ..offer.clone() }.is_valid());
        assert!(!FileOffer { kind: offer.kind.clone() + "y", ..offer.clone() }.is_valid());
        // What JSON makes longest of it.
        let offer = FileOffer {
            name: "\u{1}".repeat(MAX_FILE_NAME_BYTES),
            kind: "\u{1}".repeat(MAX_FILE_KIND_BYTES),
            ..offer
        };
        let message = FilesMessage::Offer { offer, shared: false, paused: false };
        let written = serde_json::to_string(&message).unwrap();
        assert!(written.len() <= MAX_FILES_MESSAGE_BYTES, "{}", written.len());
    }

    #[test]
    fn the_log_learns_neither_name_nor_file() {
        let (file, size) = (FileId::from_bytes([7; 32]), 1);
        let offer = FileOffer { file, name: "secret".to_owned(), size, kind: String::new() };
        let shown = format!("{:?}", FilesMessage::Offer { offer, shared: true, paused: false });
        assert!(!shown.contains("secret") && !shown.contains(&file.to_string()), "{shown}");
    }
}
