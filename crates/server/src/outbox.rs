//! What waits to be written to one socket.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use quartet_proto::ServerMessage;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// Bytes that may wait: the descriptions and candidates of three peers, many times over. A client
/// for whom more is waiting does not read, and is cut off: the memory is everybody's.
const OUTBOX_BYTES: usize = 512 * 1024;
/// What a message costs beside its text, so that many small ones are bounded too.
const OVERHEAD_BYTES: usize = 256;

/// The hub's end: never waits. When it is dropped, the rest is written and the socket closed.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: mpsc::UnboundedSender<Letter>,
    space: Arc<Semaphore>,
    cut: CancellationToken,
}

/// More is waiting than may.
#[derive(Debug)]
pub(crate) struct Overflow;

impl Outbox {
    pub(crate) fn push(&self, message: &ServerMessage) -> Result<(), Overflow> {
        let text = serde_json::to_string(message).expect("our messages are JSON");
        let cost = u32::try_from(text.len() + OVERHEAD_BYTES).map_err(|_| Overflow)?;
        let space = Arc::clone(&self.space).try_acquire_many_owned(cost).map_err(|_| Overflow)?;
        // A writer that is gone needs no message: the socket's end is on its way to the hub.
        let _ = self.queue.send(Letter { text: text.into(), space });
        Ok(())
    }

    /// Ends the socket at once, whatever is queued.
    pub(crate) fn cut(self) {
        self.cut.cancel();
    }
}

/// A message, and the space that it takes until it is written.
#[derive(Debug)]
struct Letter {
    text: Utf8Bytes,
    space: OwnedSemaphorePermit,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Letters {
    queue: mpsc::UnboundedReceiver<Letter>,
    cut: CancellationToken,
    /// The space of the letter that is being written: a stuck one counts as waiting.
    writing: Option<OwnedSemaphorePermit>,
}

impl Letters {
    /// The next text; `None` when the hub has closed the connection and all is written.
    pub(crate) async fn next(&mut self) -> Option<Utf8Bytes> {
        self.writing = None;
        let Letter { text, space } = self.queue.recv().await?;
        self.writing = Some(space);
        Some(text)
    }

    /// Fires when the hub wants the socket to end at once.
    pub(crate) fn cut(&self) -> CancellationToken {
        self.cut.clone()
    }
}

pub(crate) fn outbox() -> (Outbox, Letters) {
    // Bounded by the bytes in it.
    let (sender, receiver) = mpsc::unbounded_channel();
    let cut = CancellationToken::new();
    let outbox =
        Outbox { queue: sender, space: Arc::new(Semaphore::new(OUTBOX_BYTES)), cut: cut.clone() };
    (outbox, Letters { queue: receiver, cut, writing: None })
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
