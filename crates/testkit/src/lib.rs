//! For tests: virtual time and simulated networks; real sound and relay servers.

pub mod network;
#[cfg(target_os = "linux")]
pub mod sound;
pub mod stun_counter;
#[cfg(unix)]
pub mod turn;
pub mod world;
