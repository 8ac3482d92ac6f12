//! The stable codes of signalling errors.

use serde::{Deserialize, Serialize};

/// What went wrong, as a stable word on the wire; the text beside it is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The message was not understood; the connection stays.
    BadMessage,
    /// The message was larger than [`crate::limits::MAX_MESSAGE_BYTES`]; the connection ends.
    TooLarge,
    /// Too many messages in a short time; this message was dropped.
    RateLimited,
    /// The server speaks another version of the protocol; the connection ends.
    UnsupportedVersion,
    /// A message that needs a room came before `join`, or a first message that was not `hello`.
    NotJoined,
    /// A second `join` on one connection.
    AlreadyJoined,
    /// The room has [`crate::limits::ROOM_CAPACITY`] people already.
    RoomFull,
    /// The room lets nobody in for now.
    RoomLocked,
    /// Nobody inside let the participant in, or too short a time ago one was turned away.
    Refused,
    /// Somebody put the participant out of the room, for this visit.
    Removed,
    /// The name is empty, too long, or has characters that a name cannot have.
    InvalidName,
    /// The addressee is not, or no longer, in the room.
    UnknownPeer,
    /// Another connection proved to be the same participant and took this one's place.
    Replaced,
    /// The server has no room for another connection or room now.
    ServerFull,
    /// Rooms cannot be entered for a moment; nothing changes for those who are in one.
    Unavailable,
    /// Too much comes from one network address: connections at once, or joins in a minute.
    AddressLimited,
    /// The server is going down; reconnect in a while.
    ShuttingDown,
}
