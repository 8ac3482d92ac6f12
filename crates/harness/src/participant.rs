//! A headless participant as a process, and what it says.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::bail;
use serde_json::Value;

use crate::{Child, Programs};

/// How `quartet-cli join` is called.
#[derive(Debug, Clone)]
pub struct ParticipantOptions {
    /// `--name`.
    pub name: String,
    /// `--video`.
    pub video: String,
    /// `--audio`.
    pub audio: String,
    /// `--for`, in seconds.
    pub seconds: u32,
    /// `--record`.
    pub record: Option<PathBuf>,
    /// Anything else.
    pub extra: Vec<String>,
}

impl ParticipantOptions {
    /// With a test picture and a tone, on loopback only; shows the others as among four.
    #[must_use]
    pub fn with_tone(name: &str, hz: u32, seconds: u32) -> Self {
        Self {
            name: name.to_owned(),
            video: "pattern".to_owned(),
            audio: format!("tone:{hz}"),
            seconds,
            record: None,
            extra: ["--bind", "127.0.0.1", "--view", "360"].map(str::to_owned).into(),
        }
    }
}

/// A running `quartet-cli join`.
#[derive(Debug)]
pub struct Participant {
    child: Child,
    heard: Arc<Heard>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Heard {
    events: Mutex<Vec<Value>>,
    more: Condvar,
}

impl Participant {
    /// Starts it and listens to it.
    pub fn join(
        programs: &Programs,
        link: &str,
        options: &ParticipantOptions,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(programs.path("quartet-cli")?);
        command
            .args(["join", link, "--name", &options.name])
            .args(["--video", &options.video, "--audio", &options.audio])
            .args(["--for", &options.seconds.to_string(), "--stats-every", "1"])
            .args(&options.extra);
        if let Some(folder) = &options.record {
            command.arg("--record").arg(folder);
        }
        Self::from_command(&options.name, &mut command)
    }

    /// Starts a `quartet-cli join` that somebody else put together; `name` is for messages.
    pub fn from_command(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let command = command.stdout(Stdio::piped());
        let mut child = Child::start(&format!("participant {name}"), command)?;
        let heard = Arc::new(Heard::default());
        let lines = BufReader::new(child.take_stdout()?).lines();
        let listener = Arc::clone(&heard);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    lock(&listener.events).push(event);
                    listener.more.notify_all();
                }
            }
        });
        Ok(Self { child, heard, reader: Some(reader) })
    }

    /// All that it has said so far.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        lock(&self.heard.events).clone()
    }

    /// All events of one kind so far.
    #[must_use]
    pub fn events_named(&self, name: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event["event"] == name);
        events
    }

    /// Waits until it has said `count` events of one kind; gives them.
    pub fn wait_for(
        &self,
        name: &str,
        count: usize,
        deadline: Duration,
    ) -> anyhow::Result<Vec<Value>> {
        let end = Instant::now() + deadline;
        let mut events = lock(&self.heard.events);
        loop {
            let found: Vec<Value> =
                events.iter().filter(|event| event["event"] == name).cloned().collect();
            if found.len() >= count {
                return Ok(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("waited {deadline:?} for {count} × {name}; heard {}", kinds(&events));
            }
            events = self
                .heard
                .more
                .wait_timeout(events, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits for its end, and for its last word.
    pub fn wait(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let status = self.child.wait(deadline)?;
        if let Some(reader) = self.reader.take() {
            reader.join().map_err(|_| anyhow::anyhow!("the listener panicked"))?;
        }
        Ok(status)
    }

    /// The process, to end it.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

fn kinds(events: &[Value]) -> String {
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    kinds.join(", ")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
