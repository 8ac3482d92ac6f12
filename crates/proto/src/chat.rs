//! What two participants say on the data channel of the chat, and what a message may be.
//!
//! Everybody passes on what they said themselves, so nobody else's word is needed for it. Only the
//! words of somebody who is gone are passed on by others, and are marked so. The `Debug` is for
//! logs: it leaves out names and texts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{PeerId, limits::MAX_CHAT_BYTES};

/// One message: JSON text on the data channel that both ends open with id 1 and the label `chat`
/// (negotiated out of band, ordered, reliable). Unknown types are ignored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChatMessage {
    /// What the sender has heard; whatever is missing is to be said (again). The first message in
    /// each direction.
    Have {
        /// A `have` of the receiver's has come on this channel.
        met: bool,
        /// By author; nothing of those that are left out.
        heard: Vec<Heard>,
    },
    /// Somebody is gone: what others have heard after this is to be passed on.
    Ask(Heard),
    /// Something that the sender says to everybody.
    Text {
        /// Counts the author's messages, from 1.
        seq: u32,
        /// Higher than that of everything that the author had seen; orders the messages.
        clock: u64,
        /// See [`chat_text`].
        text: String,
    },
    /// Something that was said by somebody who is gone.
    PassedOn {
        /// Who said it, in the words of the one who passes it on.
        by: PeerId,
        /// What they were called, likewise.
        name: String,
        /// As in [`Self::Text`].
        seq: u32,
        /// As in [`Self::Text`].
        clock: u64,
        /// As in [`Self::Text`].
        text: String,
    },
}

/// How much of one author's was heard from that author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The author.
    pub by: PeerId,
    /// The highest number.
    pub upto: u32,
}

impl fmt::Debug for ChatMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Have { met, heard } => write!(f, "Have(met {met}, {heard:?})"),
            Self::Ask(heard) => write!(f, "Ask({heard:?})"),
            Self::Text { seq, clock, text } => {
                write!(f, "Text({seq} at {clock}, {} bytes)", text.len())
            }
            Self::PassedOn { by, seq, clock, text, .. } => {
                write!(f, "PassedOn(by {by}, {seq} at {clock}, {} bytes)", text.len())
            }
        }
    }
}

/// Why a text cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChatText {
    /// Nothing but white space.
    #[error("there is nothing in this message")]
    Empty,
    /// More than [`MAX_CHAT_BYTES`].
    #[error("this message is too long")]
    TooLong,
    /// A control character that is neither a line feed nor a tab.
    #[error("this message has characters that a message cannot have")]
    Character,
}

/// The text without the white space around it, if it can be said. Everything but controls is
/// allowed, in any script: whoever shows it keeps its direction to itself.
pub fn chat_text(text: &str) -> Result<&str, InvalidChatText> {
    let text = text.trim();
    if text.len() > MAX_CHAT_BYTES {
        return Err(InvalidChatText::TooLong);
    }
    if text.is_empty() {
        return Err(InvalidChatText::Empty);
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(InvalidChatText::Character);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_its_limit_in_bytes() {
        let longest = "ก".repeat(MAX_CHAT_BYTES / 3) + "a";
        assert_eq!(longest.len(), MAX_CHAT_BYTES);
        assert_eq!(chat_text(&longest), Ok(longest.as_str()));
        assert_eq!(chat_text(&(longest + "a")), Err(InvalidChatText::TooLong));
    }

    #[test]
    fn what_shows_nothing_or_acts_on_a_screen_is_refused() {
        assert_eq!(chat_text(" \n\t "), Err(InvalidChatText::Empty));
        assert_eq!(chat_text("a\u{7}b"), Err(InvalidChatText::Character));
        assert_eq!(chat_text("a\u{9b}b"), Err(InvalidChatText::Character));
        assert_eq!(chat_text("  two\n\tlines "), Ok("two\n\tlines"));
        assert_eq!(chat_text("שלום 👩‍👩‍👧"), Ok("שלום 👩‍👩‍👧"));
    }

    #[test]
    fn the_longest_message_fits_into_its_limit() {
        // What JSON makes longest of all that may be said.
        let text = "\"".repeat(MAX_CHAT_BYTES);
        let by = PeerId::from_u64(u64::MAX);
        let name = "\\".repeat(4 * crate::limits::MAX_NAME_CHARS);
        let (seq, clock) = (u32::MAX, crate::limits::MAX_CHAT_CLOCK);
        let message = ChatMessage::PassedOn { by, name, seq, clock, text };
        let written = serde_json::to_string(&message).unwrap();
        assert!(written.len() <= crate::limits::MAX_CHAT_MESSAGE_BYTES, "{}", written.len());
        let heard = vec![Heard { by, upto: u32::MAX }; crate::limits::MAX_CHAT_AUTHORS];
        let have = serde_json::to_string(&ChatMessage::Have { met: false, heard }).unwrap();
        assert!(have.len() <= crate::limits::MAX_CHAT_MESSAGE_BYTES, "{}", have.len());
    }

    #[test]
    fn the_log_learns_no_word_of_it() {
        let (by, seq, clock) = (PeerId::from_u64(1), 1, 1);
        let (name, text) = ("Ann".to_owned(), "secret".to_owned());
        let said = ChatMessage::Text { seq, clock, text: text.clone() };
        let passed_on = ChatMessage::PassedOn { by, name, seq, clock, text };
        for shown in [format!("{said:?}"), format!("{passed_on:?}")] {
            assert!(!shown.contains("secret") && !shown.contains("Ann"), "{shown}");
        }
    }
}
