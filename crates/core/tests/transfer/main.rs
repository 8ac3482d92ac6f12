//! Transfers between simulated people, in virtual time.

mod faults;
mod hostile;
mod rules;
mod world;
