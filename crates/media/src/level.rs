//! How loud something is, for meters and speaking rings.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crate::PcmFrame;

/// Share of the level that is left after another 10 ms of silence: −20 dB in about a third of a
/// second, as meters of speech fall.
const DECAY: f32 = 0.93;

/// A meter: written by the thread that has the sound, read by anybody. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Level(Arc<AtomicU32>);

impl Level {
    /// Rises at once, falls slowly.
    pub(crate) fn update(&self, frame: &PcmFrame) {
        let energy: f32 = frame.iter().map(|x| x * x).sum();
        let now = (energy / frame.len() as f32).sqrt().min(1.0);
        let level = now.max(self.get() * DECAY);
        self.0.store(level.to_bits(), Ordering::Relaxed);
    }

    /// Root mean square, 0..=1; a sine at full scale gives 0.71.
    pub(crate) fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_at_once_and_falls_slowly() {
        let level = Level::default();
        level.update(&[0.5; 480]);
        assert!((level.get() - 0.5).abs() < 1e-6);
        level.update(&[0.0; 480]);
        assert!(level.get() > 0.4);
        (0..50).for_each(|_| level.update(&[0.0; 480]));
        assert!(level.get() < 0.02);
    }
}
