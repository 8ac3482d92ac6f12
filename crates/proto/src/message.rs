//! The signalling messages: one JSON object per WebSocket text message, told apart by `type`.
//!
//! Their `Debug` is for logs: it says which message it is and between whom, and leaves out names,
//! rooms, keys, addresses and SDP.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, IceServer, PeerId, Proof, RoomId, RoomPolicy, SessionKey};

/// The number of the connection between two participants, counted by the side that offers.
///
/// It begins at 1 and grows with each new connection, so that what belongs to an older one is
/// recognised and dropped. An ICE restart keeps it: the ICE credentials tell those apart.
pub type Epoch = u32;

/// What somebody sends and withholds, for the marks on the tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MediaState {
    /// The microphone is muted, or there is none.
    pub muted: bool,
    /// The camera is off, or there is none.
    pub camera_off: bool,
    /// What is shared beside the camera, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
}

/// What somebody shares. Which window it is stays with them: titles are private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// One window, or one tab of a browser.
    Window,
    /// A whole screen; and what a later version calls otherwise.
    #[serde(other)]
    Screen,
}

/// A participant as the others see it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    /// Who it is.
    pub id: PeerId,
    /// The name it chose; shown as text, never trusted to be unique or true.
    pub name: String,
    /// What it sends.
    pub media: MediaState,
}

impl fmt::Debug for PeerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerInfo({}, {:?})", self.id, self.media)
    }
}

/// Offer or answer (RFC 3264).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescriptionKind {
    /// A proposal.
    Offer,
    /// The reply to it.
    Answer,
}

/// One trickled ICE candidate (RFC 8838), as in `RTCIceCandidateInit`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The `candidate:` line; empty for the end of candidates.
    pub candidate: String,
    /// The `mid` of its media section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// The index of its media section.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "sdpMLineIndex")]
    pub sdp_mline_index: Option<u16>,
    /// The ICE generation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({} bytes)", self.candidate.len())
    }
}

/// From a participant to the server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// The first message of a connection.
    Hello {
        /// [`crate::PROTOCOL_VERSION`].
        version: u32,
        /// The program and its version, for the server's statistics.
        client: String,
    },
    /// Asks who is in a room, without entering it; answered by `roster`, again at every change.
    Watch {
        /// The room.
        room: RoomId,
    },
    /// Enters a room; also how a participant comes back after its connection was lost.
    Join {
        /// The room.
        room: RoomId,
        /// Made for this visit; the same key comes back as the same participant.
        key: SessionKey,
        /// The display name.
        name: String,
        /// What is sent from the start.
        media: MediaState,
        /// Who gets into the room, if this makes it.
        #[serde(default)]
        policy: RoomPolicy,
        /// Only from somebody who comes back: the others as it knows them, at most
        /// [`crate::limits::MAX_MEMBERS`], for a server that has forgotten the room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        members: Option<Vec<PeerId>>,
    },
    /// Changes who gets into the room.
    Policy {
        /// From now on.
        policy: RoomPolicy,
    },
    /// Lets in somebody who waits.
    Admit {
        /// Who.
        peer: PeerId,
    },
    /// Turns away somebody who waits.
    Refuse {
        /// Who.
        peer: PeerId,
    },
    /// Puts somebody out of the room for good.
    Remove {
        /// Who.
        peer: PeerId,
    },
    /// An offer or an answer for one participant.
    Description {
        /// The addressee.
        to: PeerId,
        /// The pair's connection that it belongs to.
        epoch: Epoch,
        /// Which of the two.
        kind: DescriptionKind,
        /// RFC 8866, at most [`crate::limits::MAX_SDP_BYTES`].
        sdp: String,
        /// That it comes from somebody who has the link.
        proof: Proof,
    },
    /// The side that offers has taken an answer, and shows what it had committed itself to.
    Confirm {
        /// The addressee.
        to: PeerId,
        /// The pair's connection that it belongs to.
        epoch: Epoch,
        /// Over both ends.
        proof: Proof,
    },
    /// A candidate for one participant.
    Candidate {
        /// The addressee.
        to: PeerId,
        /// The pair's connection that it belongs to.
        epoch: Epoch,
        /// The candidate.
        candidate: Candidate,
    },
    /// Asks the side that offers for an offer: an ICE restart of `epoch`, or, when that connection
    /// is beyond repair, a new one.
    Negotiate {
        /// The addressee.
        to: PeerId,
        /// The connection that the sender knows; 0 when it knows none.
        epoch: Epoch,
        /// The connection of `epoch` has failed: a new one is wanted.
        renew: bool,
    },
    /// What is sent has changed.
    Media {
        /// The new state.
        media: MediaState,
    },
    /// A sign of life, every [`crate::limits::PING_INTERVAL`].
    Ping {
        /// Comes back in the `pong`.
        nonce: u32,
    },
    /// Leaves the room for good.
    Leave,
}

impl fmt::Debug for ClientMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello { version, .. } => write!(f, "Hello(version {version})"),
            Self::Watch { .. } => write!(f, "Watch"),
            Self::Join { key, media, policy, .. } => {
                write!(f, "Join(as {}, {media:?}, {policy:?})", key.peer_id())
            }
            Self::Description { to, epoch, kind, sdp, .. } => {
                write!(f, "Description(to {to}, epoch {epoch}, {kind:?}, {} bytes)", sdp.len())
            }
            Self::Confirm { to, epoch, .. } => write!(f, "Confirm(to {to}, epoch {epoch})"),
            Self::Candidate { to, epoch, candidate } => {
                write!(f, "Candidate(to {to}, epoch {epoch}, {candidate:?})")
            }
            Self::Negotiate { to, epoch, renew } => {
                write!(f, "Negotiate(to {to}, epoch {epoch}, renew {renew})")
            }
            Self::Policy { policy } => write!(f, "Policy({policy:?})"),
            Self::Admit { peer } => write!(f, "Admit({peer})"),
            Self::Refuse { peer } => write!(f, "Refuse({peer})"),
            Self::Remove { peer } => write!(f, "Remove({peer})"),
            Self::Media { media } => write!(f, "Media({media:?})"),
            Self::Ping { nonce } => write!(f, "Ping({nonce})"),
            Self::Leave => write!(f, "Leave"),
        }
    }
}

/// Why somebody is no longer in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// They left.
    Left,
    /// Their connection was lost and did not come back in time.
    Lost,
    /// Somebody in the room put them out.
    Removed,
}

/// From the server to a participant.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The answer to `hello`.
    Hello {
        /// [`crate::PROTOCOL_VERSION`].
        version: u32,
        /// The program and its version.
        server: String,
    },
    /// The answer to `watch`, and again whenever the room changes.
    Roster {
        /// Who is in, in the order in which they came.
        peers: Vec<PeerInfo>,
        /// Who gets in.
        #[serde(default)]
        policy: RoomPolicy,
    },
    /// An answer to `join`: somebody inside has to let the receiver in first.
    Waiting,
    /// The answer to `join`, or the end of waiting.
    Welcome {
        /// Who the receiver is.
        you: PeerId,
        /// Who else is in, in the order in which they came.
        peers: Vec<PeerInfo>,
        /// STUN and TURN servers that the server offers.
        ice_servers: Vec<IceServer>,
        /// Who gets into the room.
        #[serde(default)]
        policy: RoomPolicy,
        /// Who waits to be let in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        knocking: Vec<PeerInfo>,
    },
    /// Somebody waits to be let in.
    Knock {
        /// Who.
        peer: PeerInfo,
    },
    /// Somebody waits no longer: let in, which `peer_joined` says too, turned away, or gone.
    KnockOver {
        /// Who.
        peer: PeerId,
    },
    /// Who gets into the room has changed.
    Policy {
        /// From now on.
        policy: RoomPolicy,
        /// Who changed it.
        by: PeerId,
    },
    /// In place of those of `welcome`, before their credentials end.
    IceServers {
        /// All STUN and TURN servers that the server offers.
        ice_servers: Vec<IceServer>,
    },
    /// Somebody came.
    PeerJoined {
        /// Who.
        peer: PeerInfo,
    },
    /// Somebody is gone.
    PeerLeft {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: LeaveReason,
        /// Who put them out, if they were removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<PeerId>,
    },
    /// What somebody sends has changed.
    PeerMedia {
        /// Who.
        peer: PeerId,
        /// The new state.
        media: MediaState,
    },
    /// An offer or an answer from another participant.
    Description {
        /// The sender.
        from: PeerId,
        /// The pair's connection that it belongs to.
        epoch: Epoch,
        /// Which of the two.
        kind: DescriptionKind,
        /// RFC 8866.
        sdp: String,
        /// Missing only where a server has taken it away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Proof>,
    },
    /// The side that offers has taken an answer.
    Confirm {
        /// The sender.
        from: PeerId,
        /// The pair's connection that it belongs to.
        epoch: Epoch,
        /// Over both ends.
        proof: Proof,
    },
    /// A candidate from another participant.
    Candidate {
        /// The sender.
        from: PeerId,
        /// The pair's connection that it belongs to.
        epoch: Epoch,
        /// The candidate.
        candidate: Candidate,
    },
    /// Another participant asks for an offer.
    Negotiate {
        /// The sender.
        from: PeerId,
        /// The connection that the sender knows; 0 when it knows none.
        epoch: Epoch,
        /// A new connection is wanted.
        renew: bool,
    },
    /// The answer to `ping`.
    Pong {
        /// As it came.
        nonce: u32,
    },
    /// Something was refused.
    Error {
        /// The stable word.
        code: ErrorCode,
        /// For people.
        message: String,
    },
}

impl fmt::Debug for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello { version, .. } => write!(f, "Hello(version {version})"),
            Self::Roster { peers, policy } => write!(f, "Roster({peers:?}, {policy:?})"),
            Self::Waiting => write!(f, "Waiting"),
            Self::Welcome { you, peers, policy, knocking, .. } => {
                write!(f, "Welcome(you {you}, {peers:?}, {policy:?}, knocking {knocking:?})")
            }
            Self::Knock { peer } => write!(f, "Knock({peer:?})"),
            Self::KnockOver { peer } => write!(f, "KnockOver({peer})"),
            Self::Policy { policy, by } => write!(f, "Policy({policy:?}, by {by})"),
            Self::IceServers { ice_servers } => write!(f, "IceServers({})", ice_servers.len()),
            Self::PeerJoined { peer } => write!(f, "PeerJoined({peer:?})"),
            Self::PeerLeft { peer, reason, by } => {
                write!(f, "PeerLeft({peer}, {reason:?}, by {by:?})")
            }
            Self::PeerMedia { peer, media } => write!(f, "PeerMedia({peer}, {media:?})"),
            Self::Description { from, epoch, kind, sdp, .. } => {
                write!(f, "Description(from {from}, epoch {epoch}, {kind:?}, {} bytes)", sdp.len())
            }
            Self::Confirm { from, epoch, .. } => write!(f, "Confirm(from {from}, epoch {epoch})"),
            Self::Candidate { from, epoch, candidate } => {
                write!(f, "Candidate(from {from}, epoch {epoch}, {candidate:?})")
            }
            Self::Negotiate { from, epoch, renew } => {
                write!(f, "Negotiate(from {from}, epoch {epoch}, renew {renew})")
            }
            Self::Pong { nonce } => write!(f, "Pong({nonce})"),
            Self::Error { code, .. } => write!(f, "Error({code:?})"),
        }
    }
}
