//! Looks once a second at what programs have taken.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

use super::{cpu_seconds, machine_busy_seconds};
use crate::figures::{Window, growth};

/// Between two looks; each reads a file of every process of the machine.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A running watch, ended when dropped.
#[derive(Debug)]
pub struct UsageWatch {
    usage: Arc<Mutex<Usage>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// CPU seconds taken so far, at each look (Unix seconds).
#[derive(Debug, Clone, Default)]
pub struct Usage {
    families: HashMap<u32, Vec<(f64, f64)>>,
    machine: Vec<(f64, f64)>,
}

impl UsageWatch {
    /// Watches the families of these processes.
    pub fn start(roots: Vec<u32>) -> std::io::Result<Self> {
        let usage = Arc::<Mutex<Usage>>::default();
        let (stop, stopped) = mpsc::channel();
        let shared = Arc::clone(&usage);
        let thread = std::thread::Builder::new().name("usage".to_owned()).spawn(move || {
            loop {
                shared.lock().look(&roots);
                if stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { usage, stop: Some(stop), thread: Some(thread) })
    }

    /// All looks so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage.lock().clone()
    }
}

impl Drop for UsageWatch {
    fn drop(&mut self) {
        self.stop = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the watch panicked");
        }
    }
}

impl Usage {
    fn look(&mut self, roots: &[u32]) {
        for root in roots {
            let taken = cpu_seconds(*root);
            self.families.entry(*root).or_default().push((unix_now(), taken));
        }
        self.machine.push((unix_now(), machine_busy_seconds()));
    }

    /// What a family took, in cores.
    #[must_use]
    pub fn cores(&self, root: u32, window: Window) -> f64 {
        let looks = self.families.get(&root).map(Vec::as_slice).unwrap_or_default();
        growth(looks, window) / window.seconds()
    }

    /// What everything else on the machine took, in cores; the lab itself is a part of it.
    #[must_use]
    pub fn others_cores(&self, window: Window) -> f64 {
        let families: f64 = self.families.keys().map(|root| self.cores(*root, window)).sum();
        (growth(&self.machine, window) / window.seconds() - families).max(0.0)
    }
}

fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
