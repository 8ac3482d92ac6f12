//! The relay: its rules under virtual time, what strangers do to it, and its sockets.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "relay/asker.rs"]
mod asker;
#[path = "sockets/client.rs"]
#[allow(dead_code, reason = "these tests say less to the server than others")]
mod client;
#[path = "relay/hostile.rs"]
mod hostile;
#[cfg(unix)]
#[path = "sockets/program.rs"]
mod program;
#[path = "relay/rules.rs"]
mod rules;
#[path = "relay/sockets.rs"]
mod sockets;
