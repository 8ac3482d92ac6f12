//! What a run came to, in the same figures for every program that can be measured, computed from
//! what it saw and when.

mod pictures;
mod stream;
mod voice;

pub use pictures::{Captures, Picture, PictureFigures, picture_figures};
pub use stream::{SecondFigures, StreamFigures, StreamRecord};
pub use voice::{VoiceFigures, VoiceSample, voice_figures};

use serde::Serialize;

/// The part of a run that is measured: what is outside is left out. In Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Window {
    /// When the scenario's own time began.
    pub zero: f64,
    /// The beginning.
    pub from: f64,
    /// The end.
    pub to: f64,
}

impl Window {
    /// Its length in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.to - self.from
    }

    /// The moment is within.
    #[must_use]
    pub fn contains(&self, at: f64) -> bool {
        at >= self.from && at < self.to
    }

    /// Its whole seconds, one after the other.
    pub fn each_second(self) -> impl Iterator<Item = Self> {
        // A millionth more, so that nine times 0.1 is not less than it should be.
        let seconds = (self.seconds() + 1e-6) as u32;
        (0..seconds).map(move |second| {
            let from = self.from + f64::from(second);
            Self { from, to: from + 1.0, ..self }
        })
    }
}

/// What one program did in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunFigures {
    /// `quartet` or `chromium`.
    pub program: String,
    /// The scenario's name.
    pub scenario: String,
    /// What was measured.
    pub window: Window,
    /// Everybody, in the order of joining.
    pub people: Vec<PersonFigures>,
    /// Every direction of every pair.
    pub streams: Vec<StreamFigures>,
    /// What the machine's other programs took meanwhile, in cores.
    pub others_cores: f64,
}

/// What one participant took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PersonFigures {
    /// Who.
    pub name: String,
    /// Of all its processes, in cores.
    pub cpu_cores: f64,
    /// Of all its processes (proportional set size), in MB.
    pub memory_mb: f64,
    /// Of encoding pictures alone, in cores, where the program says so.
    pub encoder_cores: Option<f64>,
    /// Its memory over time: seconds of the scenario, MB. Empty where nobody looked.
    pub memory: Vec<(f64, f64)>,
}

/// The nearest rank; `None` of nothing. `sorted` is in rising order.
#[must_use]
pub fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// By how much a counter that only grows grew within a window, from looks at it in the order of
/// time. A counter that begins again at 0 is taken to be a new one.
#[must_use]
pub fn growth(looks: &[(f64, f64)], window: Window) -> f64 {
    let mut total = 0.0;
    for pair in looks.windows(2) {
        let [(then, before), (now, after)] = pair else { continue };
        if *now <= window.from || *then >= window.to || now <= then {
            continue;
        }
        let added = if after >= before { after - before } else { *after };
        // A look seldom falls on the window's edge: growth is taken to be even between two.
        let within = now.min(window.to) - then.max(window.from);
        total += added * within / (now - then);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let twenty: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(percentile(&twenty, 50), Some(10.0));
        assert_eq!(percentile(&twenty, 95), Some(19.0));
        assert_eq!(percentile(&[7.0], 95), Some(7.0));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn growth_counts_what_lies_within_and_survives_a_new_beginning() {
        let looks = [(0.0, 100.0), (1.0, 200.0), (2.0, 300.0), (3.0, 40.0), (4.0, 60.0)];
        let growth = |from, to| growth(&looks, Window { zero: 0.0, from, to });
        assert_eq!(growth(0.0, 2.0), 200.0);
        assert_eq!(growth(0.5, 1.5), 100.0);
        assert_eq!(growth(2.0, 4.0), 60.0);
        assert_eq!(growth(-5.0, 9.0), 260.0);
        assert_eq!(growth(9.0, 10.0), 0.0);
    }
}
