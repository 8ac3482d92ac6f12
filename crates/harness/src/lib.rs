//! Drives the built programs as a person would: displays, app windows, headless participants.
//!
//! For whole-product tests, the demo and the benchmark. It knows the programs from outside only:
//! command lines, JSON lines, the page's `data-testid` hooks. Everything that it starts, it ends.

mod app_window;
mod child;
mod display;
pub mod key;
mod participant;
mod programs;
mod server;

pub use app_window::{AppWindow, AppWindowOptions};
pub use child::{Child, wait_until};
pub use display::Display;
pub use participant::{Participant, ParticipantOptions};
pub use programs::Programs;
pub use server::SignallingServer;
