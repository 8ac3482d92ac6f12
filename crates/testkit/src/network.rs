//! Bad networks, for the laboratory's real packets and for tests under virtual time alike.
//!
//! [`Path`] is one direction of a link and knows nothing of sockets or clocks; [`Scenario`] says how
//! everybody's paths are and become.

mod path;
mod scenario;

pub use path::{Bursts, Path, PathConfig, PathCounts};
pub use scenario::{
    AddressKind, Clip, Direction, Goals, PathGoal, Person, Scenario, ScenarioError, Servers, Step,
    Unchanged,
};
