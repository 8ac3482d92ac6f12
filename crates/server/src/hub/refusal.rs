//! What a client is told when something is refused: the stable word, and words for people.

use std::borrow::Cow;

use quartet_proto::{ErrorCode, ServerMessage};

/// Bytes of an error's text. Longer ones quote what the client sent, and are cut.
const MAX_TEXT_BYTES: usize = 256;

#[derive(Debug)]
pub(super) struct Refusal {
    code: ErrorCode,
    text: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with a closer description than the usual one.
    pub(super) fn because(code: ErrorCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into() }
    }

    /// Whether the connection is closed after it.
    pub(super) fn ends_connection(&self) -> bool {
        matches!(
            self.code,
            ErrorCode::TooLarge
                | ErrorCode::UnsupportedVersion
                | ErrorCode::Replaced
                | ErrorCode::Removed
                | ErrorCode::ShuttingDown
        )
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        let text = match code {
            ErrorCode::BadMessage => "This message was not understood.",
            ErrorCode::TooLarge => "This message is too large.",
            ErrorCode::RateLimited => {
                "Too many messages in a short time: some of them were dropped."
            }
            ErrorCode::UnsupportedVersion => {
                "This server speaks another version of the protocol. Update the app, or the server."
            }
            ErrorCode::NotJoined => "Join a call first.",
            ErrorCode::AlreadyJoined => "This connection is in a call already.",
            ErrorCode::RoomFull => "This call is full: four people are in it.",
            ErrorCode::RoomLocked => "This call is locked: nobody can come in now.",
            ErrorCode::Refused => "You were not let into this call.",
            ErrorCode::Removed => "Somebody in this call has removed you.",
            ErrorCode::InvalidName => "This name cannot be used.",
            ErrorCode::UnknownPeer => "This person is not in the call.",
            ErrorCode::Replaced => "You are in this call from another connection now.",
            ErrorCode::ServerFull => "The server is full. Try again in a while.",
            ErrorCode::Unavailable => "Calls cannot be joined for a moment. Try again soon.",
            ErrorCode::AddressLimited => {
                "Too much comes from your network at once. Try again in a minute."
            }
            ErrorCode::ShuttingDown => "The server is going down. Try again in a while.",
        };
        Self::because(code, text)
    }
}

impl From<Refusal> for ServerMessage {
    fn from(refusal: Refusal) -> Self {
        let mut message = refusal.text.into_owned();
        message.truncate(message.floor_char_boundary(MAX_TEXT_BYTES));
        Self::Error { code: refusal.code, message }
    }
}
