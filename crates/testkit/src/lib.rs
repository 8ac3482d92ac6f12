//! Virtual time and simulated networks for tests.

#[cfg(target_os = "linux")]
pub mod sound;
pub mod world;
