//! What nodes say to each other. JSON, through Redis; all nodes run the same version.

use std::fmt;

use quartet_proto::{ClientMessage, RoomId, ServerMessage};
use serde::{Deserialize, Serialize};

/// A node from its start to its end. A restarted one is another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(String);

impl NodeId {
    /// A node of this name; `start` tells its runs apart, and is never used twice.
    #[must_use]
    pub fn new(name: &str, start: u64) -> Self {
        Self(format!("{name}.{start:016x}"))
    }

    /// As it stands in Redis.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for NodeId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One message from node to node: see [`super::link`] for the numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub(super) from: NodeId,
    /// The sender's side of the link that it belongs to.
    pub(super) of: u64,
    /// The addressee's side; 0 while the sender does not know it.
    pub(super) to: u64,
    /// All up to this number have come.
    pub(super) ack: u64,
    /// Missing in a mere sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) letter: Option<Letter>,
}

/// What is delivered once and in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) number: u64,
    pub(super) body: Body,
}

/// `conn` is always the number that the node with the socket gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Body {
    /// To the owner of a room: a connection of mine wants in. `message` is `join` or `watch`.
    Enter { conn: u64, attempt: u64, message: ClientMessage },
    /// The owner's answer, after what it sent to the connection.
    Entered { conn: u64, attempt: u64, outcome: Outcome },
    /// It said something.
    Said { conn: u64, message: ClientMessage },
    /// To the node with the socket: what it said is no matter of mine, as it is in no room of mine
    /// (any more).
    Returned { conn: u64, message: ClientMessage },
    /// It is gone, or has gone to another node.
    Gone { conn: u64 },
    /// To a connection of yours.
    Send { conn: u64, message: ServerMessage },
    /// Close it, after what was sent before.
    Close { conn: u64 },
}

/// What became of an attempt to enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It is in a room of this node now (or still).
    Inside,
    /// It was refused, and told so. It is in no room of this node.
    Refused,
    /// The room is not this node's.
    NotMine,
}

/// The room that somebody wants to get into.
pub(super) fn wanted_room(message: &ClientMessage) -> Option<RoomId> {
    match message {
        ClientMessage::Join { room, .. } | ClientMessage::Watch { room } => Some(*room),
        _ => None,
    }
}

impl Body {
    /// About how many bytes it keeps in memory while it waits.
    pub(super) fn cost(&self) -> usize {
        /// Ids, names, and the queue's own.
        const REST: usize = 512;
        REST + match self {
            Self::Said { message: ClientMessage::Description { sdp, .. }, .. }
            | Self::Send { message: ServerMessage::Description { sdp, .. }, .. } => sdp.len(),
            Self::Said { message: ClientMessage::Candidate { candidate, .. }, .. }
            | Self::Send { message: ServerMessage::Candidate { candidate, .. }, .. } => {
                candidate.candidate.len()
            }
            _ => 0,
        }
    }
}
