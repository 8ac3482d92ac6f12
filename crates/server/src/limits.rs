//! How much a server takes, altogether and from one address.
//!
//! One household, or an office behind one address, must never get near what an address may: the
//! limits are there so that one stranger cannot have it all. What the protocol itself limits stands
//! in [`quartet_proto::limits`].

use std::time::Duration;

use crate::{MAX_CONNECTIONS, MAX_ROOMS, ROOM_LIFE};

/// How much a server takes. The usual is enough for friends and a small company, within 1024 open
/// files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// WebSockets at once; one more is answered with `server_full`.
    pub connections: usize,
    /// Rooms at once; whoever asks for one more is answered with `server_full`.
    pub rooms: usize,
    /// How long a room lasts before those inside have to make it anew.
    pub room_life: Duration,
    /// HTTP connections that are served at once, until they end or become WebSockets; for one more
    /// the oldest is closed.
    pub http_connections: usize,
    /// Of these, from one address; one more is closed at once. A browser opens six.
    pub http_connections_per_address: u32,
    /// WebSockets at once from one address; one more is answered with `address_limited`.
    pub connections_per_address: u32,
    /// `join` from one address in a minute, and as many at once; one more is answered with
    /// `address_limited`. Somebody whose connection is bad joins again about ten times a minute.
    pub joins_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS,
            rooms: MAX_ROOMS,
            room_life: ROOM_LIFE,
            http_connections: 100,
            http_connections_per_address: 50,
            connections_per_address: 128,
            joins_per_minute: 240,
        }
    }
}

/// Refused WebSockets that are told why, at once. Whoever comes while so many linger is turned away
/// without a WebSocket: HTTP 429 for too many of one address, 503 for too many altogether.
pub(crate) const MAX_REFUSED: usize = 64;
/// Addresses whose joins are remembered: some 5 MB. Those that have been quiet are forgotten first;
/// if nobody has been, all that come anew are counted as one.
pub(crate) const MAX_SOURCES: usize = 50_000;
/// The table is searched for the quiet no more often than this.
pub(crate) const PRUNE_INTERVAL: Duration = Duration::from_secs(1);
