//! The laboratory: real participants, each on a link of its own that is as bad as a scenario says.
//!
//! Everybody has a network namespace with one interface. What it sends comes to this process, whose
//! router translates, delays, loses and limits it and gives it to the one it is for. The programs
//! under test run as everybody has them; nothing of it is in them. Linux only, as root: it needs
//! no kernel module but that of TUN devices.
//!
//! A run: [`network::Network`] is built from a [`Scenario`](quartet_testkit::network::Scenario),
//! a [`run::Call`] of our participants ([`quartet`]) or of Chromium's ([`chromium`]) is started in
//! it, the scenario's steps are done at their times, and [`report::Report`] says what came of it.

#![cfg(target_os = "linux")]

pub mod chromium;
pub mod clip;
pub mod compare;
pub mod figures;
pub mod goals;
pub mod kernel;
pub mod namespace;
pub mod nat;
pub mod network;
pub mod packet;
pub mod process_tree;
pub mod quartet;
pub mod relay;
pub mod report;
pub mod router;
pub mod run;
pub mod scenarios;
pub mod stop;
