//! The handle of a link.

use std::sync::Arc;

use bytes::Bytes;
use quartet_core::{EncodedFrame, LinkAction, LinkEvent};
use tokio::sync::mpsc;

use crate::{LinkConfig, LinkError, LinkStats, MediaSink};

/// A connection to one peer.
///
/// Everything but [`Link::open`], [`Link::stats`] and [`Link::close`] returns at once. Dropping a
/// link closes it too, without waiting for it.
#[derive(Debug)]
pub struct Link {
    _events: mpsc::Sender<LinkEvent>,
}

impl Link {
    /// Binds the sockets and starts the tasks; says nothing to the peer yet.
    ///
    /// # Errors
    ///
    /// When no socket can be bound, or the configuration is refused.
    #[allow(clippy::unused_async)]
    pub async fn open(
        _config: LinkConfig,
        _sink: Arc<dyn MediaSink>,
        events: mpsc::Sender<LinkEvent>,
    ) -> Result<Self, LinkError> {
        Ok(Self { _events: events })
    }

    /// Queues an action; they are carried out in order.
    pub fn act(&self, _action: LinkAction) {}

    /// Queues a picture. When the queue is full it drops pictures until the next key frame, and
    /// asks for that with [`LinkEvent::KeyFrameWanted`].
    pub fn send_video(&self, _frame: &EncodedFrame) {}

    /// Queues an Opus packet, whose timestamp counts [`quartet_core::SAMPLE_RATE`]; when the queue
    /// is full the oldest goes.
    pub fn send_voice(&self, _timestamp: u32, _payload: Bytes) {}

    /// Asks the peer for a key frame (PLI, RFC 4585 §6.3.1), at most once in 300 ms.
    pub fn request_key_frame(&self) {}

    /// The counters and the path; empty after the end.
    #[allow(clippy::unused_async)]
    pub async fn stats(&self) -> LinkStats {
        LinkStats::default()
    }

    /// Closes the connection and waits, at most 2 s, until nothing of it runs any more.
    #[allow(clippy::unused_async)]
    pub async fn close(&self) {}
}
