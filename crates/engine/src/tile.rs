//! A picture on the screen: who watches it, and whether it may get the next picture.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use quartet_core::EncodedFrame;

use crate::TileSink;

/// Gives pictures to the one sink of a tile so that it can always decode them.
#[derive(Debug, Default)]
pub(crate) struct Tile {
    state: Mutex<State>,
    fell_behind: AtomicBool,
}

#[derive(Debug, Default)]
enum State {
    /// Nobody watches.
    #[default]
    Detached,
    /// The next picture has to be a key frame.
    Waiting(Arc<dyn TileSink>),
    /// Every picture.
    Flowing(Arc<dyn TileSink>),
    /// The sink had no room: nothing before it asks again.
    Full(Arc<dyn TileSink>),
}

impl Tile {
    pub(crate) fn attach(&self, sink: Arc<dyn TileSink>) {
        // What was there is dropped when the lock is free again.
        let _old = mem::replace(&mut *self.state.lock(), State::Waiting(sink));
    }

    pub(crate) fn detach(&self) {
        let _old = mem::take(&mut *self.state.lock());
    }

    /// Begins again with a key frame.
    pub(crate) fn refresh(&self) {
        let mut state = self.state.lock();
        *state = match mem::take(&mut *state) {
            State::Detached => State::Detached,
            State::Waiting(sink) | State::Flowing(sink) | State::Full(sink) => State::Waiting(sink),
        };
    }

    pub(crate) fn is_attached(&self) -> bool {
        !matches!(*self.state.lock(), State::Detached)
    }

    /// The sink had no room since the last call: whoever decodes does not keep up.
    pub(crate) fn take_behind(&self) -> bool {
        self.fell_behind.swap(false, Ordering::Relaxed)
    }

    /// Gives a picture to the sink, if it can use it; true when it waits for a key frame.
    pub(crate) fn show(&self, frame: &EncodedFrame) -> bool {
        let mut state = self.state.lock();
        match mem::take(&mut *state) {
            State::Waiting(sink) if !frame.key => {
                *state = State::Waiting(sink);
                return true;
            }
            State::Waiting(sink) | State::Flowing(sink) => {
                let room = sink.picture(frame);
                if !room {
                    self.fell_behind.store(true, Ordering::Relaxed);
                }
                *state = if room { State::Flowing(sink) } else { State::Full(sink) };
            }
            other => *state = other,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Sink {
        room: AtomicBool,
        got: AtomicUsize,
    }

    impl TileSink for Sink {
        fn picture(&self, _frame: &EncodedFrame) -> bool {
            self.got.fetch_add(1, Ordering::Relaxed);
            self.room.load(Ordering::Relaxed)
        }
    }

    fn frame(key: bool) -> EncodedFrame {
        EncodedFrame {
            data: bytes::Bytes::new(),
            key,
            width: 2,
            height: 2,
            timestamp: 0,
            temporal: 0,
        }
    }

    #[test]
    fn a_tile_begins_with_a_key_frame_and_says_that_it_waits() {
        let tile = Tile::default();
        let sink = Arc::new(Sink { room: AtomicBool::new(true), got: AtomicUsize::new(0) });
        assert!(!tile.show(&frame(false)));
        tile.attach(Arc::clone(&sink) as _);
        assert!(tile.show(&frame(false)));
        assert!(!tile.show(&frame(true)));
        assert!(!tile.show(&frame(false)));
        assert_eq!(sink.got.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_full_tile_costs_nobody_a_key_frame_until_it_asks_again() {
        let tile = Tile::default();
        let sink = Arc::new(Sink { room: AtomicBool::new(false), got: AtomicUsize::new(0) });
        tile.attach(Arc::clone(&sink) as _);
        assert!(!tile.take_behind());
        assert!(!tile.show(&frame(true)));
        assert!(tile.take_behind());
        assert!(!tile.take_behind(), "said once");
        for _ in 0..10 {
            assert!(!tile.show(&frame(false)));
            assert!(!tile.show(&frame(true)));
        }
        assert_eq!(sink.got.load(Ordering::Relaxed), 1);
        sink.room.store(true, Ordering::Relaxed);
        tile.refresh();
        assert!(tile.show(&frame(false)));
        assert!(!tile.show(&frame(true)));
        assert_eq!(sink.got.load(Ordering::Relaxed), 2);
    }
}
