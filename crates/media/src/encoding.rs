//! The two threads of everything that is captured and encoded: one runs the input, which puts its
//! pictures into a slot that holds the newest; the other takes them from there.
//!
//! The second lives inside the first: when the input ends, for whatever reason, both do.

pub(crate) mod clocks;
pub(crate) mod limits;

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{
    DeviceError, Ended, FrameSlot, VideoInput, Vp8Error,
    worker::{EndedOnce, Worker},
};

/// What the two threads are called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    pub(crate) capture: &'static str,
    pub(crate) encoder: &'static str,
}

/// Runs `input`, and beside it, again and again, what `encoder` makes on its own thread: it takes
/// the newest picture, waiting a little for one.
pub(crate) fn start<E>(
    names: Names,
    input: Arc<dyn VideoInput>,
    ended: Ended,
    encoder: impl FnOnce() -> E + Send + 'static,
) -> Worker
where
    E: FnMut(&FrameSlot) -> Result<(), Vp8Error>,
{
    let label = input.label();
    let mut ended = EndedOnce::new(label.clone(), ended);
    Worker::start(names.capture, move |stop| {
        let slot = FrameSlot::default();
        let failure = Arc::new(Mutex::new(None));
        let mut encoding = Worker::start(names.encoder, {
            let (slot, failure, capture) = (slot.clone(), failure.clone(), stop.clone());
            move |stop| {
                let mut take = encoder();
                while !stop.is_stopped() && !capture.is_stopped() {
                    if let Err(error) = take(&slot) {
                        let reason = error.to_string();
                        *failure.lock() = Some(DeviceError::Failed { device: label, reason });
                        return capture.stop();
                    }
                }
            }
        });
        let result = input.run(&slot, stop);
        encoding.stop();
        let failure = failure.lock().take();
        ended.call(failure.map_or(result, Err));
    })
}
