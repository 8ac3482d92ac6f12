//! Several nodes under virtual time: with a Redis that is slow, lossy, away or emptied, and nodes
//! that die, are cut off, and come again.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "cluster/chaos.rs"]
mod chaos;
#[path = "cluster/rules.rs"]
mod rules;
#[path = "cluster/world.rs"]
mod world;
