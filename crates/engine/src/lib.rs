//! The running call: one actor that owns everything, and a cheap handle to it.
//!
//! Commands go in through [`Engine`], events come out through [`EventReceiver`]; pictures go past
//! both, to whoever watches a tile. The actor never awaits a send: what it cannot deliver, it drops
//! by the policy that each channel states.

mod command;
mod event;

pub use command::{Command, JoinRequest, Selected, TileId, TileSink};
pub use event::{
    AudioInStats, AudioOutStats, Connection, EncodeStats, EndReason, Event, FailureCode, PeerStats,
    PeerView, SourceKind, Stats, VideoInStats, VideoOutStats,
};
