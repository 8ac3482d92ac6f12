//! What a link counts itself. The library counts what passes the wire: repetitions too, and as
//! lost what a repetition brought.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::StreamStats;

/// One direction of one medium.
#[derive(Debug, Default)]
pub(super) struct Counter {
    packets: AtomicU64,
    bytes: AtomicU64,
    lost: AtomicU64,
    frames: AtomicU64,
}

impl Counter {
    pub(super) fn packet(&self, bytes: usize) {
        self.packets.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn frame(&self) {
        self.frames.fetch_add(1, Relaxed);
    }

    pub(super) fn set_lost(&self, lost: u64) {
        self.lost.store(lost, Relaxed);
    }

    pub(super) fn read(&self) -> StreamStats {
        StreamStats {
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            lost: self.lost.load(Relaxed),
            frames: self.frames.load(Relaxed),
            frames_dropped: 0,
        }
    }
}

/// All of a link.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) video_in: Counter,
    pub(super) video_out: Counter,
    pub(super) screen_in: Counter,
    pub(super) screen_out: Counter,
    pub(super) voice_in: Counter,
    pub(super) voice_out: Counter,
}
