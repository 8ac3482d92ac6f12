//! A tone as a test voice, and what finds it again.

use std::f64::consts::TAU;

use quartet_core::{SAMPLE_RATE, SAMPLES_PER_10_MS};

use crate::{AudioInput, DeviceError, PcmSink, Stop, pace::Pace};

/// Peak; loud enough to be found after a codec, and three of them added do not clip.
const AMPLITUDE: f32 = 0.25;

/// A sine of a quarter of full scale, of exactly this frequency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    hz: f64,
}

impl Tone {
    /// A tone of `hz` Hz; what cannot be sampled at 48 kHz is brought into 1..=20,000.
    #[must_use]
    pub fn new(hz: f64) -> Self {
        Self { hz: if hz.is_finite() { hz.clamp(1.0, 20_000.0) } else { 440.0 } }
    }
}

impl AudioInput for Tone {
    fn label(&self) -> String {
        format!("Tone of {} Hz", self.hz)
    }

    fn wants_processing(&self) -> bool {
        false
    }

    fn run(&self, out: &mut PcmSink<'_>, stop: &Stop) -> Result<(), DeviceError> {
        let mut pace = Pace::start();
        let step = self.hz / f64::from(SAMPLE_RATE);
        let mut turns = 0.0_f64;
        while !pace.wait(stop) {
            let mut frame = [0.0; SAMPLES_PER_10_MS];
            for sample in &mut frame {
                *sample = AMPLITUDE * (TAU * turns).sin() as f32;
                turns = (turns + step).fract();
            }
            out(&frame);
        }
        Ok(())
    }
}

/// The peak amplitude of the tone of `hz` Hz within sound at 48 kHz (Goertzel's algorithm with a
/// Hann window, so that other tones hardly count).
#[must_use]
pub fn tone_level(sound: &[f32], hz: f32) -> f32 {
    let length = sound.len() as f64;
    let coefficient = 2.0 * (TAU * f64::from(hz) / f64::from(SAMPLE_RATE)).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for (i, sample) in sound.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * (i as f64 + 0.5) / length).cos();
        (one, two) = (f64::from(*sample) * window + coefficient * one - two, one);
    }
    let power = one * one + two * two - coefficient * one * two;
    (power.max(0.0).sqrt() * 4.0 / length.max(1.0)) as f32
}

/// The frequency of the strongest tone between 40 and 8,000 Hz in sound at 48 kHz, of which 50 ms
/// are needed; 0 for silence. Of one second, good to about 0.1 Hz.
#[must_use]
pub fn dominant_frequency(sound: &[f32]) -> f32 {
    /// Samples in which the tone is looked for; the rest only makes the result finer.
    const SEARCHED: usize = 8192;
    /// −60 dBFS.
    const SILENCE: f32 = 0.001;
    let part = &sound[sound.len().saturating_sub(SEARCHED)..];
    let mut step = SAMPLE_RATE as f32 / part.len().max(1) as f32;
    let candidates = (0..).map(|i| 40.0 + step * i as f32).take_while(|hz| *hz <= 8000.0);
    let strongest = |part: &[f32], candidates: &mut dyn Iterator<Item = f32>| {
        candidates
            .map(|hz| (hz, tone_level(part, hz)))
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .unwrap_or_default()
    };
    let (mut hz, level) = strongest(part, &mut candidates.into_iter());
    if level < SILENCE || part.len() < SAMPLE_RATE as usize / 20 {
        return 0.0;
    }
    // First in the part, where the peak is broad enough not to be stepped over, then in the whole.
    for (sound, resolution) in [(part, step / 16.0), (sound, 0.02)] {
        while step > resolution {
            hz = strongest(sound, &mut (-2..=2).map(|i| hz + step * 0.5 * i as f32)).0;
            step *= 0.5;
        }
    }
    hz
}

/// Bursts of noise shaped like vowels, with pauses, by a seed: speech as far as codecs and echo
/// cancellers are concerned.
#[cfg(test)]
pub(crate) fn speech(seed: u64, seconds: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sound = Vec::with_capacity(seconds * SAMPLE_RATE as usize);
    while sound.len() < seconds * SAMPLE_RATE as usize {
        let (length, pitch) = (random.usize(4_800..14_400), 90.0 + 120.0 * random.f32());
        let formants = [300.0 + 500.0 * random.f32(), 900.0 + 1500.0 * random.f32()];
        let mut phase = 0.0;
        for i in 0..length {
            let envelope = (std::f32::consts::PI * i as f32 / length as f32).sin();
            let pitch = pitch * (1.2 - 0.4 * i as f32 / length as f32);
            phase += pitch / SAMPLE_RATE as f32;
            let voiced: f32 = (1..=30)
                .map(|n| {
                    let hz = pitch * n as f32;
                    let gain: f32 =
                        formants.iter().map(|f| 1.0 / (1.0 + ((hz - f) / 120.0).powi(2))).sum();
                    gain * (std::f32::consts::TAU * phase * n as f32).sin()
                })
                .sum();
            sound.push(envelope * (0.12 * voiced + 0.06 * (random.f32() - 0.5)));
        }
        sound.extend(std::iter::repeat_n(0.0, random.usize(2_400..7_200)));
    }
    sound.truncate(seconds * SAMPLE_RATE as usize);
    sound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f32, amplitude: f32) -> Vec<f32> {
        let angle = |i| TAU * f64::from(hz) * f64::from(i) / f64::from(SAMPLE_RATE);
        (0..48_000).map(|i| amplitude * angle(i).sin() as f32).collect()
    }

    #[test]
    fn finds_the_strongest_tone_among_others() {
        for hz in [55.0, 440.0, 523.25, 997.3, 3_001.0] {
            let other = sine(hz * 1.3 + 100.0, 0.1);
            let sound: Vec<f32> = sine(hz, 0.25).iter().zip(other).map(|(a, b)| a + b).collect();
            let found = dominant_frequency(&sound);
            assert!((found - hz).abs() < 0.2, "{found} for {hz}");
            assert!((tone_level(&sound, hz) - 0.25).abs() < 0.01);
        }
        assert_eq!(dominant_frequency(&[0.0; 4800]), 0.0);
        assert_eq!(dominant_frequency(&[]), 0.0);
    }
}
