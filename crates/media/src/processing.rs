//! What makes a microphone bearable: echo cancellation, noise suppression, gain control.
//!
//! Runs on the microphone's thread. The other end of the echo's path, what the speaker plays, comes
//! through a [`Reference`] from the thread that plays it.
//!
//! The figures, of 2026-11-23, by `cargo test -p quartet-media processing -- --nocapture`, with
//! speech-like sound and a synthetic room that fades by 60 dB in 250 ms:
//!
//! | what | figure |
//! |---|---|
//! | echo removed after 2 s, 20–120 ms away, volume 0.1–1 | 40–49 dB |
//! | the near voice while the far one speaks, echo up to 5 dB weaker than it | lowered by 0.4–2.1 dB |
//! | steady noise of −60 to −40 dBFS | 12.8 dB removed; a voice in it changes by less than 0.1 dB |
//! | a voice of −47 dBFS, of −21 dBFS | becomes −29 dBFS, stays at −22 dBFS |
//! | a voice that peaks at 0.98 | not one sample clips |
//! | 2 s after another speaker, with 80 ms more or less of delay | 51 dB of echo removed |
//! | microphone slower than the speaker by 200 ppm; faster by 50, 100, 200 | 43 dB; 43, 28, 20 dB |
//!
//! An echo that is louder than the near voice (nearly all of what the speaker plays comes back)
//! costs it up to 3 dB.

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
mod tests;
