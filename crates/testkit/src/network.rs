//! Bad networks, for the laboratory's real packets and for tests under virtual time alike.
//!
//! [`Path`] is one direction of a link and knows nothing of sockets or clocks.

mod path;

pub use path::{Bursts, Path, PathConfig, PathCounts};
