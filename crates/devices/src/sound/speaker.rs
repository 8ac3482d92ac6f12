//! A speaker or headset.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::Thread,
};

use parking_lot::Mutex;
use quartet_core::SAMPLES_PER_10_MS;
use quartet_media::{AudioOutput, DeviceError, Stop};
use rtrb::{Producer, RingBuffer};

use super::{
    Direction,
    resample::ToDevice,
    sample,
    stream::{self, Callback, Counters},
};

/// A speaker of this machine.
#[derive(Debug)]
pub struct SpeakerDevice {
    id: Option<String>,
    /// Known once it was opened.
    label: Mutex<Option<String>>,
}

impl SpeakerDevice {
    /// The speaker with this id, or whichever is the system's default at any time. Opens nothing
    /// yet.
    #[must_use]
    pub fn new(id: Option<&str>) -> Self {
        Self { id: id.map(str::to_owned), label: Mutex::default() }
    }
}

impl AudioOutput for SpeakerDevice {
    fn label(&self) -> String {
        let found = self.label.lock().clone();
        found.or_else(|| self.id.clone()).unwrap_or_else(|| "the speaker".to_owned())
    }

    fn run(
        &self,
        fill: &mut dyn FnMut(&mut quartet_media::PcmFrame),
        stop: &Stop,
    ) -> Result<(), DeviceError> {
        let sink = std::cell::RefCell::new(None);
        let mut frame = [0.0; SAMPLES_PER_10_MS];
        let open = |opened: stream::Opened<Producer<f32>>| {
            let to = ToDevice::new(opened.end, opened.rate);
            *self.label.lock() = Some(opened.label.clone());
            let to = to.ok_or_else(|| DeviceError::Failed {
                device: opened.label,
                reason: format!("{} Hz cannot be used", opened.rate),
            })?;
            *sink.borrow_mut() = Some((to, opened.rate));
            Ok(())
        };
        let work = |counters: &Counters| {
            if let Some((to, rate)) = sink.borrow_mut().as_mut() {
                let wanted = reserve(*rate, counters.largest.load(Ordering::Relaxed));
                while !stop.is_stopped() && to.filled() < wanted {
                    fill(&mut frame);
                    to.push(&frame);
                }
            }
        };
        stream::run(Direction::Output, self.id.as_deref(), stop, callback, open, work)
    }
}

/// How many samples should wait for the device: 20 ms, as a thread that decodes may come 10 ms
/// late, but one whole piece and 10 ms where the device takes large ones; 250 ms at most.
fn reserve(rate: u32, largest: usize) -> usize {
    let rate = rate as usize;
    (rate / 50).max(largest + rate / 100).min(rate / 4)
}

/// Moves sound out of a ring of 300 ms, of which [`reserve`] is used.
fn callback(
    rate: u32,
    channels: usize,
    counters: &Arc<Counters>,
    runner: Thread,
) -> (Callback, Producer<f32>) {
    let (end, mut ring) = RingBuffer::new(rate as usize * 3 / 10);
    let counters = Arc::clone(counters);
    let mut begun = false;
    let give = move |data: &mut cpal::Data| {
        let wanted = data.len() / channels;
        let missing = sample::give(data, channels, &mut ring);
        begun |= missing < wanted;
        counters.callbacks.fetch_add(1, Ordering::Relaxed);
        counters.largest.fetch_max(wanted, Ordering::Relaxed);
        if begun {
            counters.lost.fetch_add(missing as u64, Ordering::Relaxed);
        }
        runner.unpark();
    };
    (Callback::Output(Box::new(give)), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_small_and_follows_the_device() {
        assert_eq!(reserve(48_000, 0), 960);
        assert_eq!(reserve(48_000, 480), 960);
        assert_eq!(reserve(48_000, 2_048), 2_528);
        assert_eq!(reserve(48_000, 96_000), 12_000);
    }
}
