//! A thread inside a system's library, from which it may never come back.
//!
//! `V4L2`'s dequeue has no timeout in nokhwa, a sound server that hangs blocks every call to it,
//! drivers hang on close. Nothing can end such a thread from outside; what can be done is not to
//! wait for it, and to say so.

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use quartet_media::Stop;

/// A thread that is told to end and is not waited for longer than is bearable.
#[derive(Debug)]
pub(crate) struct Worker {
    name: &'static str,
    stop: Stop,
    /// Never carries anything: it closes when the thread ends, in whatever way.
    alive: mpsc::Receiver<()>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts `body`, which ends when its [`Stop`] says so.
    pub(crate) fn spawn(
        name: &'static str,
        body: impl FnOnce(&Stop) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Stop::default();
        let (guard, alive) = mpsc::sync_channel(0);
        let thread = thread::Builder::new().name(name.to_owned()).spawn({
            let stop = stop.clone();
            move || {
                let _guard: mpsc::SyncSender<()> = guard;
                body(&stop);
            }
        })?;
        Ok(Self { name, stop, alive, thread })
    }

    /// Ends the thread and waits, at most for `patience`; a thread that hangs is left behind with
    /// a warning.
    pub(crate) fn close(self, patience: Duration) {
        self.stop.stop();
        if self.alive.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(thread = self.name, ?patience, "hangs in the system, left behind");
        } else if self.thread.join().is_err() {
            tracing::error!(thread = self.name, "panicked");
        }
    }
}

/// Runs `question` on a thread of its own; `None` when it panics or takes longer than `patience`.
pub(crate) fn ask<T: Send + 'static>(
    name: &'static str,
    patience: Duration,
    question: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (send, answer) = mpsc::sync_channel(1);
    let worker = Worker::spawn(name, move |_| {
        // Nobody listens any more when it took too long.
        let _ = send.send(question());
    })
    .inspect_err(|error| tracing::warn!(name, %error, "no thread"))
    .ok()?;
    let answer = answer.recv_timeout(patience).ok();
    // Answered, or dead: the thread is about to end; otherwise there is no point in waiting more.
    worker.close(if answer.is_some() { patience } else { Duration::from_millis(10) });
    answer
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const NEVER: Duration = Duration::from_secs(600);

    #[test]
    fn a_thread_that_hangs_is_left_behind() {
        let (hold, held) = mpsc::channel::<()>();
        let worker = Worker::spawn("hangs", move |_| _ = held.recv()).unwrap();
        let begun = Instant::now();
        worker.close(Duration::from_millis(20));
        assert!(begun.elapsed() < Duration::from_secs(5));
        drop(hold);
    }

    #[test]
    fn a_thread_that_obeys_is_waited_for() {
        let (tell, told) = mpsc::channel();
        let worker = Worker::spawn("obeys", move |stop| {
            stop.wait(NEVER);
            tell.send("closed").unwrap();
        })
        .unwrap();
        worker.close(NEVER);
        assert_eq!(told.try_recv(), Ok("closed"));
    }

    #[test]
    fn questions_are_answered_or_given_up() {
        assert_eq!(ask("fine", NEVER, || 7), Some(7));
        assert_eq!(ask("dies", NEVER, || -> u8 { panic!("as a library might") }), None);
        let (hold, held) = mpsc::channel::<()>();
        assert_eq!(ask("hangs", Duration::from_millis(20), move || held.recv()), None);
        drop(hold);
    }
}
