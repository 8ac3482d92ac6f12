//! What waits to be written to one socket.

use std::{collections::VecDeque, sync::Arc};

use axum::extract::ws::Utf8Bytes;
use parking_lot::Mutex;
use quartet_proto::ServerMessage;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Bytes that may wait: the descriptions and candidates of three peers, many times over. A client
/// for whom more is waiting does not read, and is cut off: the memory is everybody's.
const OUTBOX_BYTES: usize = 512 * 1024;
/// What a message costs beside its text, so that many small ones are bounded too.
const OVERHEAD_BYTES: usize = 256;
/// Places that a queue keeps when it is empty again; what a burst needed beyond that is given back.
const KEPT_PLACES: usize = 16;

/// The hub's end: never waits. When it is dropped, the rest is written and the socket closed.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Arc<Queue>,
    cut: CancellationToken,
}

/// More is waiting than may.
#[derive(Debug)]
pub(crate) struct Overflow;

/// Nothing is allocated for a connection that is told nothing: most are, most of the time, and a
/// channel would keep room for dozens of messages.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    texts: VecDeque<Utf8Bytes>,
    /// Of the texts, and of the one that is being written: a stuck one counts as waiting.
    bytes: usize,
    /// What the one that is being written counts for.
    writing: usize,
    /// The hub has closed the connection.
    closed: bool,
}

impl Outbox {
    pub(crate) fn push(&self, message: &ServerMessage) -> Result<(), Overflow> {
        let text = serde_json::to_string(message).expect("our messages are JSON");
        let cost = text.len() + OVERHEAD_BYTES;
        {
            let mut waiting = self.queue.waiting.lock();
            if waiting.bytes + cost > OUTBOX_BYTES {
                return Err(Overflow);
            }
            waiting.bytes += cost;
            // A writer that is gone needs no message: the socket's end is on its way to the hub.
            waiting.texts.push_back(text.into());
        }
        self.queue.changed.notify_one();
        Ok(())
    }

    /// Ends the socket at once, whatever is queued.
    pub(crate) fn cut(self) {
        self.cut.cancel();
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.queue.waiting.lock().closed = true;
        self.queue.changed.notify_one();
    }
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Letters {
    queue: Arc<Queue>,
    cut: CancellationToken,
}

impl Letters {
    /// The next text; `None` when the hub has closed the connection and all is written.
    pub(crate) async fn next(&mut self) -> Option<Utf8Bytes> {
        loop {
            {
                let mut waiting = self.queue.waiting.lock();
                waiting.bytes -= std::mem::take(&mut waiting.writing);
                if let Some(text) = waiting.texts.pop_front() {
                    waiting.writing = text.len() + OVERHEAD_BYTES;
                    if waiting.texts.is_empty() && waiting.texts.capacity() > KEPT_PLACES {
                        waiting.texts = VecDeque::new();
                    }
                    return Some(text);
                }
                if waiting.closed {
                    return None;
                }
            }
            // What comes between the look and the wait is remembered by it.
            self.queue.changed.notified().await;
        }
    }

    /// Fires when the hub wants the socket to end at once.
    pub(crate) fn cut(&self) -> CancellationToken {
        self.cut.clone()
    }
}

pub(crate) fn outbox() -> (Outbox, Letters) {
    let queue = Arc::<Queue>::default();
    let cut = CancellationToken::new();
    (Outbox { queue: Arc::clone(&queue), cut: cut.clone() }, Letters { queue, cut })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PONG: ServerMessage = ServerMessage::Pong { nonce: 1 };

    fn fill(outbox: &Outbox) -> usize {
        (0..).take_while(|_| outbox.push(&PONG).is_ok()).count()
    }

    #[tokio::test]
    async fn many_small_messages_are_bounded_and_writing_makes_space() {
        let (outbox, mut letters) = outbox();
        let held = fill(&outbox);
        assert!(held > 1_000 && held <= OUTBOX_BYTES / OVERHEAD_BYTES, "{held}");
        // The one that is being written still counts.
        assert!(letters.next().await.is_some());
        assert_eq!(fill(&outbox), 0);
        assert!(letters.next().await.is_some());
        assert_eq!(fill(&outbox), 1);
    }

    #[tokio::test]
    async fn what_is_queued_at_the_end_is_still_written() {
        let (outbox, mut letters) = outbox();
        outbox.push(&PONG).unwrap();
        drop(outbox);
        assert!(letters.next().await.is_some());
        assert!(letters.next().await.is_none());
        assert!(!letters.cut().is_cancelled());
    }

    #[test]
    fn the_protocol_page_says_how_much_may_wait() {
        let page = include_str!("../../../docs/protocol.md");
        assert!(page.contains(&format!("{} KiB are waiting", OUTBOX_BYTES / 1024)));
    }
}
