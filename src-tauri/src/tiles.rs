//! Pictures on their way to the page: one raw channel a tile, one message a picture.
//!
//! A page that does not keep up is given nothing more before it has caught up, and then begins
//! again with a key frame: the memory of a hanging page stays bounded and nobody waits for it.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    thread::JoinHandle,
};

use parking_lot::{Condvar, Mutex};
use quartet_core::{EncodedFrame, VIDEO_CLOCK_RATE};
use quartet_engine::{TileId, TileSink};
use quartet_media::{I420Frame, Vp8Decoder};
use tauri::ipc::{Channel, InvokeResponseBody};

/// Messages that the page may have in hand: one second of pictures.
const MAX_UNSHOWN: u64 = 30;
/// Pictures that may wait for a decoder here: as many.
const MAX_UNDECODED: usize = 30;
/// Bytes before the picture in a message: flags, 0, width, height, 0, time in microseconds.
const HEADER_BYTES: usize = 16;
const FLAG_KEY: u8 = 1;
const FLAG_DECODED: u8 = 2;

/// Asks the engine to begin a tile again with a key frame.
pub(crate) type Refresh = Arc<dyn Fn(TileId) + Send + Sync>;

/// The tiles that the page shows.
pub(crate) struct Tiles {
    attached: Mutex<HashMap<TileId, Arc<Flow>>>,
    decoders: Mutex<Vec<(Arc<Queue>, JoinHandle<()>)>>,
    refresh: Refresh,
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tiles({})", self.attached.lock().len())
    }
}

impl Tiles {
    pub(crate) fn new(refresh: Refresh) -> Self {
        Self { attached: Mutex::default(), decoders: Mutex::default(), refresh }
    }

    /// A sink for the engine that writes into the page's channel: VP8 as it came, or, for a page
    /// that has no decoder, pictures decoded here.
    pub(crate) fn attach(
        &self,
        tile: TileId,
        channel: Channel<InvokeResponseBody>,
        decoded: bool,
    ) -> std::io::Result<Arc<dyn TileSink>> {
        let flow = Arc::new(Flow::default());
        let sink: Arc<dyn TileSink> = if decoded {
            Arc::new(DecodedTile(self.start_decoder(tile, channel, Arc::clone(&flow))?))
        } else {
            Arc::new(EncodedTile { channel, flow: Arc::clone(&flow) })
        };
        self.attached.lock().insert(tile, flow);
        Ok(sink)
    }

    /// The page shows this tile no longer.
    pub(crate) fn detach(&self, tile: TileId) {
        self.attached.lock().remove(&tile);
    }

    /// The page is a new one, which shows nothing yet; gives what the one before it showed.
    pub(crate) fn detach_all(&self) -> Vec<TileId> {
        self.attached.lock().drain().map(|(tile, _)| tile).collect()
    }

    /// The page has taken this many messages of a tile in all.
    pub(crate) fn shown(&self, tile: TileId, count: u64) {
        let flow = self.attached.lock().get(&tile).cloned();
        if flow.is_some_and(|flow| flow.shown(count)) {
            (self.refresh)(tile);
        }
    }

    /// Ends every decoder, whoever still holds its sink; takes as long as one picture.
    pub(crate) fn stop(&self) {
        let decoders = std::mem::take(&mut *self.decoders.lock());
        for (queue, _) in &decoders {
            queue.end();
        }
        for (_, thread) in decoders {
            if thread.join().is_err() {
                tracing::error!("a decoder panicked");
            }
        }
    }

    fn start_decoder(
        &self,
        tile: TileId,
        channel: Channel<InvokeResponseBody>,
        flow: Arc<Flow>,
    ) -> std::io::Result<Arc<Queue>> {
        let queue = Arc::new(Queue::default());
        let (frames, refresh) = (Arc::clone(&queue), Arc::clone(&self.refresh));
        let thread = std::thread::Builder::new()
            .name("tile-decoder".to_owned())
            .spawn(move || decode(&frames, &channel, &flow, || refresh(tile)))?;
        let mut decoders = self.decoders.lock();
        decoders.retain(|(_, thread)| !thread.is_finished());
        decoders.push((Arc::clone(&queue), thread));
        Ok(queue)
    }
}

/// How many messages are on their way.
#[derive(Debug, Default)]
struct Flow(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    sent: u64,
    shown: u64,
    held: bool,
}

impl Flow {
    /// One more may be sent; counts it.
    fn admit(&self) -> bool {
        let mut counts = self.0.lock();
        let room = counts.sent - counts.shown < MAX_UNSHOWN;
        if room {
            counts.sent += 1;
        } else {
            counts.held = true;
        }
        room
    }

    /// The page's count, which is believed only as far as it can be true; true when a held tile
    /// has room again.
    fn shown(&self, count: u64) -> bool {
        let mut counts = self.0.lock();
        counts.shown = counts.shown.max(count.min(counts.sent));
        let released = counts.held && counts.sent - counts.shown < MAX_UNSHOWN / 2;
        counts.held &= !released;
        released
    }
}

struct EncodedTile {
    channel: Channel<InvokeResponseBody>,
    flow: Arc<Flow>,
}

impl fmt::Debug for EncodedTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncodedTile")
    }
}

impl TileSink for EncodedTile {
    fn picture(&self, frame: &EncodedFrame) -> bool {
        let flags = if frame.key { FLAG_KEY } else { 0 };
        self.flow.admit()
            && self
                .channel
                .send(message(flags, frame.width, frame.height, frame.timestamp, &frame.data))
                .is_ok()
    }
}

/// Decodes on a thread of its own; what the page has no room for is decoded and not sent.
///
/// Dropping it ends the thread without waiting for it: it is dropped by those who make pictures.
#[derive(Debug)]
struct DecodedTile(Arc<Queue>);

impl TileSink for DecodedTile {
    fn picture(&self, frame: &EncodedFrame) -> bool {
        self.0.push(frame)
    }
}

impl Drop for DecodedTile {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What waits for a decoder.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<EncodedFrame>,
    /// It was full: nothing comes any more until the tile is begun again.
    overflowed: bool,
    ended: bool,
}

enum Work {
    Decode(EncodedFrame),
    BeginAgain,
    End,
}

impl Queue {
    /// False when there is no room. What waits is then thrown away: the decoder is too far behind
    /// to catch up, and the next picture is a key frame.
    fn push(&self, frame: &EncodedFrame) -> bool {
        let mut waiting = self.waiting.lock();
        let room = waiting.frames.len() < MAX_UNDECODED;
        if room {
            waiting.frames.push_back(frame.clone());
        } else {
            waiting.frames.clear();
            waiting.overflowed = true;
        }
        drop(waiting);
        self.changed.notify_one();
        room
    }

    fn end(&self) {
        self.waiting.lock().ended = true;
        self.changed.notify_one();
    }

    /// Waits for something to do.
    fn next(&self) -> Work {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.ended {
                return Work::End;
            }
            if std::mem::take(&mut waiting.overflowed) {
                return Work::BeginAgain;
            }
            if let Some(frame) = waiting.frames.pop_front() {
                return Work::Decode(frame);
            }
            self.changed.wait(&mut waiting);
        }
    }
}

fn decode(queue: &Queue, channel: &Channel<InvokeResponseBody>, flow: &Flow, refresh: impl Fn()) {
    let mut decoder = None;
    loop {
        let frame = match queue.next() {
            Work::Decode(frame) => frame,
            Work::BeginAgain => {
                refresh();
                continue;
            }
            Work::End => return,
        };
        if decoder.is_none() {
            decoder = Vp8Decoder::new().ok();
        }
        let picture = match decoder.as_mut().map(|decoder| decoder.decode(&frame.data)) {
            Some(Ok(picture)) => picture,
            _ => {
                decoder = None;
                refresh();
                continue;
            }
        };
        if let Some(picture) = picture
            && flow.admit()
        {
            send_decoded(channel, &picture, frame.timestamp);
        }
    }
}

fn send_decoded(channel: &Channel<InvokeResponseBody>, picture: &I420Frame, timestamp: u32) {
    let flags = FLAG_KEY | FLAG_DECODED;
    // A page that is gone takes nothing; its tile is detached with it.
    let _ =
        channel.send(message(flags, picture.width(), picture.height(), timestamp, picture.data()));
}

fn message(flags: u8, width: u16, height: u16, timestamp: u32, data: &[u8]) -> InvokeResponseBody {
    let micros = u64::from(timestamp) * 1_000_000 / u64::from(VIDEO_CLOCK_RATE);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + data.len());
    bytes.extend_from_slice(&[flags, 0]);
    bytes.extend_from_slice(&width.to_le_bytes());
    bytes.extend_from_slice(&height.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&micros.to_le_bytes());
    bytes.extend_from_slice(data);
    InvokeResponseBody::Raw(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_hangs_is_held_and_released_once() {
        let flow = Flow::default();
        for _ in 0..MAX_UNSHOWN {
            assert!(flow.admit());
        }
        assert!(!flow.admit());
        assert!(!flow.shown(MAX_UNSHOWN / 2), "not enough room yet");
        assert!(flow.shown(MAX_UNSHOWN / 2 + 1));
        assert!(!flow.shown(MAX_UNSHOWN / 2 + 2), "released once");
        assert!(flow.admit());
    }

    #[test]
    fn a_page_that_counts_too_much_gains_nothing() {
        let flow = Flow::default();
        assert!(flow.admit());
        assert!(!flow.shown(u64::MAX));
        for _ in 0..MAX_UNSHOWN {
            assert!(flow.admit());
        }
        assert!(!flow.admit());
    }

    fn frame() -> EncodedFrame {
        EncodedFrame {
            data: Vec::new().into(),
            key: true,
            width: 2,
            height: 2,
            timestamp: 0,
            temporal: 0,
        }
    }

    #[test]
    fn a_decoder_that_is_too_slow_begins_again_instead_of_standing_still() {
        let queue = Queue::default();
        for _ in 0..MAX_UNDECODED {
            assert!(queue.push(&frame()));
        }
        assert!(!queue.push(&frame()), "the engine gives nothing more before it is asked");
        assert!(matches!(queue.next(), Work::BeginAgain));
        assert!(queue.push(&frame()));
        assert!(matches!(queue.next(), Work::Decode(_)));
        assert!(queue.push(&frame()));
        queue.end();
        assert!(matches!(queue.next(), Work::End), "what waits is not decoded any more");
    }

    #[test]
    fn decoders_end_even_when_their_sinks_are_still_held() {
        let tiles = Tiles::new(Arc::new(|_| {}));
        let channel = || Channel::new(|_| Ok(()));
        let held = tiles.attach(TileId::Own, channel(), true).unwrap();
        let dropped = tiles.attach(TileId::Own, channel(), true).unwrap();
        drop(dropped);
        tiles.stop();
        assert!(held.picture(&frame()));
        assert!(tiles.decoders.lock().is_empty());
        assert_eq!(tiles.detach_all(), [TileId::Own]);
        assert_eq!(tiles.detach_all(), []);
    }

    #[test]
    fn a_message_says_what_is_in_it() {
        let InvokeResponseBody::Raw(bytes) = message(1, 640, 360, 90_000, b"vp8") else {
            panic!("raw bytes");
        };
        assert_eq!(bytes[0], 1);
        assert_eq!(bytes[2..6], [0x80, 0x02, 0x68, 0x01]);
        assert_eq!(bytes[8..16], 1_000_000_u64.to_le_bytes());
        assert_eq!(&bytes[16..], b"vp8");
    }
}
