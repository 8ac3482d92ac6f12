//! A child process that does not outlive its handle.

use std::{
    process::{self, Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

/// Between two looks at something that is waited for.
const POLL: Duration = Duration::from_millis(50);

/// A running program, killed when dropped.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: process::Child,
}

impl Child {
    /// Starts a program; `name` is for messages.
    pub fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let process = command.spawn().with_context(|| format!("{name} does not start"))?;
        Ok(Self { name: name.to_owned(), process })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its standard output, once, when it was piped.
    pub fn take_stdout(&mut self) -> anyhow::Result<process::ChildStdout> {
        self.process.stdout.take().with_context(|| format!("{}: output not piped", self.name))
    }

    /// It has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits for its end.
    pub fn wait(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let end = Instant::now() + deadline;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > end {
                bail!("{} has not ended in {deadline:?}", self.name);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Asks it to end (SIGTERM; on Windows it is killed).
    pub fn terminate(&mut self) -> anyhow::Result<()> {
        if cfg!(unix) {
            let id = self.process.id().to_string();
            Command::new("kill").args(["-TERM", &id]).status()?;
        } else {
            self.process.kill()?;
        }
        Ok(())
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Looks again and again until `look` finds something; `what` is for the message when it never does.
pub fn wait_until<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("waited {deadline:?} for {what}");
        }
        std::thread::sleep(POLL);
    }
}
