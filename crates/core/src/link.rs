//! What the session says to a link and hears from it; `quartet-rtc` carries it out.

use std::time::Duration;

use bytes::Bytes;
use quartet_proto::{
    Candidate, ChatMessage, DescriptionKind, FilesMessage, IceServer, PeerMessage,
};

/// What a link is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkAction {
    /// Make an offer and announce it as [`LinkEvent::Description`].
    Offer {
        /// With new ICE credentials (RFC 8839 §4.4.3), to look for another path.
        ice_restart: bool,
    },
    /// The last offer, which has no answer, may be lost on its way: announce it again, with the
    /// candidates so far.
    RepeatOffer,
    /// Take the peer's description; an offer is answered by itself, announced likewise.
    Description {
        /// Offer or answer.
        kind: DescriptionKind,
        /// RFC 8866.
        sdp: String,
    },
    /// Take a candidate of the peer's; one that comes before the description waits for it.
    Candidate(Candidate),
    /// Use these STUN and TURN servers of the signalling server from the next restart on: the
    /// credentials of those before will end.
    IceServers(Vec<IceServer>),
}

/// How the peer connection is (`RTCPeerConnectionState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Looking for a path.
    Connecting,
    /// Media can flow.
    Connected,
    /// Nothing has come for a while; may come back by itself.
    Disconnected,
    /// No path; will not come back by itself.
    Failed,
}

/// What a path carries, as its congestion controller sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkEstimate {
    /// Bits a second of all that is sent on the link, headers down to IP included.
    pub bitrate_bps: u64,
    /// What it will be once the queue on the path has drained: for choosing a picture size, where
    /// [`Self::bitrate_bps`] is for sending. The same when nothing drains.
    pub settled_bps: u64,
    /// Share of the packets that did not arrive, 0..=1, over the last second or so.
    pub loss: f32,
    /// Round trip, smoothed.
    pub rtt: Option<Duration>,
    /// A queue is growing on the path just now.
    pub congested: bool,
}

/// What a link says.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkEvent {
    /// An own description, to be sent to the peer before any candidate.
    Description {
        /// Offer or answer.
        kind: DescriptionKind,
        /// RFC 8866.
        sdp: String,
    },
    /// An own candidate; never comes before the description that it belongs to.
    Candidate(Candidate),
    /// The state has changed.
    State(LinkState),
    /// The peer's decoder needs a key frame (PLI or FIR, RFC 4585 §6.3.1, RFC 5104 §4.3.1).
    KeyFrameWanted,
    /// The same for the shared screen.
    ScreenKeyFrameWanted,
    /// What the path to the peer carries, when it has changed.
    Estimate(LinkEstimate),
    /// The peer has said something, past the server.
    Said(PeerMessage),
    /// The chat's channel is open; once for each link.
    ChatOpened,
    /// The next of the chat messages that the link was given is on its way.
    ChatSent,
    /// A chat message of the peer's.
    ChatHeard(ChatMessage),
    /// The files' channels are open; once for each link.
    FilesOpened,
    /// Something was said about files.
    FilesHeard(FilesMessage),
    /// A part of an answer to a request for a part of a file.
    FilesPiece {
        /// The request.
        id: u32,
        /// Where in the answer it begins.
        offset: u32,
        /// What comes there.
        bytes: Bytes,
    },
    /// The next of the answers that the link was given is on its way.
    FilesSent,
    /// The link is unusable; the text is for logs, without addresses or SDP.
    Broken(String),
}
