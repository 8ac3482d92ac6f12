//! The signalling server: a pure hub and its WebSocket and HTTP shell.
//!
//! [`Hub`] has all the rules and no I/O; [`Server`] carries messages between it and sockets, and
//! serves the page that guests use. Messages, limits and the life of a connection: `docs/protocol.md`.

#[cfg(feature = "redis")]
mod backbone;
mod client_address;
mod cluster;
mod http;
mod hub;
mod limits;
mod metrics;
mod outbox;
mod page;
mod places;
pub mod relay;
mod server;
mod socket;
mod source_limiter;
mod tls;
mod token_bucket;
mod turn_credentials;

#[cfg(feature = "redis")]
pub use backbone::{ClusterConfig, InvalidRedisUrl, RedisUrl};
pub use cluster::{Cluster, Command, Envelope, LEASE, News, Node, NodeId};
pub use hub::{Census, ConnId, Hub, HubConfig, Input, MAX_CONNECTIONS, MAX_ROOMS, Output};
pub use limits::Limits;
pub use relay::sockets::RelayOptions;
pub use server::{Server, ServerConfig, StartError};
pub use tls::{TlsError, TlsFiles};
pub use turn_credentials::{TURN_TTL, TurnCredentials};
