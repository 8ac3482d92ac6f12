//! Ctrl-C: whoever waits looks here, so that everything is taken down in order.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Somebody wants this to end.
#[must_use]
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Listens to Ctrl-C and SIGTERM from now on; the second one ends the program at once.
pub fn listen() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if REQUESTED.swap(true, Ordering::Relaxed) {
                    std::process::exit(130); // as a shell reports Ctrl-C
                }
                eprintln!("\nquartet-lab: taking everything down");
            }
        });
    })?;
    Ok(())
}

/// Sleeps until then.
///
/// # Errors
///
/// At Ctrl-C.
pub fn sleep_until(moment: Instant) -> anyhow::Result<()> {
    loop {
        check()?;
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK_EVERY));
    }
}

/// Fails after Ctrl-C.
pub fn check() -> anyhow::Result<()> {
    if requested() {
        bail!("ended by a signal");
    }
    Ok(())
}
