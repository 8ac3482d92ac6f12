//! A link that is closed leaves no task, socket or thread. Alone in its process: it counts them.

// clippy.toml allows it in the tests themselves, not in what helps them.
#![allow(clippy::unwrap_used)]

#[path = "support/pair.rs"]
mod pair;

use std::{fs, time::Duration};

use pair::Pair;
use tokio::{runtime::Handle, time::Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
struct Left {
    tasks: usize,
    sockets: usize,
    threads: usize,
}

impl Left {
    fn now() -> Self {
        let entries = |path| fs::read_dir(path).unwrap().flatten();
        let is_socket = |entry: &fs::DirEntry| {
            fs::read_link(entry.path())
                .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        };
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            sockets: entries("/proc/self/fd").filter(is_socket).count(),
            threads: entries("/proc/self/task").count(),
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_calls_leave_nothing() {
    // The first one starts what the runtime and the library keep for all.
    let mut first = Pair::connected().await;
    first.exchange().await;
    first.close().await;
    settled(None).await;
    let before = Left::now();
    for round in 0..20 {
        let mut pair = Pair::connected().await;
        if round % 2 == 0 {
            pair.exchange().await;
        }
        pair.close().await;
    }
    // And some that are dropped, or closed before they are connected.
    for _ in 0..5 {
        drop(Pair::start(pair::loopback(), pair::loopback()).await);
        drop(Pair::connected().await);
        Pair::start(pair::loopback(), pair::loopback()).await.close().await;
    }
    settled(Some(before)).await;
}

/// Waits until what is left is no more than `before`, or, without that, no task of a link.
async fn settled(before: Option<Left>) {
    let start = Instant::now();
    loop {
        let left = Left::now();
        let done = match before {
            Some(before) => {
                left.tasks <= before.tasks
                    && left.sockets <= before.sockets
                    && left.threads <= before.threads
            }
            None => left.tasks == 0,
        };
        if done {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{left:?} is left, before: {before:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
