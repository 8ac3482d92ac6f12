//! Virtual time and simulated networks for tests.
