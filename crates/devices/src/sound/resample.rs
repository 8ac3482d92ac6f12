//! Between a device's rate and 48 kHz.

use quartet_core::SAMPLES_PER_10_MS;
use quartet_media::PcmFrame;
use rtrb::{Consumer, Producer};
use rubato::{Fft, FixedSync, Resampler, audioadapter_buffers::direct::InterleavedSlice};

/// Samples a second of a [`PcmFrame`].
const OUR_RATE: u32 = 48_000;

/// Takes samples at a device's rate out of a ring, as 10 ms at 48 kHz.
pub(super) struct FromDevice {
    ring: Consumer<f32>,
    resampler: Option<Fft<f32>>,
    piece: Vec<f32>,
}

impl FromDevice {
    /// `None` for a rate that cannot be converted.
    pub(super) fn new(ring: Consumer<f32>, rate: u32) -> Option<Self> {
        let resampler = resampler(rate, OUR_RATE, FixedSync::Output)?;
        let most = resampler.as_ref().map_or(SAMPLES_PER_10_MS, Resampler::input_frames_max);
        Some(Self { ring, resampler, piece: vec![0.0; most] })
    }

    /// Fills `frame`; false when there is not enough yet.
    pub(super) fn next(&mut self, frame: &mut PcmFrame) -> bool {
        let needed =
            self.resampler.as_ref().map_or(SAMPLES_PER_10_MS, Resampler::input_frames_next);
        let Ok(chunk) = self.ring.read_chunk(needed) else { return false };
        let (first, second) = chunk.as_slices();
        self.piece[..first.len()].copy_from_slice(first);
        self.piece[first.len()..needed].copy_from_slice(second);
        chunk.commit_all();
        match &mut self.resampler {
            None => frame.copy_from_slice(&self.piece[..needed]),
            Some(resampler) => {
                convert(resampler, &self.piece[..needed], frame);
            }
        }
        true
    }
}

/// Puts 10 ms at 48 kHz into a ring, as samples at a device's rate.
pub(super) struct ToDevice {
    ring: Producer<f32>,
    resampler: Option<Fft<f32>>,
    piece: Vec<f32>,
}

impl ToDevice {
    /// `None` for a rate that cannot be converted.
    pub(super) fn new(ring: Producer<f32>, rate: u32) -> Option<Self> {
        let resampler = resampler(OUR_RATE, rate, FixedSync::Input)?;
        let most = resampler.as_ref().map_or(SAMPLES_PER_10_MS, Resampler::output_frames_max);
        Some(Self { ring, resampler, piece: vec![0.0; most] })
    }

    /// Samples that wait for the device.
    pub(super) fn filled(&self) -> usize {
        self.ring.buffer().capacity() - self.ring.slots()
    }

    /// What finds no room is dropped: the caller asks [`Self::filled`] before.
    pub(super) fn push(&mut self, frame: &PcmFrame) {
        let piece = match &mut self.resampler {
            None => &frame[..],
            Some(resampler) => {
                let made = convert(resampler, frame, &mut self.piece);
                &self.piece[..made]
            }
        };
        let count = piece.len().min(self.ring.slots());
        if let Ok(mut chunk) = self.ring.write_chunk(count) {
            let (first, second) = chunk.as_mut_slices();
            first.copy_from_slice(&piece[..first.len()]);
            second.copy_from_slice(&piece[first.len()..count]);
            chunk.commit_all();
        }
    }
}

/// `Some(None)` where nothing is to be done.
fn resampler(from: u32, to: u32, fixed: FixedSync) -> Option<Option<Fft<f32>>> {
    if from == to {
        return Some(None);
    }
    Fft::new(from as usize, to as usize, SAMPLES_PER_10_MS, 1, fixed)
        .inspect_err(|error| tracing::warn!(from, to, %error, "no way to resample"))
        .ok()
        .map(Some)
}

/// Returns how many samples were written.
fn convert(resampler: &mut Fft<f32>, from: &[f32], to: &mut [f32]) -> usize {
    let room = to.len();
    let from = InterleavedSlice::new(from, 1, from.len()).expect("one channel of that length");
    let mut to = InterleavedSlice::new_mut(to, 1, room).expect("one channel of that length");
    let (_, written) = resampler
        .process_into_buffer(&from, &mut to, None)
        .expect("as many samples as it asked for, and room for the most that it gives");
    written
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use rtrb::RingBuffer;

    use super::*;

    /// Zero crossings upwards a second.
    fn frequency(samples: &[f32], rate: u32) -> f32 {
        let settled = &samples[samples.len() / 4..];
        let crossings = settled.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
        crossings as f32 * rate as f32 / settled.len() as f32
    }

    fn sine(hz: f32, rate: u32, count: usize) -> impl Iterator<Item = f32> {
        (0..count).map(move |n| (TAU * hz * n as f32 / rate as f32).sin() * 0.5)
    }

    #[test]
    fn pitch_and_length_survive_from_every_usual_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000] {
            let (mut producer, consumer) = RingBuffer::new(rate as usize);
            let mut source = FromDevice::new(consumer, rate).unwrap();
            let mut out = Vec::new();
            let mut frame = [0.0; SAMPLES_PER_10_MS];
            // As callbacks come: in small uneven pieces.
            let samples: Vec<f32> = sine(440.0, rate, rate as usize).collect();
            for piece in samples.chunks(37) {
                for sample in piece {
                    producer.push(*sample).unwrap();
                }
                while source.next(&mut frame) {
                    out.extend_from_slice(&frame);
                }
            }
            let missing = OUR_RATE as usize - out.len();
            assert!(missing < 4_800, "{rate}: {missing} samples less than a second");
            let heard = frequency(&out, OUR_RATE);
            assert!((heard - 440.0).abs() < 4.0, "{rate}: {heard} Hz");
        }
    }

    #[test]
    fn pitch_and_length_survive_to_every_usual_rate() {
        for rate in [8_000, 16_000, 22_050, 44_100, 48_000, 96_000] {
            let (producer, mut consumer) = RingBuffer::new(2 * rate as usize);
            let mut sink = ToDevice::new(producer, rate).unwrap();
            let samples: Vec<f32> = sine(440.0, OUR_RATE, OUR_RATE as usize).collect();
            for frame in samples.chunks_exact(SAMPLES_PER_10_MS) {
                sink.push(frame.try_into().unwrap());
            }
            let out: Vec<f32> = std::iter::from_fn(|| consumer.pop().ok()).collect();
            let missing = rate as usize - out.len();
            assert!(missing < rate as usize / 10, "{rate}: {missing} samples less than a second");
            let heard = frequency(&out, rate);
            assert!((heard - 440.0).abs() < 4.0, "{rate}: {heard} Hz");
        }
    }

    #[test]
    fn a_full_ring_takes_what_fits() {
        let (producer, consumer) = RingBuffer::new(500);
        let mut sink = ToDevice::new(producer, OUR_RATE).unwrap();
        sink.push(&[0.1; SAMPLES_PER_10_MS]);
        sink.push(&[0.1; SAMPLES_PER_10_MS]);
        assert_eq!((sink.filled(), consumer.slots()), (500, 500));
    }
}
