//! What waits to be sent: bounded, voice before picture; the camera before the screen, which has a
//! lane of its own.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use quartet_core::EncodedFrame;
use tokio::sync::Notify;

use crate::steering::Room;

/// Voice packets that wait: half a second of 20 ms each. When there are more, the oldest is the
/// least worth.
const MAX_VOICE: usize = 25;
/// When pictures wait that are so far apart, those that no other refers to are left out, ticks of
/// the picture's clock: half the rate is better than being late.
const UPPER_LIMIT: u32 = quartet_core::VIDEO_CLOCK_RATE / 10;
/// When the others are so far apart, what comes next is dropped until a key frame, for a picture
/// without its predecessors is worth nothing. A key frame would take about as long as this to pass
/// where that happens.
const LIMIT: u32 = quartet_core::VIDEO_CLOCK_RATE / 2;
/// Pictures that wait at most, whatever their time stamps say: half a second at 30 a second.
const MAX_VIDEO: usize = 16;
/// The same of a screen: what its key frame holds up comes late, but whole, and another key frame
/// would hold up more.
const SCREEN_LIMIT: u32 = quartet_core::VIDEO_CLOCK_RATE * 4;
/// Pictures of a screen that wait at most: four seconds while its encoder saves, two of those that
/// follow a key frame at full rate.
const MAX_SCREEN: usize = 64;

/// An Opus packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Voice {
    /// Ticks of [`quartet_core::SAMPLE_RATE`].
    pub(super) timestamp: u32,
    pub(super) payload: Bytes,
}

/// The next thing to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Media {
    Voice(Voice),
    Video(EncodedFrame),
    Screen(EncodedFrame),
}

/// Filled by anyone, emptied by the sending task; nobody waits for anybody.
#[derive(Debug, Default)]
pub(super) struct MediaQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    open: bool,
    voice: VecDeque<Voice>,
    video: Lane,
    screen: Lane,
}

/// Pictures of one source.
#[derive(Debug, Default)]
struct Lane {
    frames: VecDeque<EncodedFrame>,
    /// Pictures are dropped until the next key frame.
    skipping: bool,
    dropped: u64,
}

/// When pictures are too many: see the constants.
#[derive(Debug, Clone, Copy)]
struct Limits {
    upper: u32,
    late: u32,
    count: usize,
}

const CAMERA: Limits = Limits { upper: UPPER_LIMIT, late: LIMIT, count: MAX_VIDEO };
const SCREEN: Limits = Limits { upper: SCREEN_LIMIT, late: SCREEN_LIMIT, count: MAX_SCREEN };

impl MediaQueue {
    /// From now on media is taken, beginning with a key frame; or no longer, and what waits is
    /// forgotten.
    pub(super) fn set_open(&self, open: bool) {
        let mut waiting = self.waiting.lock();
        if waiting.open != open {
            *waiting = Waiting {
                open,
                voice: VecDeque::new(),
                video: waiting.video.anew(),
                screen: waiting.screen.anew(),
            };
        }
    }

    /// Takes a voice packet; the oldest goes when there are too many.
    pub(super) fn push_voice(&self, voice: Voice) {
        let mut waiting = self.waiting.lock();
        if !waiting.open {
            return;
        }
        if waiting.voice.len() == MAX_VOICE {
            waiting.voice.pop_front();
        }
        waiting.voice.push_back(voice);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Takes a picture, or drops it; true when a key frame is wanted because of that.
    pub(super) fn push_video(&self, frame: &EncodedFrame) -> bool {
        self.push(frame, CAMERA, |waiting| &mut waiting.video)
    }

    /// The same for a picture of the screen.
    pub(super) fn push_screen(&self, frame: &EncodedFrame) -> bool {
        self.push(frame, SCREEN, |waiting| &mut waiting.screen)
    }

    fn push(
        &self,
        frame: &EncodedFrame,
        limits: Limits,
        lane: fn(&mut Waiting) -> &mut Lane,
    ) -> bool {
        let mut waiting = self.waiting.lock();
        if !waiting.open {
            return false;
        }
        let pushed = lane(&mut waiting).push(frame, limits);
        drop(waiting);
        if pushed == Pushed::Waits {
            self.filled.notify_one();
        }
        pushed == Pushed::KeyFrameWanted
    }

    /// The next thing to send, if there is any; of pictures only when there is room for one.
    pub(super) fn pop(&self, room: Room) -> Option<Media> {
        let mut waiting = self.waiting.lock();
        if let Some(voice) = waiting.voice.pop_front() {
            return Some(Media::Voice(voice));
        }
        let mut next = |room: bool, lane: fn(&mut Waiting) -> &mut Lane| {
            if room { lane(&mut waiting).frames.pop_front() } else { None }
        };
        match next(room.video, |waiting| &mut waiting.video) {
            Some(frame) => Some(Media::Video(frame)),
            None => next(room.screen, |waiting| &mut waiting.screen).map(Media::Screen),
        }
    }

    /// The next voice packet, if there is any: for between the packets of a picture.
    pub(super) fn pop_voice(&self) -> Option<Voice> {
        self.waiting.lock().voice.pop_front()
    }

    /// Waits until something has come since the last call.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Pictures dropped for want of room, or of a key frame: the camera's and the screen's.
    pub(super) fn frames_dropped(&self) -> (u64, u64) {
        let waiting = self.waiting.lock();
        (waiting.video.dropped, waiting.screen.dropped)
    }
}

/// What became of a picture.
#[derive(Debug, PartialEq, Eq)]
enum Pushed {
    Waits,
    Dropped,
    /// Dropped, and so will be those that follow until there is a key frame.
    KeyFrameWanted,
}

impl Lane {
    /// Forgets what waits; the next picture is a key frame.
    fn anew(&self) -> Self {
        Self { frames: VecDeque::new(), skipping: true, dropped: self.dropped }
    }

    fn push(&mut self, frame: &EncodedFrame, limits: Limits) -> Pushed {
        let late = self.lateness(frame);
        if late > limits.upper || self.frames.len() == limits.count {
            let before = self.frames.len();
            // With a new beginning, what waits is not needed any more.
            self.frames.retain(|waits| !frame.key && waits.temporal == 0);
            self.dropped += (before - self.frames.len()) as u64;
            if frame.temporal > 0 {
                self.dropped += 1;
                return Pushed::Dropped;
            }
        }
        if frame.key {
            self.skipping = false;
        } else if self.skipping || late > limits.late || self.frames.len() == limits.count {
            self.dropped += 1;
            let said = std::mem::replace(&mut self.skipping, true);
            return if said { Pushed::Dropped } else { Pushed::KeyFrameWanted };
        }
        self.frames.push_back(frame.clone());
        Pushed::Waits
    }

    /// How far behind this picture the oldest is that waits, ticks of the picture's clock.
    fn lateness(&self, frame: &EncodedFrame) -> u32 {
        let Some(oldest) = self.frames.front() else { return 0 };
        let ticks = frame.timestamp.wrapping_sub(oldest.timestamp);
        // Another source may have begun anew.
        if ticks < 1 << 31 { ticks } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { video: true, screen: true };

    fn frame(timestamp: u32, key: bool) -> EncodedFrame {
        EncodedFrame {
            data: Bytes::from_static(b"x"),
            key,
            width: 2,
            height: 2,
            timestamp,
            temporal: 0,
        }
    }

    fn voice(timestamp: u32) -> Voice {
        Voice { timestamp, payload: Bytes::from_static(b"x") }
    }

    fn open() -> MediaQueue {
        let queue = MediaQueue::default();
        queue.set_open(true);
        queue
    }

    fn drain_video(queue: &MediaQueue) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop(ROOM))
            .filter_map(|media| match media {
                Media::Video(frame) | Media::Screen(frame) => Some(frame.timestamp),
                Media::Voice(_) => None,
            })
            .collect()
    }

    #[test]
    fn nothing_is_kept_before_the_connection() {
        let queue = MediaQueue::default();
        assert!(!queue.push_video(&frame(0, true)));
        queue.push_voice(voice(0));
        queue.set_open(true);
        assert_eq!(queue.pop(ROOM), None);
    }

    #[test]
    fn pictures_begin_with_a_key_frame() {
        let queue = open();
        assert!(!queue.push_video(&frame(1, false)));
        queue.push_video(&frame(2, true));
        queue.push_video(&frame(3, false));
        assert_eq!(drain_video(&queue), [2, 3]);
    }

    #[test]
    fn voice_goes_first() {
        let queue = open();
        queue.push_video(&frame(1, true));
        queue.push_voice(voice(2));
        assert_eq!(queue.pop(ROOM), Some(Media::Voice(voice(2))));
        assert_eq!(queue.pop(ROOM), Some(Media::Video(frame(1, true))));
    }

    #[test]
    fn the_oldest_voice_goes() {
        let queue = open();
        for timestamp in 0..MAX_VOICE as u32 + 2 {
            queue.push_voice(voice(timestamp));
        }
        assert_eq!(queue.pop_voice(), Some(voice(2)));
    }

    #[test]
    fn a_full_queue_drops_pictures_until_a_key_frame_and_says_so_once() {
        let queue = open();
        queue.push_video(&frame(0, true));
        let wanted: Vec<_> = (1..30).filter(|t| queue.push_video(&frame(*t, false))).collect();
        assert_eq!(wanted, [MAX_VIDEO as u32]);
        assert_eq!(queue.frames_dropped().0, 30 - MAX_VIDEO as u64);
        assert_eq!(drain_video(&queue), Vec::from_iter(0..MAX_VIDEO as u32));
        queue.push_video(&frame(30, false));
        queue.push_video(&frame(31, true));
        queue.push_video(&frame(32, false));
        assert_eq!(drain_video(&queue), [31, 32]);
    }

    #[test]
    fn pictures_wait_for_room_and_voices_do_not() {
        let queue = open();
        queue.push_video(&frame(1, true));
        queue.push_voice(voice(2));
        assert_eq!(queue.pop(Room { video: false, ..ROOM }), Some(Media::Voice(voice(2))));
        assert_eq!(queue.pop(Room { video: false, ..ROOM }), None);
        assert_eq!(queue.pop(ROOM), Some(Media::Video(frame(1, true))));
    }

    #[test]
    fn when_pictures_are_late_those_go_that_no_other_refers_to() {
        let queue = open();
        for number in 0..10 {
            let temporal = (number % 2) as u8;
            let frame = EncodedFrame { temporal, ..frame(number * 3_000, number == 0) };
            assert!(!queue.push_video(&frame));
        }
        // Ten pictures are 300 ms; three that were dropped were not late when they came.
        assert_eq!(drain_video(&queue), [0, 6_000, 12_000, 18_000, 24_000]);
        assert_eq!(queue.frames_dropped().0, 5);
    }

    #[test]
    fn when_the_others_are_late_a_key_frame_is_wanted_and_takes_their_place() {
        let queue = open();
        queue.push_video(&frame(0, true));
        assert!(!queue.push_video(&frame(LIMIT, false)));
        assert!(queue.push_video(&frame(LIMIT + 3_000, false)));
        assert!(!queue.push_video(&frame(LIMIT + 6_000, false)));
        assert!(!queue.push_video(&frame(LIMIT + 9_000, true)));
        assert_eq!(drain_video(&queue), [LIMIT + 9_000]);
    }

    #[test]
    fn a_screen_waits_for_the_camera_and_is_not_dropped_as_soon() {
        let queue = open();
        let late = LIMIT + 6_000;
        for timestamp in [0, 3_000, late] {
            assert!(!queue.push_screen(&frame(timestamp, timestamp == 0)));
        }
        queue.push_video(&frame(1, true));
        assert_eq!(queue.pop(ROOM), Some(Media::Video(frame(1, true))));
        assert_eq!(queue.pop(Room { screen: false, ..ROOM }), None);
        assert_eq!(drain_video(&queue), [0, 3_000, late]);
        queue.push_screen(&frame(late, false));
        assert!(queue.push_screen(&frame(late + SCREEN_LIMIT + 1, false)));
        assert_eq!(queue.frames_dropped(), (0, 1));
    }

    #[test]
    fn a_key_frame_is_no_reason_to_drop_what_is_in_time() {
        let queue = open();
        queue.push_video(&frame(0, true));
        queue.push_video(&frame(3_000, false));
        assert!(!queue.push_video(&frame(6_000, true)));
        assert_eq!(drain_video(&queue), [0, 3_000, 6_000]);
    }
}
