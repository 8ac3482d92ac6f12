//! The signalling server: a pure hub and its WebSocket and HTTP shell.
//!
//! [`Hub`] has all the rules and no I/O; [`Server`] carries messages between it and sockets, and
//! serves the page that guests use. Messages, limits and the life of a connection: `docs/protocol.md`.

#[cfg(feature = "redis")]
mod backbone;
mod cluster;
mod http;
mod hub;
mod outbox;
mod page;
mod server;
mod socket;
mod token_bucket;
mod turn_credentials;

#[cfg(feature = "redis")]
pub use backbone::{ClusterConfig, InvalidRedisUrl, RedisUrl};
pub use cluster::{Cluster, Command, Envelope, LEASE, News, Node, NodeId};
pub use hub::{ConnId, Hub, HubConfig, Input, MAX_CONNECTIONS, MAX_ROOMS, Output};
pub use server::{Server, ServerConfig, StartError};
pub use turn_credentials::{TURN_TTL, TurnCredentials};
