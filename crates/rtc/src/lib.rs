//! The webrtc-rs adapter: a link to one peer. The only crate that names `webrtc` and `rtc`.
//!
//! A [`Link`] owns one peer connection and the tasks around it. It is told what to do through
//! [`LinkAction`]s and says what happens through [`LinkEvent`]s; media goes past those, through
//! [`Link::send_video`], [`Link::send_voice`] and a [`MediaSink`].
//!
//! What of `webrtc` 0.21.1 is worked round here, and where:
//! - its NACK generator never learns what a retransmission (RTX) brought and asks without end, its
//!   responder answers every repetition: `link::receiver` asks, `interceptor::nack_responder`
//!   answers;
//! - its congestion control leaves retransmissions out and takes lost feedback for lost packets, its
//!   pacer delays voices: `interceptor::congestion`, `interceptor::pacer`;
//! - a PLI does not reach the application: `interceptor::key_frame_tap`;
//! - a wildcard address does not fall back to the loopback, and an unresolvable server name stops
//!   the driver of the connection: `peer::addresses`, `peer::servers`;
//! - what passes a TURN relay waits for the next event of the connection: `peer::link_runtime`;
//! - a lost part of the DTLS handshake is missed for a second and more: `peer::handshake`;
//! - an answer may allow more than its offer, and an offer that restarts ICE carries the candidates
//!   of the previous generation: `sdp`;
//! - a remote TCP candidate makes it open a connection to wherever the peer says: `candidate`;
//! - an error's text may hold addresses, SDP or a whole packet: `error` keeps its name only. The
//!   library also logs such texts itself (`log`, targets `webrtc` and `rtc`): keep those targets off.
//!
//! [`LinkAction`]: quartet_core::LinkAction
//! [`LinkEvent`]: quartet_core::LinkEvent

mod arrivals;
mod candidate;
mod certificate;
mod error;
mod interceptor;
mod key_frame_requests;
mod link;
mod peer;
mod sdp;
mod steering;
mod types;

pub use certificate::Certificate;
pub use link::Link;
pub use types::{
    IceConfig, IcePolicy, LinkConfig, LinkError, LinkRole, LinkStats, MediaSink, StreamStats,
};
