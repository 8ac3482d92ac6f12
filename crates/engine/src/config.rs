//! What is decided once, when the engine starts.

use std::time::Duration;

use quartet_media::Rung;

/// What is decided once, when the engine starts.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// How pictures are encoded: one rung for everybody.
    ///
    /// 640×360 at 30 fps and 500 kbit/s by default: three such pictures, sent and received, fit
    /// into a home uplink of 2 Mbit/s, and four people into two cores.
    pub encoding: Rung,
    /// How long [`crate::Engine::shutdown`] waits. 3 s by default: a link takes at most 2 s to
    /// close, and a person waits for a window to close no longer than this.
    pub shutdown_deadline: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            encoding: Rung { max_width: 640, max_height: 360, max_fps: 30, bitrate_bps: 500_000 },
            shutdown_deadline: Duration::from_secs(3),
        }
    }
}
