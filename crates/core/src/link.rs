//! What the session says to a link and hears from it; `quartet-rtc` carries it out.

use quartet_proto::{Candidate, DescriptionKind};

/// What a link is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkAction {
    /// Make an offer and announce it as [`LinkEvent::Description`].
    Offer {
        /// With new ICE credentials (RFC 8839 §4.4.3), to look for another path.
        ice_restart: bool,
    },
    /// Take the peer's description; an offer is answered by itself, announced likewise.
    Description {
        /// Offer or answer.
        kind: DescriptionKind,
        /// RFC 8866.
        sdp: String,
    },
    /// Take a candidate of the peer's; one that comes before the description waits for it.
    Candidate(Candidate),
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

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The link is unusable; the text is for logs, without addresses or SDP.
    Broken(String),
}
