//! A driver of windows that speaks WebDriver (W3C) over HTTP, and one session with it.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use ureq::Agent;

use crate::{Child, wait_until};

/// The longest that a command to a window may take on a busy machine.
pub(crate) const COMMAND_DEADLINE: Duration = Duration::from_secs(60);
/// What a driver may take to come up.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// What a program may take to end.
const END_DEADLINE: Duration = Duration::from_secs(30);

/// A running driver with one session.
#[derive(Debug)]
pub(crate) struct WebDriver {
    agent: Agent,
    session: String,
    driver: Child,
}

impl WebDriver {
    /// Starts a driver on a free port and asks it for a session; gives what it granted, too.
    pub(crate) fn start(
        mut command: Command,
        capabilities: &Value,
    ) -> anyhow::Result<(Self, Value)> {
        let name = command.get_program().to_string_lossy().into_owned();
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        command
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        let driver = Child::start(&name, &mut command)?;
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(COMMAND_DEADLINE))
            .http_status_as_error(false)
            .build()
            .into();
        let base = format!("http://127.0.0.1:{port}");
        wait_until(&name, START_DEADLINE, || {
            Ok(agent.get(format!("{base}/status")).call().is_ok().then_some(()))
        })?;
        let capabilities = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let mut answer = send(&agent, &format!("{base}/session"), &capabilities)?;
        let id = answer["sessionId"].as_str().context("the driver gave no session")?;
        let session = format!("{base}/session/{id}");
        Ok((Self { agent, session, driver }, answer["capabilities"].take()))
    }

    /// A command of the session (W3C WebDriver, section 6.3).
    pub(crate) fn command(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        send(&self.agent, &format!("{}/{path}", self.session), body)
            .with_context(|| path.to_owned())
    }

    /// What the session has under a name.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.agent.get(format!("{}/{path}", self.session)).call()?;
        let mut answer: Value = answer.into_body().read_json()?;
        Ok(answer["value"].take())
    }

    /// Ends the session, which closes its window, and waits until the program that had it is gone.
    /// The driver answers before that; were it ended then, the program would live on.
    pub(crate) fn end_session(&self) -> anyhow::Result<()> {
        let programs = children_of(self.driver.id());
        self.agent.delete(&self.session).call()?;
        let ended = || Ok((!programs.iter().any(|id| is_running(*id))).then_some(()));
        wait_until("the end of the program", END_DEADLINE, ended)
    }

    /// The driver's process.
    pub(crate) fn process(&mut self) -> &mut Child {
        &mut self.driver
    }
}

/// The processes that a process has started; on other systems than Linux none is known.
fn children_of(id: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    children.flat_map(|line| parse_ids(&line)).collect()
}

fn parse_ids(line: &str) -> Vec<u32> {
    line.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Whether it is there, and more than what nobody has asked about since it ended.
fn is_running(id: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn send(agent: &Agent, url: &str, body: &Value) -> anyhow::Result<Value> {
    let mut answer: Value = agent.post(url).send_json(body)?.into_body().read_json()?;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => bail!("{error}: {}", value["message"]),
        None => Ok(value),
    }
}
