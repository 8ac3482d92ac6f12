//! What is decided once, when the engine starts.

use std::time::Duration;

use quartet_core::Rung;

/// What is decided once, when the engine starts.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The largest picture that may be encoded. All of them by default: which of them run is
    /// decided by what the others show, what the lines carry and what this machine can do.
    pub max_rung: Rung,
    /// What the picture may take on one link, bits a second; as much as is of use when not said.
    pub max_video_bps: Option<u32>,
    /// How long [`crate::Engine::shutdown`] waits. 3 s by default: a link takes at most 2 s to
    /// close, and a person waits for a window to close no longer than this.
    pub shutdown_deadline: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_rung: Rung::P720,
            max_video_bps: None,
            shutdown_deadline: Duration::from_secs(3),
        }
    }
}
