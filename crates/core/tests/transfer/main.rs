//! Transfers between simulated people, in virtual time.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

mod faults;
mod hostile;
mod rules;
mod world;
