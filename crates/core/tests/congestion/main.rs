//! The congestion control alone, under virtual time.

mod goals;
mod hostile;
mod scenarios;
mod simulation;
