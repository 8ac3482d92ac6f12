//! The same as `sockets`, on three servers that share their rooms: each connection of a test goes to
//! another one. And what only several servers, and Redis, can do wrong.

#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "sockets/calls.rs"]
mod calls;
#[path = "sockets/client.rs"]
mod client;
#[path = "nodes/faults.rs"]
mod faults;
#[path = "sockets/hostile.rs"]
mod hostile;
#[path = "sockets/pages.rs"]
mod pages;
#[path = "sockets/program.rs"]
mod program;
#[path = "nodes/redis.rs"]
mod redis;
#[path = "nodes/secured.rs"]
mod secured;
#[path = "nodes/secured_redis.rs"]
mod secured_redis;
#[cfg(target_os = "linux")]
#[path = "sockets/siege.rs"]
mod siege;
#[path = "nodes/three.rs"]
mod site;
