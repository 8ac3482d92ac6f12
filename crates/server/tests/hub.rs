//! The hub under virtual time: each rule by itself, and all of them at random.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "hub/bench.rs"]
mod bench;
#[path = "hub/credentials.rs"]
mod credentials;
#[path = "hub/interleavings.rs"]
mod interleavings;
#[path = "hub/knocking.rs"]
mod knocking;
#[path = "hub/lasting.rs"]
mod lasting;
#[path = "hub/rules.rs"]
mod rules;
