//! The signalling server: a pure hub and its WebSocket and HTTP shell.
//!
//! [`Hub`] has all the rules and no I/O; [`Server`] carries messages between it and sockets, and
//! serves the page that guests use. Messages, limits and the life of a connection: `docs/protocol.md`.

#[cfg(feature = "redis")]
mod backbone;
#[cfg(feature = "shell")]
mod client_address;
mod cluster;
#[cfg(feature = "shell")]
mod http;
mod hub;
#[cfg(feature = "shell")]
mod limits;
#[cfg(feature = "shell")]
mod metrics;
#[cfg(feature = "shell")]
mod outbox;
#[cfg(feature = "shell")]
mod page;
#[cfg(feature = "shell")]
mod places;
#[cfg(feature = "shell")]
pub mod relay;
#[cfg(feature = "shell")]
mod server;
#[cfg(feature = "shell")]
mod socket;
#[cfg(feature = "shell")]
mod source_limiter;
#[cfg(feature = "shell")]
mod tls;
#[cfg(feature = "shell")]
mod token_bucket;
mod turn_credentials;

#[cfg(feature = "redis")]
pub use backbone::{ClusterConfig, InvalidRedisUrl, RedisUrl};
pub use cluster::{Cluster, Command, Envelope, LEASE, News, Node, NodeId};
pub use hub::{
    Census, ConnId, Hub, HubConfig, Input, MAX_CONNECTIONS, MAX_ROOMS, Output, ROOM_LIFE,
};
#[cfg(feature = "shell")]
pub use limits::Limits;
#[cfg(feature = "shell")]
pub use relay::sockets::RelayOptions;
#[cfg(feature = "shell")]
pub use server::{Server, ServerConfig, StartError};
#[cfg(feature = "shell")]
pub use tls::{TlsError, TlsFiles};
pub use turn_credentials::{TURN_TTL, TurnCredentials};
