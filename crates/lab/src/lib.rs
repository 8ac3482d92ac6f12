//! The laboratory: real participants, each on a link of its own that is as bad as a scenario says.

pub mod chromium;
pub mod clip;
pub mod figures;
pub mod process_tree;
