//! Headless Chromium as the other participant of every comparison: plain pages in a mesh.
//!
//! A page is a file of its own, since a file may use the camera without further words. It talks to
//! a relay of the lab, which introduces the pages to each other and writes down what they report.
//! Picture and voice go from page to page.

mod browser;
mod call;
mod guest;
mod log;
mod page;
mod relay;

pub use browser::{Browser, PROGRAM, is_there};
pub use call::{ChromiumCall, Tiles};
pub use guest::Guest;
pub use log::{CallLog, PageLog, PeerLog};
pub use page::QuartetCall;
pub use relay::Relay;
