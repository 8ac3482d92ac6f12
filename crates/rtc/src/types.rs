//! What goes into a link and comes out of it.

use std::{fmt, net::IpAddr, time::Duration};

use quartet_core::{EncodedFrame, RtpPacket, VoicePlayout};
use quartet_proto::IceServer;

use crate::Certificate;

/// Which paths may be used (`RTCIceTransportPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IcePolicy {
    /// All of them.
    #[default]
    All,
    /// Through a TURN server only: the others never learn this machine's addresses.
    Relay,
}

/// How paths are found.
#[derive(Debug, Clone, Default)]
pub struct IceConfig {
    /// STUN and TURN servers.
    pub servers: Vec<IceServer>,
    /// Which paths may be used.
    pub policy: IcePolicy,
    /// Addresses to use; empty for every interface, IPv4 and IPv6.
    pub bind: Vec<IpAddr>,
    /// What vouches for `turns:` servers besides the usual authorities: certificates in DER.
    pub certificates: Vec<Vec<u8>>,
}

/// Exactly one side of a pair offers; that removes glare (RFC 8829 §4.1.8.2 rollback is not needed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRole {
    /// Makes the offers.
    Offerer,
    /// Answers them.
    Answerer,
}

/// How a link is made.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Who offers.
    pub role: LinkRole,
    /// How paths are found.
    pub ice: IceConfig,
    /// Who this side is.
    pub certificate: Certificate,
}

/// Why a link could not do what it was told; the connection is unusable afterwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {reason}")]
pub struct LinkError {
    /// What it was doing.
    pub doing: &'static str,
    /// The library's words, without addresses or SDP.
    pub reason: String,
}

/// Takes what a peer sends. Called on the link's own task: may neither block nor take long.
pub trait MediaSink: Send + Sync + fmt::Debug {
    /// An Opus packet (RFC 7587), in the order of arrival, duplicates removed.
    fn voice(&self, packet: RtpPacket);
    /// A whole picture, in decoding order, when it is to be shown; after a loss that was not
    /// repaired the next one is a key frame.
    fn picture(&self, frame: EncodedFrame);

    /// The same of the shared screen. Voices do not wait for it.
    fn screen(&self, _frame: EncodedFrame) {}

    /// What of the voice is heard when: pictures wait for it. `None` when nobody plays the voice.
    fn voice_playout(&self) -> Option<VoicePlayout> {
        None
    }

    /// Pictures are shown so many microseconds later than the voice of the same moment; negative
    /// when earlier. Said a few times a second, as long as both are known.
    fn pictures_behind_voice(&self, _micros: i64) {}
}

/// Counters of one direction of one medium since the link was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamStats {
    /// RTP packets.
    pub packets: u64,
    /// RTP payload bytes.
    pub bytes: u64,
    /// Packets that never came (inbound).
    pub lost: u64,
    /// Pictures completed (inbound) or sent (outbound); 0 for voice.
    pub frames: u64,
    /// Pictures dropped because the sending queue was full.
    pub frames_dropped: u64,
}

/// The state of a link, for people and for figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinkStats {
    /// What the path carries, headers included, bit/s.
    pub estimate_bps: Option<u64>,
    /// Share of the packets sent that do not arrive, 0..=1, over the last second or so.
    pub loss: f32,
    /// Round trip of the selected path.
    pub rtt: Option<Duration>,
    /// `host`, `srflx`, `prflx` or `relay`.
    pub local_candidate: Option<String>,
    /// `host`, `srflx`, `prflx` or `relay`.
    pub remote_candidate: Option<String>,
    /// The local end is a relay that is reached by TCP or TLS.
    pub relayed_by_stream: bool,
    /// Pictures from the peer.
    pub video_in: StreamStats,
    /// Pictures to the peer.
    pub video_out: StreamStats,
    /// Pictures of the peer's screen.
    pub screen_in: StreamStats,
    /// Pictures of the own screen.
    pub screen_out: StreamStats,
    /// Voice from the peer.
    pub voice_in: StreamStats,
    /// Voice to the peer.
    pub voice_out: StreamStats,
}
