//! How much of a voice was made up.

use serde::Serialize;

use super::{Window, growth};

/// A look at a voice's counters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoiceSample {
    /// When, in Unix seconds.
    pub at: f64,
    /// What was played so far, in seconds (or samples: the unit falls out).
    pub played: f64,
    /// How much of it was made up.
    pub concealed: f64,
}

/// What a voice came to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct VoiceFigures {
    /// Share of the played time that was made up, 0..=1.
    pub concealed: f64,
    /// The same of the worst second.
    pub concealed_worst_second: f64,
}

/// The figures of a window; `samples` are those of the whole run, in the order of time.
#[must_use]
pub fn voice_figures(samples: &[VoiceSample], window: Window) -> VoiceFigures {
    let played: Vec<_> = samples.iter().map(|sample| (sample.at, sample.played)).collect();
    let concealed: Vec<_> = samples.iter().map(|sample| (sample.at, sample.concealed)).collect();
    let share = |window: Window| {
        let played = growth(&played, window);
        if played > 0.0 { growth(&concealed, window) / played } else { 0.0 }
    };
    // The worst between two looks, not the worst second of the clock: growth is known at looks only.
    let looks = samples.windows(2).filter(|pair| {
        window.contains(pair[0].at) && window.contains(pair[1].at) && pair[1].at > pair[0].at
    });
    let worst = looks.map(|pair| share(Window { from: pair[0].at, to: pair[1].at, ..window }));
    VoiceFigures { concealed: share(window), concealed_worst_second: worst.fold(0.0, f64::max) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_second_is_worse_than_the_whole() {
        let samples: Vec<VoiceSample> = (0..=10)
            .map(|second| VoiceSample {
                at: 100.0 + f64::from(second),
                played: f64::from(second) * 48_000.0,
                concealed: if second > 5 { 4_800.0 } else { 0.0 },
            })
            .collect();
        let figures = voice_figures(&samples, Window { zero: 100.0, from: 100.0, to: 110.5 });
        assert!((figures.concealed - 0.01).abs() < 1e-9);
        assert!((figures.concealed_worst_second - 0.1).abs() < 1e-9);
        assert_eq!(
            voice_figures(&[], Window { zero: 0.0, from: 0.0, to: 1.0 }),
            VoiceFigures::default()
        );
    }
}
