//! A screen that nobody sees: Xvfb on a display number of its own choice.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::Context as _;

use crate::Child;

/// A virtual X11 screen.
#[derive(Debug)]
pub struct Display {
    name: String,
    _server: Child,
}

impl Display {
    /// Starts Xvfb with one screen of this size.
    pub fn start(width: u32, height: u32) -> anyhow::Result<Self> {
        let screen = format!("{width}x{height}x24");
        let mut command = Command::new("Xvfb");
        // The number comes on standard output: a fixed one could be somebody else's.
        command
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", &screen])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = Child::start("Xvfb", &mut command)?;
        let mut number = String::new();
        BufReader::new(server.take_stdout()?).read_line(&mut number)?;
        let number: u32 = number.trim().parse().context("Xvfb named no display")?;
        Ok(Self { name: format!(":{number}"), _server: server })
    }

    /// For the variable `DISPLAY`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
