//! Drives the built programs as a person would: displays, app windows, browsers, headless
//! participants.
//!
//! For whole-product tests, the demo and the benchmark. It knows the programs from outside only:
//! command lines, JSON lines, the page's `data-testid` hooks. Everything that it starts, it ends.

mod app_window;
mod bidi;
mod browser;
mod child;
mod display;
mod guest;
pub mod key;
mod participant;
mod programs;
mod server;
mod test_id;
#[cfg(target_os = "linux")]
mod text_window;
pub mod tone;
mod webdriver;

pub use app_window::{AppWindow, AppWindowOptions};
pub use browser::{Browser, BrowserKind, BrowserOptions, CHROMIUM, CHROMIUM_FLAGS};
pub use child::{Child, wait_until};
pub use display::Display;
pub use guest::{Guest, details_of};
pub use participant::{Participant, ParticipantOptions};
pub use programs::Programs;
pub use server::SignallingServer;
#[cfg(target_os = "linux")]
pub use text_window::{Page, TextWindow};
