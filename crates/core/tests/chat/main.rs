//! The chat in virtual time: rooms of people whose connections break and who come and go.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

mod faults;
mod hostile;
mod room;
mod rules;
