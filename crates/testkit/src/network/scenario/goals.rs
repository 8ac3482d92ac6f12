//! What must come of a scenario. Whatever is left out is not asked for.

use serde::{Deserialize, Serialize};

/// Which half of a participant's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the participant.
    Up,
    /// To the participant.
    Down,
}

/// Thresholds; those of streams hold for every stream unless it is [excepted](Self::except).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Goals {
    /// Those whose received streams the thresholds of streams are not for.
    pub except: Vec<String>,
    /// Pictures a second, at least.
    pub fps: Option<f64>,
    /// Height of the picture most of the time, at least, in pixels.
    pub height: Option<u16>,
    /// Freezes, at most.
    pub freezes: Option<u64>,
    /// The longest freeze, at most, in milliseconds.
    pub longest_freeze_ms: Option<f64>,
    /// The share of the time that is frozen, at most, in percent.
    pub frozen_percent: Option<f64>,
    /// Capture to decoded, at most, in milliseconds.
    pub p50_ms: Option<f64>,
    /// Capture to decoded, at most, in milliseconds.
    pub p95_ms: Option<f64>,
    /// Concealed audio, at most, in percent.
    pub concealed_percent: Option<f64>,
    /// Concealed audio in the worst second, at most, in percent.
    pub concealed_second_percent: Option<f64>,
    /// Joined to first picture decoded, at most, in milliseconds.
    pub first_picture_ms: Option<f64>,
    /// Cores that a participant may take.
    pub cpu: Option<f64>,
    /// Memory that a participant may take, at most, in MB.
    pub memory_mb: Option<f64>,
    /// Growth of the memory, the most of the last quarter against the most of the first one (after
    /// the first minute), at most, in percent.
    pub memory_growth_percent: Option<f64>,
    /// Of the paths.
    pub path: Vec<PathGoal>,
    /// Of streams that another participant's trouble must not touch.
    pub unchanged: Option<Unchanged>,
}

/// What holds for one path in a span of the scenario.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathGoal {
    /// Whose.
    pub of: String,
    /// Which half.
    pub direction: Direction,
    /// Seconds since the beginning.
    pub from_s: f64,
    /// Seconds since the beginning.
    pub to_s: f64,
    /// What waits for the line, at most, in milliseconds: at every moment of the span.
    pub queue_ms: Option<f64>,
    /// What the line carries on average, of its rate, at least, in percent.
    pub use_percent: Option<f64>,
    /// What the line carries on average, at least, in kbit/s.
    pub kbit_s: Option<f64>,
}

/// Streams between all but one participant, before and after something happens to that one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unchanged {
    /// The one.
    pub but: String,
    /// From and to, in seconds since the beginning.
    pub before_s: [f64; 2],
    /// From and to, in seconds since the beginning.
    pub after_s: [f64; 2],
    /// How far bit rate and frame rate may differ, in percent.
    pub percent: f64,
}
