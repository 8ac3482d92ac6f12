//! The wire of Quartet: identifiers, join links, signalling messages and their limits.
//!
//! No I/O, no clock, no randomness: whoever needs a new secret brings the random bytes.
//! `docs/protocol.md` describes every message; a test in this crate keeps the two in step.

mod chat;
mod error_code;
mod file_name;
mod files;
mod ice_server;
mod ids;
pub mod limits;
mod link;
mod message;
mod name;
mod peer_message;
mod policy;
mod trust;

pub use chat::{ChatMessage, Heard, InvalidChatText, chat_text};
pub use error_code::ErrorCode;
pub use file_name::{numbered_file_name, safe_file_name};
pub use files::{
    FileAbsence, FileId, FileOffer, FileProgress, FilesMessage, PIECE_HEADER_BYTES, PieceHeader,
    chunk_bytes, chunk_count, chunk_range,
};
pub use ice_server::{IceServer, InvalidIceServer};
pub use ids::{InvalidId, PeerId, RoomId, SessionKey};
pub use link::{InvalidLink, JoinLink, LinkSecret, ServerUrl};
pub use message::{
    Candidate, ClientMessage, DescriptionKind, Epoch, LeaveReason, MediaState, PeerInfo,
    ServerMessage, Sharing,
};
pub use name::{InvalidName, display_name};
pub use peer_message::{Condition, PeerMessage, PictureLimit, Reaction};
pub use policy::RoomPolicy;
pub use trust::{
    About, AuthKey, Code, CodePart, EMOJI, Emoji, Fingerprint, InvalidFingerprint, Nonce,
    NonceSeed, Proof, Statement, Word,
};

/// The signalling protocol's version; a server refuses any other with `unsupported_version`.
pub const PROTOCOL_VERSION: u32 = 2;
