//! Which devices there are, and whether that changes.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use quartet_media::Stop;

use crate::{camera, sound, worker};

/// How often [`watch`] looks. No library used here tells of changes on every platform; two
/// seconds feel immediate to somebody who has just plugged in a headset.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long a library may take to list its devices. A sound server answers in milliseconds, cpal
/// itself waits 2 s for one to shake hands, and Media Foundation takes a second when cold.
const PATIENCE: Duration = Duration::from_secs(3);

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    /// Names it in later runs too, for [`crate::parse_video`] and its like.
    pub id: String,
    /// What a person calls it.
    pub label: String,
    /// It is what the system uses when nobody chooses.
    pub default: bool,
}

/// What can be chosen, each list in a stable order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceList {
    /// Give pictures.
    pub cameras: Vec<Device>,
    /// Give sound; what the speakers play is not offered.
    pub microphones: Vec<Device>,
    /// Take sound.
    pub speakers: Vec<Device>,
}

/// The devices of this machine, now. Takes 3 s at most; what cannot be listed is empty.
#[must_use]
pub fn list() -> DeviceList {
    // While a library hangs, do not send one thread after another into it.
    static CAMERAS_ASKED: AtomicBool = AtomicBool::new(false);
    static SOUND_ASKED: AtomicBool = AtomicBool::new(false);
    let begun = std::time::Instant::now();
    // The two do not depend on one another, but both answer in milliseconds.
    let cameras = ask_once("list-cameras", &CAMERAS_ASKED, PATIENCE, camera::list);
    let left = PATIENCE.saturating_sub(begun.elapsed());
    let (microphones, speakers) = ask_once("list-sound", &SOUND_ASKED, left, sound::list);
    DeviceList { cameras, microphones, speakers }
}

fn ask_once<T: Default + Send + 'static>(
    name: &'static str,
    asked: &'static AtomicBool,
    patience: Duration,
    question: fn() -> T,
) -> T {
    if asked.swap(true, Ordering::AcqRel) {
        tracing::debug!(name, "asked already, no answer yet");
        return T::default();
    }
    let answer = worker::ask(name, patience, move || {
        /// Also when the question panics.
        struct Answered(&'static AtomicBool);
        impl Drop for Answered {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        let _answered = Answered(asked);
        question()
    });
    answer.unwrap_or_else(|| {
        tracing::warn!(name, "no answer from the system");
        T::default()
    })
}

/// Looks for changes until it is dropped or stopped.
pub struct Watch {
    stop: Stop,
    thread: Option<thread::JoinHandle<()>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    /// No more calls after this; waits for a look that is under way (3 s at most).
    pub fn stop(self) {}
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watcher of devices panicked");
        }
    }
}

/// Calls `changed` with the devices at once, and again whenever they have changed, from one thread.
///
/// # Errors
/// The system has no more threads.
pub fn watch(changed: impl FnMut(&DeviceList) + Send + 'static) -> std::io::Result<Watch> {
    watch_with(list, INTERVAL, changed)
}

fn watch_with(
    mut look: impl FnMut() -> DeviceList + Send + 'static,
    interval: Duration,
    mut changed: impl FnMut(&DeviceList) + Send + 'static,
) -> std::io::Result<Watch> {
    let stop = Stop::default();
    let thread = thread::Builder::new().name("device-watch".to_owned()).spawn({
        let stop = stop.clone();
        move || {
            let mut known = None;
            loop {
                let now = look();
                if stop.is_stopped() {
                    return;
                }
                if known.as_ref() != Some(&now) {
                    changed(&now);
                    known = Some(now);
                }
                if stop.wait(interval) {
                    return;
                }
            }
        }
    })?;
    Ok(Watch { stop, thread: Some(thread) })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_watch_tells_each_change_once_and_ends() {
        let plugged = |label: &str| DeviceList {
            cameras: vec![Device { id: "x".into(), label: label.into(), default: true }],
            ..DeviceList::default()
        };
        let mut looks = [plugged("a"), plugged("a"), plugged("b"), plugged("b")].into_iter().fuse();
        let (tell, told) = mpsc::channel();
        let watch = watch_with(
            move || looks.next().unwrap_or_default(),
            Duration::from_millis(1),
            move |list| tell.send(list.cameras.first().map(|c| c.label.clone())).unwrap(),
        )
        .unwrap();
        let patience = Duration::from_secs(60);
        assert_eq!(told.recv_timeout(patience).unwrap().as_deref(), Some("a"));
        assert_eq!(told.recv_timeout(patience).unwrap().as_deref(), Some("b"));
        assert_eq!(told.recv_timeout(patience).unwrap().as_deref(), None);
        watch.stop();
        assert!(told.recv().is_err(), "the thread is gone, and nothing else was told");
    }
}
