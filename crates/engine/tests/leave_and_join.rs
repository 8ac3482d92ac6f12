//! Leaving and joining again and again leaves nothing behind.
//!
//! Alone in this file: it counts the threads and sockets of the whole process.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]
#![cfg(target_os = "linux")]

#[path = "support/people.rs"]
mod people;

use std::{fs, time::Duration};

use people::{Person, server};
use quartet_engine::{Command, Connection, EndReason, Event};

const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_rounds_leave_no_thread_no_socket_no_task_and_no_memory_behind() {
    let (_server, link) = server();
    let mut host = Person::with_tone("Host", 500.0);
    host.join(&link);
    host.hear("joined", |it| matches!(it, Event::Joined { .. }).then_some(())).await;
    let mut guest = Person::with_tone("Guest", 800.0);

    let mut after = Vec::new();
    for round in 0..ROUNDS {
        guest.join(&link);
        let mut connected = false;
        guest
            .hear("a picture", |it| {
                connected |= matches!(it, Event::PeerConnection(_, Connection::Connected));
                (connected && matches!(it, Event::FirstVideo(_))).then_some(())
            })
            .await;
        guest.engine.send(Command::Leave);
        guest.hear("the end", |it| (it == Event::Ended(EndReason::Left)).then_some(())).await;
        host.hear("that the guest left", |it| matches!(it, Event::PeerLeft(_)).then_some(())).await;
        // The first rounds warm up pools: allocator arenas, threads for blocking work.
        if round >= 4 {
            after.push(settled(after.first().copied()).await);
        }
    }
    let (first, last) = (after[0], after[after.len() - 1]);
    println!("{first:?} … {last:?}");
    assert!(last.threads <= first.threads, "{after:?}");
    assert!(last.files <= first.files, "{after:?}");
    assert!(last.tasks <= first.tasks, "{after:?}");
    // A leaked link a round would add ten times the margin.
    assert!(last.rss_kib < first.rss_kib + 4096, "{after:?}");

    guest.engine.shutdown().await;
    host.engine.shutdown().await;
    // What was said last is still there, and then comes the end.
    while guest.events.recv().await.is_some() {}
}

#[derive(Debug, Clone, Copy)]
struct Footprint {
    threads: u64,
    files: usize,
    tasks: usize,
    rss_kib: u64,
}

/// What is there once closing has come to its end: as little as `before`, or two seconds later.
async fn settled(before: Option<Footprint>) -> Footprint {
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = footprint();
        let as_before = |it: Footprint| {
            now.threads <= it.threads && now.files <= it.files && now.tasks <= it.tasks
        };
        if before.is_some_and(as_before) {
            return now;
        }
    }
    footprint()
}

fn footprint() -> Footprint {
    // What the allocator keeps for later, 8 MB a thread's arena here and there, is no leak.
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "there is no safe name for it")]
    // SAFETY: gives free memory back to the system; takes no pointer, and may run at any time.
    unsafe {
        libc::malloc_trim(0);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    Footprint {
        threads: field("Threads:"),
        files: fs::read_dir("/proc/self/fd").unwrap().count(),
        tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        rss_kib: field("VmRSS:"),
    }
}
