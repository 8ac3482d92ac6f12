//! Links to each other, over real sockets of this machine.

// clippy.toml allows it in the tests themselves, not in what helps them.
#![allow(clippy::unwrap_used)]

#[path = "../support/pair.rs"]
mod pair;

mod certificates;
mod chat;
mod connecting;
mod conversation;
mod estimate;
mod files;
mod hostile;
mod key_frames;
mod loss;
mod relay;
mod restart;
mod screen;
mod stalled;
