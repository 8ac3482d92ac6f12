//! What two participants say to each other past the server, on a data channel.

use serde::{Deserialize, Serialize};

use crate::{PeerId, RoomPolicy};

/// One message: JSON text on the data channel that both ends open with id 0 and the label
/// `quartet` (negotiated out of band, RFC 8832 is not used). Unknown types are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PeerMessage {
    /// How large the receiver shows the sender's picture: no more is worth sending.
    View {
        /// Pixels of the screen; 0 when it is not shown at all.
        height: u16,
        /// The same of the screen that the sender shares; missing from those who know no screens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        screen: Option<u16>,
    },
    /// Whom the sender takes for a participant, so that the server alone cannot let anybody in.
    Room {
        /// Who gets in.
        policy: RoomPolicy,
        /// How many times that was changed: the higher number is the newer word.
        change: u32,
        /// Whom the sender is, or would be, connected with.
        admitted: Vec<PeerId>,
        /// Whom the sender itself put out.
        removed: Vec<PeerId>,
    },
    /// The sender's hand.
    Hand {
        /// One more than the highest that it saw in the call when it raised it, so that all see
        /// the same order; 0 while it is down.
        raised: u32,
    },
    /// The sender reacts to what it hears. An event among states: whoever has seen its `count` has
    /// seen it.
    Reaction {
        /// How many it was in this visit, from 1.
        count: u32,
        /// How.
        kind: Reaction,
    },
    /// How the sender is doing, so that the receiver can tell why it gets what it gets.
    Condition(Condition),
}

/// How somebody reacts without a word. A closed list: no text of a stranger's is shown by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// 👍
    ThumbsUp,
    /// ❤️
    Heart,
    /// 👏
    Clap,
    /// 😂
    Laugh,
    /// 😮
    Wow,
    /// 🎉
    Party,
}

/// What of a participant decides what the others get from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Condition {
    /// Why the receiver's picture is no better.
    pub limited_by: PictureLimit,
    /// The machine does not keep up.
    pub busy: bool,
}

/// Why somebody does not get the best picture that the source gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureLimit {
    /// They do.
    #[default]
    None,
    /// The path to them carries no more.
    Bandwidth,
    /// The sender's machine encodes no more.
    Cpu,
    /// Their window shows it no larger.
    View,
}
