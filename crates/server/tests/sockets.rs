//! The server on real sockets: what is hostile, broken, slow or gone, and the others unharmed.

#![cfg(feature = "shell")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "sockets/binary.rs"]
mod binary;
#[path = "sockets/calls.rs"]
mod calls;
#[path = "sockets/client.rs"]
mod client;
#[path = "sockets/hostile.rs"]
mod hostile;
#[path = "sockets/pages.rs"]
mod pages;
#[path = "sockets/production.rs"]
mod production;
#[path = "sockets/program.rs"]
mod program;
#[path = "sockets/requests.rs"]
mod requests;
#[cfg(target_os = "linux")]
#[path = "sockets/siege.rs"]
mod siege;
#[path = "sockets/alone.rs"]
mod site;
