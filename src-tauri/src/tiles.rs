//! Pictures on their way to the page: one raw channel a tile, one message a picture.
//!
//! A page that does not keep up is given nothing more before it has caught up, and then begins
//! again with a key frame: the memory of a hanging page stays bounded and nobody waits for it.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use parking_lot::Mutex;
use quartet_core::{EncodedFrame, VIDEO_CLOCK_RATE};
use quartet_engine::{TileId, TileSink};
use quartet_media::{I420Frame, Vp8Decoder};
use tauri::ipc::{Channel, InvokeResponseBody};

/// Messages that the page may have in hand: one second of pictures.
const MAX_UNSHOWN: u64 = 30;
/// Bytes before the picture in a message: flags, 0, width, height, 0, time in microseconds.
const HEADER_BYTES: usize = 16;
const FLAG_KEY: u8 = 1;
const FLAG_DECODED: u8 = 2;

/// Asks the engine to begin a tile again with a key frame.
pub(crate) type Refresh = Arc<dyn Fn(TileId) + Send + Sync>;

/// The tiles that the page shows.
pub(crate) struct Tiles {
    attached: Mutex<HashMap<TileId, Arc<Flow>>>,
    refresh: Refresh,
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tiles({})", self.attached.lock().len())
    }
}

impl Tiles {
    pub(crate) fn new(refresh: Refresh) -> Self {
        Self { attached: Mutex::default(), refresh }
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
            Arc::new(DecodedTile::start(tile, channel, Arc::clone(&flow), self.refresh.clone())?)
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

    /// The page has taken this many messages of a tile in all.
    pub(crate) fn shown(&self, tile: TileId, count: u64) {
        let flow = self.attached.lock().get(&tile).cloned();
        if flow.is_some_and(|flow| flow.shown(count)) {
            (self.refresh)(tile);
        }
    }
}

/// How many messages are on their way.
#[derive(Debug, Default)]
struct Flow {
    sent: AtomicU64,
    shown: AtomicU64,
    held: AtomicBool,
}

impl Flow {
    /// One more may be sent; counts it.
    fn admit(&self) -> bool {
        let unshown = self.sent.load(Ordering::Acquire) - self.shown.load(Ordering::Acquire);
        if unshown >= MAX_UNSHOWN {
            self.held.store(true, Ordering::Release);
            return false;
        }
        self.sent.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// The page's count, which is believed only as far as it can be true; true when a held tile
    /// has room again.
    fn shown(&self, count: u64) -> bool {
        let sent = self.sent.load(Ordering::Acquire);
        let shown = self.shown.fetch_max(count.min(sent), Ordering::AcqRel).max(count.min(sent));
        sent - shown < MAX_UNSHOWN / 2 && self.held.swap(false, Ordering::AcqRel)
    }
}

#[derive(Clone)]
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
struct DecodedTile {
    queue: Option<SyncSender<EncodedFrame>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for DecodedTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecodedTile")
    }
}

impl DecodedTile {
    fn start(
        tile: TileId,
        channel: Channel<InvokeResponseBody>,
        flow: Arc<Flow>,
        refresh: Refresh,
    ) -> std::io::Result<Self> {
        let (queue, frames) = sync_channel(MAX_UNSHOWN as usize);
        let thread =
            std::thread::Builder::new().name("tile-decoder".to_owned()).spawn(move || {
                decode(&frames, &channel, &flow, || refresh(tile));
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }
}

impl TileSink for DecodedTile {
    fn picture(&self, frame: &EncodedFrame) -> bool {
        let queue = self.queue.as_ref().expect("only drop takes the queue");
        !matches!(queue.try_send(frame.clone()), Err(TrySendError::Full(_)))
    }
}

impl Drop for DecodedTile {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // Ends at the closed queue; it has nothing to say.
            let _ = thread.join();
        }
    }
}

fn decode(
    frames: &Receiver<EncodedFrame>,
    channel: &Channel<InvokeResponseBody>,
    flow: &Flow,
    refresh: impl Fn(),
) {
    let mut decoder = None;
    while let Ok(frame) = frames.recv() {
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
