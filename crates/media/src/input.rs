//! What gives pictures and sound to a call and takes sound from it: devices and test sources.
//!
//! A device is a description that can be run: `run` is called on an OS thread of its own, opens
//! the device, blocks until `stop` or an error, and closes the device before it returns. It may be
//! called again later. Real-time callbacks inside neither allocate nor lock.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use crate::{I420Frame, PcmFrame};

/// Why a device gives nothing, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// There is no such device, or it was unplugged.
    #[error("{0} is not there (any more)")]
    Missing(String),
    /// A window that was shared was closed by the person.
    #[error("{0} was closed")]
    Closed(String),
    /// Another program has it.
    #[error("{0} is used by another program")]
    Busy(String),
    /// The system, or the person, does not allow it.
    #[error("this app may not use {0}")]
    Denied(String),
    /// A file that is not what it should be.
    #[error("{file} cannot be used: {reason}")]
    File {
        /// The file's name, without its folder.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Anything else the system said.
    #[error("{device} failed: {reason}")]
    Failed {
        /// Which.
        device: String,
        /// The system's own words.
        reason: String,
    },
}

/// Tells a thread to end. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<StopState>);

#[derive(Debug, Default)]
struct StopState {
    stopped: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Stop {
    /// Ends the thread; does not wait for it.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        let _guard = self.0.lock.lock();
        self.0.wake.notify_all();
    }

    /// The thread should end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    /// Sleeps, at most for `time`; true when the thread should end.
    pub fn wait(&self, time: Duration) -> bool {
        let mut guard = self.0.lock.lock();
        if !self.is_stopped() {
            self.0.wake.wait_for(&mut guard, time);
        }
        self.is_stopped()
    }
}

/// Gives pictures.
pub trait VideoInput: Send + Sync + fmt::Debug {
    /// What a person calls it.
    fn label(&self) -> String;

    /// Puts pictures into `out` until `stop`.
    fn run(&self, out: &FrameSlot, stop: &Stop) -> Result<(), DeviceError>;
}

/// Takes the frames that an [`AudioInput`] gives; called every 10 ms, may not block for long.
pub type PcmSink<'a> = dyn FnMut(&PcmFrame) + 'a;

/// Gives sound.
pub trait AudioInput: Send + Sync + fmt::Debug {
    /// What a person calls it.
    fn label(&self) -> String;

    /// Echo, noise and volume should be dealt with, as for a microphone. Test sources say no:
    /// what they give should be heard as it is.
    fn wants_processing(&self) -> bool {
        true
    }

    /// Calls `out` with each 10 ms, until `stop`.
    fn run(&self, out: &mut PcmSink<'_>, stop: &Stop) -> Result<(), DeviceError>;
}

/// Takes sound, and by doing so sets the pace at which voices are decoded.
pub trait AudioOutput: Send + Sync + fmt::Debug {
    /// What a person calls it.
    fn label(&self) -> String;

    /// Calls `fill` for each 10 ms that is to be played, until `stop`. `fill` is not called from
    /// a real-time callback: it decodes and mixes.
    fn run(&self, fill: &mut dyn FnMut(&mut PcmFrame), stop: &Stop) -> Result<(), DeviceError>;
}

/// Holds the newest picture: a slow taker misses pictures, it never delays the giver.
#[derive(Debug, Clone, Default)]
pub struct FrameSlot(Arc<SlotState>);

#[derive(Debug, Default)]
struct SlotState {
    newest: Mutex<Option<I420Frame>>,
    filled: Condvar,
}

impl FrameSlot {
    /// Replaces what nobody has taken yet.
    pub fn put(&self, frame: I420Frame) {
        *self.0.newest.lock() = Some(frame);
        self.0.filled.notify_one();
    }

    /// Takes the newest picture, waiting for one at most for `time`.
    #[must_use]
    pub fn take(&self, time: Duration) -> Option<I420Frame> {
        let mut newest = self.0.newest.lock();
        if newest.is_none() {
            self.0.filled.wait_for(&mut newest, time);
        }
        newest.take()
    }
}
