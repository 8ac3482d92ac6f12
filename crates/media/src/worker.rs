//! A thread of its own for one piece of work, which ends when it is told to.

use std::{thread::JoinHandle, time::Duration};

use crate::{DeviceError, Stop};

/// How long [`Worker::stop`] waits: devices hang in drivers, and leaving a call must not.
const DEADLINE: Duration = Duration::from_secs(2);

/// A thread that is told to end, and waited for, when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    name: &'static str,
    stop: Stop,
    done: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Runs `work` until it returns; it should soon after the [`Stop`] that it is given says so.
    /// When there can be no thread, `work` is dropped.
    pub(crate) fn start(name: &'static str, work: impl FnOnce(&Stop) + Send + 'static) -> Self {
        let (stop, done) = (Stop::default(), Stop::default());
        let (told, ended) = (stop.clone(), OnDrop(done.clone()));
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            let _ended = ended;
            work(&told);
        });
        if let Err(error) = &thread {
            tracing::error!(name, %error, "no thread");
        }
        Self { name, stop, done, thread: thread.ok() }
    }

    /// Ends the work and waits for it, for 2 s at most.
    pub(crate) fn stop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.stop.stop();
        if thread.thread().id() == std::thread::current().id() {
            // Dropped by its own work, which ends by itself.
            return;
        }
        let since = std::time::Instant::now();
        while !self.done.is_stopped() {
            let Some(left) = DEADLINE.checked_sub(since.elapsed()) else {
                tracing::error!(name = self.name, "the thread hangs and is left behind");
                return;
            };
            self.done.wait(left);
        }
        if thread.join().is_err() {
            tracing::error!(name = self.name, "the thread panicked");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

struct OnDrop(Stop);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Told once how a device ended.
pub type Ended = Box<dyn FnOnce(Result<(), DeviceError>) + Send>;

/// Calls an [`Ended`] exactly once, also when the thread could not start or has panicked.
pub(crate) struct EndedOnce {
    device: String,
    ended: Option<Ended>,
}

impl EndedOnce {
    pub(crate) fn new(device: String, ended: Ended) -> Self {
        Self { device, ended: Some(ended) }
    }

    pub(crate) fn call(&mut self, result: Result<(), DeviceError>) {
        if let Some(ended) = self.ended.take() {
            ended(result);
        }
    }
}

impl Drop for EndedOnce {
    fn drop(&mut self) {
        let device = std::mem::take(&mut self.device);
        self.call(Err(DeviceError::Failed { device, reason: "its thread broke".into() }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn ended_is_called_when_the_thread_panics() {
        let (sender, receiver) = mpsc::channel();
        let once = EndedOnce::new("x".into(), Box::new(move |result| drop(sender.send(result))));
        let mut worker = Worker::start("test", move |_| {
            let _once = once;
            panic!("on purpose");
        });
        assert!(receiver.recv().unwrap().is_err());
        worker.stop();
    }
}
