//! What goes into the machine and what comes out of it.

use std::fmt;

use bytes::Bytes;
use quartet_proto::{FileAbsence, FileId, FileOffer, FilesMessage, PeerId};

/// Why a file does not come, or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFault {
    /// The other side does not want it.
    Refused,
    /// Whoever receives it has given it up.
    Cancelled,
    /// Whoever offers it does so no more.
    Withdrawn,
    /// Nobody who has it is in the call.
    Gone,
    /// It was changed since it was offered.
    Changed,
    /// It cannot be read where it is offered.
    Unreadable,
    /// What came is not what was offered.
    Corrupt,
    /// There is no room for it.
    DiskFull,
    /// It cannot be written.
    Unwritable,
}

impl FileFault {
    /// The stable word of the JSON events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Withdrawn => "withdrawn",
            Self::Gone => "gone",
            Self::Changed => "changed",
            Self::Unreadable => "unreadable",
            Self::Corrupt => "corrupt",
            Self::DiskFull => "disk_full",
            Self::Unwritable => "unwritable",
        }
    }

    pub(super) fn absence(self) -> FileAbsence {
        match self {
            Self::Changed => FileAbsence::Changed,
            Self::Unreadable => FileAbsence::Unreadable,
            _ => FileAbsence::Unknown,
        }
    }
}

/// How far a file is between two people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilePhase {
    /// Waits for whom it is offered to.
    Offered,
    /// Wanted; nothing comes at the moment.
    Accepted,
    /// On its way.
    Sending,
    /// Stopped for a while, by one of the two.
    Paused,
    /// There, whole and verified, under its name.
    Done,
    /// Not on its way any more.
    Failed(FileFault),
}

/// A file between the own side and somebody: everything that there is to show of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// To whom it goes, or who offers it.
    pub peer: PeerId,
    /// From here to there; otherwise from there to here.
    pub outgoing: bool,
    /// What it is. Of a name that comes from a stranger, its safe form is
    /// [`quartet_proto::safe_file_name`].
    pub offer: FileOffer,
    /// How far it is.
    pub phase: FilePhase,
    /// Bytes that are there and verified.
    pub bytes: u64,
    /// Bytes a second, lately.
    pub rate: u64,
    /// Paused by the other side.
    pub held: bool,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The list of the chunks' hashes.
    Hashes,
    /// A chunk, by its number.
    Chunk(u32),
}

/// One run at receiving a file, from the user's word to its end: what belongs to an earlier one of
/// the same file is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job(pub u64);

/// What can happen to the transfers.
#[derive(Clone, PartialEq, Eq)]
pub enum Input {
    /// The user offers a file, which was hashed, to somebody, or to everybody who is or will be in
    /// the call.
    Offer(FileOffer, Option<PeerId>),
    /// The user takes an offer back, from one of those whom it is offered to.
    Withdraw(FileId, PeerId),
    /// The user holds back, or lets go on, what is sent of a file.
    Hold(FileId, bool),
    /// The user wants a file; also again, after it failed.
    Accept(FileId),
    /// The user does not want it, or no more.
    Cancel(FileId),
    /// The user wants it later (true), or goes on.
    Pause(FileId, bool),
    /// Somebody is in the call.
    Joined(PeerId),
    /// Somebody is gone.
    Left(PeerId),
    /// The channels to somebody are open; they take the place of earlier ones.
    Opened(PeerId),
    /// They are no more; what they were given may or may not have arrived.
    Closed(PeerId),
    /// Something was said.
    Heard(PeerId, FilesMessage),
    /// A piece came: of which request, from where on, its bytes.
    Piece(PeerId, u32, u32, Bytes),
    /// The link has sent the next of the parts that it was given.
    Sent(PeerId),
    /// [`Output::Begin`] is done: the list is known, and these chunks are there already.
    Begun(Job, Result<Option<Vec<u32>>, FileFault>),
    /// [`Output::Store`] is done. [`FileFault::Corrupt`] when it was not what was offered.
    Stored(Job, Part, Result<(), FileFault>),
    /// [`Output::Finish`] is done.
    Finished(Job, Result<(), FileFault>),
    /// [`Output::Read`] of that token is done.
    Read(u64, Result<Bytes, FileFault>),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Piece(peer, id, offset, bytes) => {
                write!(f, "Piece({peer}, {id} from {offset}, {} bytes)", bytes.len())
            }
            Self::Heard(peer, message) => write!(f, "Heard({peer}, {message:?})"),
            Self::Read(token, Ok(bytes)) => write!(f, "Read({token}, {} bytes)", bytes.len()),
            _ => f.write_str("Input(…)"),
        }
    }
}

/// What the transfers want done, in this order.
#[derive(Clone, PartialEq, Eq)]
pub enum Output {
    /// Say this on the control channel to somebody.
    Say(PeerId, FilesMessage),
    /// Send this answer to somebody's request, in pieces; answered by [`Input::Sent`]. No more than
    /// [`SEND_AHEAD`](super::SEND_AHEAD) are unanswered at once.
    Send(PeerId, u32, Bytes),
    /// Make a place for this file, or find what there is of it: [`Input::Begun`].
    Begin(Job, FileOffer),
    /// Verify this part of a file and keep it: [`Input::Stored`].
    Store(Job, Part, Bytes),
    /// All of it is there: give it its name. [`Input::Finished`].
    Finish(Job),
    /// Leave what there is of it, to go on later.
    Close(Job),
    /// Throw away what there is of it.
    Discard(Job),
    /// Read, and verify, a part of a file that is here: [`Input::Read`].
    Read {
        /// To be given back.
        token: u64,
        /// Of which.
        file: FileId,
        /// Which.
        part: Part,
    },
    /// Show this, in the place of what was shown of the same file, person and direction.
    Show(FileState),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Say(peer, message) => write!(f, "Say({peer}, {message:?})"),
            Self::Send(peer, id, bytes) => write!(f, "Send({peer}, {id}, {} bytes)", bytes.len()),
            Self::Begin(job, offer) => write!(f, "Begin({job:?}, {offer:?})"),
            Self::Store(job, part, bytes) => {
                write!(f, "Store({job:?}, {part:?}, {} bytes)", bytes.len())
            }
            Self::Finish(job) => write!(f, "Finish({job:?})"),
            Self::Close(job) => write!(f, "Close({job:?})"),
            Self::Discard(job) => write!(f, "Discard({job:?})"),
            Self::Read { token, file, part } => write!(f, "Read({token}, {file:?}, {part:?})"),
            Self::Show(state) => write!(f, "Show({:?} at {})", state.phase, state.bytes),
        }
    }
}
