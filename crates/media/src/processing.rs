//! What makes a microphone bearable: echo cancellation, noise suppression, gain control.
//!
//! Runs on the microphone's thread. The other end of the echo's path, what the speaker plays, comes
//! through a [`Reference`] from the thread that plays it.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use quartet_core::SAMPLE_RATE;
use sonora::{
    AudioProcessing, Config, StreamConfig,
    config::{
        AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate,
        NoiseSuppression, NoiseSuppressionLevel, Pipeline,
    },
};

use crate::PcmFrame;

/// What the speaker plays, for the echo canceller. Cloning shares it.
///
/// Holds 200 ms and then drops the oldest: whoever mixes never waits for who listens, and after a
/// pause of the listener there is no old sound that would throw the canceller off.
#[derive(Debug, Clone, Default)]
pub struct Reference(Arc<Mutex<VecDeque<PcmFrame>>>);

impl Reference {
    const CAPACITY: usize = 20;

    /// Adds what is played next.
    pub fn push(&self, frame: &PcmFrame) {
        let mut frames = self.0.lock();
        if frames.len() == Self::CAPACITY {
            frames.pop_front();
        }
        frames.push_back(*frame);
    }

    fn pop(&self) -> Option<PcmFrame> {
        self.0.lock().pop_front()
    }

    fn clear(&self) {
        self.0.lock().clear();
    }
}

/// Echo cancellation, noise suppression and gain control for one microphone.
#[derive(Debug)]
pub struct Processing {
    processor: AudioProcessing,
    reference: Reference,
}

impl Processing {
    /// Hears what is played through `reference`, from now on.
    #[must_use]
    pub fn new(reference: Reference) -> Self {
        reference.clear();
        Self { processor: processor(), reference }
    }

    /// Cleans 10 ms of the microphone.
    pub fn process(&mut self, frame: &mut PcmFrame) {
        let mut scratch: PcmFrame = [0.0; _];
        while let Some(played) = self.reference.pop() {
            let played: &PcmFrame = &played;
            let heard =
                self.processor.process_render_f32(&[played.as_slice()], &mut [&mut scratch]);
            warn_of(heard);
        }
        let source = *frame;
        let cleaned = self.processor.process_capture_f32(&[&source], &mut [frame.as_mut_slice()]);
        warn_of(cleaned);
    }

    /// Does nothing to the microphone; what was played meanwhile is forgotten.
    pub fn bypass(&mut self) {
        self.reference.clear();
    }
}

fn warn_of(result: Result<(), sonora::Error>) {
    // It refuses frames of a wrong size only, and ours have one size.
    if let Err(error) = result {
        tracing::error!(?error, "audio processing");
    }
}

fn processor() -> AudioProcessing {
    let config = Config {
        // The default, 32 kHz, would cut voices off at 16 kHz.
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            ..Default::default()
        },
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: Some(EchoCanceller::default()),
        noise_suppression: Some(NoiseSuppression {
            level: NoiseSuppressionLevel::Moderate,
            ..Default::default()
        }),
        gain_controller2: Some(GainController2 {
            // The default begins with 15 dB: what is left of an echo before anybody has spoken
            // would be heard. A quiet voice is lifted in the first seconds of speech instead.
            adaptive_digital: Some(AdaptiveDigital { initial_gain_db: 0.0, ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let mono = StreamConfig::new(SAMPLE_RATE, 1);
    AudioProcessing::builder().config(config).capture_config(mono).render_config(mono).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::speech;

    fn power(sound: &[f32]) -> f32 {
        sound.iter().map(|x| x * x).sum::<f32>() / sound.len() as f32
    }

    #[test]
    fn echo_is_gone_after_two_seconds() {
        // A room: 40 ms to the microphone, and a few reflections.
        let path = [(1_920, 0.4), (2_400, -0.15), (3_300, 0.1), (5_000, 0.05)];
        let played = speech(11, 6);
        let mut noise = fastrand::Rng::with_seed(12);
        let mut echo = vec![0.0; played.len()];
        for (delay, gain) in path {
            (delay..echo.len()).for_each(|i| echo[i] += gain * played[i - delay]);
        }
        echo.iter_mut().for_each(|x| *x += 1e-4 * (noise.f32() - 0.5));

        let reference = Reference::default();
        let mut processing = Processing::new(reference.clone());
        let mut sent = vec![];
        for (played, heard) in played.as_chunks().0.iter().zip(echo.as_chunks().0) {
            reference.push(played);
            let mut frame = *heard;
            processing.process(&mut frame);
            sent.extend(frame);
        }
        let later = 2 * SAMPLE_RATE as usize;
        let removed = 10.0 * (power(&echo[later..]) / power(&sent[later..])).log10();
        println!("{removed:.1} dB removed");
        assert!(removed >= 25.0, "{removed} dB");
    }

    #[test]
    fn a_voice_without_echo_is_kept() {
        let voice = speech(21, 4);
        let reference = Reference::default();
        let mut processing = Processing::new(reference.clone());
        let mut sent = vec![];
        for heard in voice.as_chunks().0 {
            reference.push(&[0.0; 480]);
            let mut frame = *heard;
            processing.process(&mut frame);
            sent.extend(frame);
        }
        let later = 2 * SAMPLE_RATE as usize;
        let gain = 10.0 * (power(&sent[later..]) / power(&voice[later..])).log10();
        println!("{gain:.1} dB of gain");
        assert!((-6.0..30.0).contains(&gain), "{gain} dB");
    }

    #[test]
    fn the_reference_drops_the_oldest() {
        let reference = Reference::default();
        for i in 0..30 {
            reference.push(&[i as f32; 480]);
        }
        assert_eq!(reference.pop().unwrap()[0], 10.0);
        reference.clear();
        assert!(reference.pop().is_none());
    }
}
