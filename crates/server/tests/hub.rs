//! The hub under virtual time: each rule by itself, and all of them at random.

#[path = "hub/interleavings.rs"]
mod interleavings;
#[path = "hub/rules.rs"]
mod rules;
