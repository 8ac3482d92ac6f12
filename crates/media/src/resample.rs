//! Any sampling rate to any other.

use rubato::{
    Async, FixedAsync, Resampler as _, SincInterpolationParameters, WindowFunction,
    audioadapter_buffers::direct::SequentialSlice,
};

/// Rates that sound can have; beyond, a file or a device is talking nonsense.
pub const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;
/// Length of the filter: 64 samples of delay, below 2 ms at the rates of devices.
const FILTER: usize = 128;

/// The rate is outside [`SAMPLE_RATES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sampling rate of {0} Hz is not supported")]
pub struct UnsupportedRate(pub u32);

/// Changes the sampling rate of a mono stream.
pub struct Resampler {
    /// `None` when the rates are the same.
    inner: Option<Async<f32>>,
    /// What does not fill a chunk yet.
    waiting: Vec<f32>,
    scratch: Vec<f32>,
}

impl Resampler {
    /// From and to so many samples a second.
    pub fn new(from: u32, to: u32) -> Result<Self, UnsupportedRate> {
        for rate in [from, to] {
            if !SAMPLE_RATES.contains(&rate) {
                return Err(UnsupportedRate(rate));
            }
        }
        if from == to {
            return Ok(Self { inner: None, waiting: vec![], scratch: vec![] });
        }
        let parameters = SincInterpolationParameters::new(FILTER, WindowFunction::BlackmanHarris2);
        // 10 ms at a time, as everything else.
        let chunk = (from / 100) as usize;
        let ratio = f64::from(to) / f64::from(from);
        let inner = Async::new_sinc(ratio, 1.0, &parameters, chunk, 1, FixedAsync::Input)
            .map_err(|_| UnsupportedRate(from))?;
        let scratch = vec![0.0; inner.output_frames_max()];
        Ok(Self { inner: Some(inner), waiting: Vec::with_capacity(2 * chunk), scratch })
    }

    /// Takes any amount of sound and appends what it becomes to `out`; the rest follows later.
    pub fn process(&mut self, sound: &[f32], out: &mut Vec<f32>) {
        let Some(inner) = &mut self.inner else {
            out.extend_from_slice(sound);
            return;
        };
        self.waiting.extend_from_slice(sound);
        let mut taken = 0;
        while self.waiting.len() - taken >= inner.input_frames_next() {
            let chunk = &self.waiting[taken..taken + inner.input_frames_next()];
            taken += chunk.len();
            let capacity = self.scratch.len();
            let input = SequentialSlice::new(chunk, 1, chunk.len());
            let output = SequentialSlice::new_mut(&mut self.scratch, 1, capacity);
            let (Ok(input), Ok(mut output)) = (input, output) else {
                unreachable!("both slices are as long as they are said to be");
            };
            match inner.process_into_buffer(&input, &mut output, None) {
                Ok((_, written)) => out.extend_from_slice(&self.scratch[..written]),
                Err(error) => tracing::error!(%error, "resampling"),
            }
        }
        self.waiting.drain(..taken);
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resampler({})", self.inner.as_ref().map_or(1.0, |inner| inner.resample_ratio()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{dominant_frequency, tone_level};

    #[test]
    fn a_tone_keeps_its_pitch_and_volume_at_every_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 44_099, 44_100, 48_000, 96_000, 192_000] {
            let angle = |i| std::f64::consts::TAU * 997.0 * f64::from(i) / f64::from(rate);
            let sound: Vec<f32> = (0..rate).map(|i| 0.25 * angle(i).sin() as f32).collect();
            let mut resampler = Resampler::new(rate, 48_000).unwrap();
            let mut out = vec![];
            sound.chunks(333).for_each(|chunk| resampler.process(chunk, &mut out));
            assert!((47_000..=48_000).contains(&out.len()), "{} at {rate}", out.len());
            let steady = &out[2_000..];
            let found = dominant_frequency(steady);
            assert!((found - 997.0).abs() < 0.5, "{found} Hz at {rate}");
            let level = tone_level(steady, 997.0);
            assert!((level - 0.25).abs() < 0.005, "{level} at {rate}");
        }
        assert_eq!(Resampler::new(0, 48_000).unwrap_err(), UnsupportedRate(0));
    }
}
