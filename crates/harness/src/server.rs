//! A signalling server as a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::Context as _;
use serde_json::Value;

use crate::{Child, Programs};

/// A running `quartet-server`.
#[derive(Debug)]
pub struct SignallingServer {
    url: String,
    child: Child,
}

impl SignallingServer {
    /// Starts it on loopback; port 0 is any free one.
    pub fn start(programs: &Programs, port: u16) -> anyhow::Result<Self> {
        let mut command = Command::new(programs.path("quartet-server")?);
        Self::from_command(command.args(["--listen", &format!("127.0.0.1:{port}")]))
    }

    /// Starts it as a command that somebody else put together.
    pub fn from_command(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = Child::start("quartet-server", command.stdout(Stdio::piped()))?;
        let mut line = String::new();
        BufReader::new(child.take_stdout()?).read_line(&mut line)?;
        let event: Value = serde_json::from_str(&line).context("the server's first line")?;
        let url = event["url"].as_str().context("no url in the server's first line")?.to_owned();
        Ok(Self { url, child })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process, to end it.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// A link to a new room on it.
    pub fn new_link(&self, programs: &Programs) -> anyhow::Result<String> {
        let output = Command::new(programs.path("quartet-cli")?)
            .args(["new", "--server", &self.url])
            .output()?;
        anyhow::ensure!(output.status.success(), "quartet-cli new failed");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}
