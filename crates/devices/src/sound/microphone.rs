//! A microphone.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::Thread,
};

use parking_lot::Mutex;
use quartet_core::SAMPLES_PER_10_MS;
use quartet_media::{AudioInput, DeviceError, PcmSink, Stop};
use rtrb::{Consumer, RingBuffer};

use super::{
    Direction,
    resample::FromDevice,
    sample,
    stream::{self, Callback, Counters},
};

/// A microphone of this machine.
#[derive(Debug)]
pub struct Microphone {
    id: Option<String>,
    /// Known once it was opened.
    label: Mutex<Option<String>>,
}

impl Microphone {
    /// The microphone with this id, or whichever is the system's default at any time. Opens
    /// nothing yet.
    #[must_use]
    pub fn new(id: Option<&str>) -> Self {
        Self { id: id.map(str::to_owned), label: Mutex::default() }
    }
}

impl AudioInput for Microphone {
    fn label(&self) -> String {
        let found = self.label.lock().clone();
        found.or_else(|| self.id.clone()).unwrap_or_else(|| "the microphone".to_owned())
    }

    fn run(&self, out: &mut PcmSink<'_>, stop: &Stop) -> Result<(), DeviceError> {
        let source = std::cell::RefCell::new(None);
        let mut frame = [0.0; SAMPLES_PER_10_MS];
        let open = |opened: stream::Opened<Consumer<f32>>| {
            let from = FromDevice::new(opened.end, opened.rate);
            *self.label.lock() = Some(opened.label.clone());
            let from = from.ok_or_else(|| DeviceError::Failed {
                device: opened.label,
                reason: format!("{} Hz cannot be used", opened.rate),
            })?;
            *source.borrow_mut() = Some(from);
            Ok(())
        };
        let work = |_: &Counters| {
            if let Some(source) = source.borrow_mut().as_mut() {
                while !stop.is_stopped() && source.next(&mut frame) {
                    out(&frame);
                }
            }
        };
        stream::run(Direction::Input, self.id.as_deref(), stop, callback, open, work)
    }
}

/// Moves sound into a ring of 200 ms: so long may whatever takes it be held up.
fn callback(
    rate: u32,
    channels: usize,
    counters: &Arc<Counters>,
    runner: Thread,
) -> (Callback, Consumer<f32>) {
    let (mut ring, end) = RingBuffer::new(rate as usize / 5);
    let capacity = rate as usize / 5;
    let counters = Arc::clone(counters);
    let take = move |data: &cpal::Data| {
        let lost = sample::take(data, channels, &mut ring);
        counters.callbacks.fetch_add(1, Ordering::Relaxed);
        counters.lost.fetch_add(lost as u64, Ordering::Relaxed);
        counters.largest.fetch_max(data.len() / channels, Ordering::Relaxed);
        // Pieces may be half a millisecond long: do not wake for each.
        if capacity - ring.slots() >= rate as usize / 100 {
            runner.unpark();
        }
    };
    (Callback::Input(Box::new(take)), end)
}
