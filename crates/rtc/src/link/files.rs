//! The task that carries files over their two data channels (RFC 8831): one for what is said, one
//! for the bytes, both ordered and reliable.
//!
//! Bytes leave as [`SendWindow`] allows, which keeps the queue on the path so short that no voice
//! waits behind it. What the other side needs for that, when what came, is said from here: nobody
//! above has to hear of it. The library's buffers hold what is under way; whoever does not read, or
//! acknowledge, stops this task and nothing else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use quartet_core::{
    LinkEvent,
    transfer::{FilesAllowance, SendWindow},
};
use quartet_proto::{
    FilesMessage, PIECE_HEADER_BYTES, PieceHeader, limits::MAX_FILES_MESSAGE_BYTES,
};
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, sleep_until},
};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};

use crate::steering::Steering;

/// What came is acknowledged no more often than this: the sender sends as much at once as was
/// acknowledged at once, and a voice waits behind that.
const ACK_INTERVAL: Duration = Duration::from_millis(4);
/// The part of what the media would like that it can do with, when a file is sent as well.
const MEDIA_IS_FINE: f64 = 0.9;
/// Without an acknowledgement the window is looked at again after this: a task that was not woken
/// may not stand still for ever.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What the handle of the link gives.
pub(super) struct Outbox {
    pub(super) to_say: mpsc::Receiver<FilesMessage>,
    /// Answers to requests.
    pub(super) to_send: mpsc::Receiver<(u32, Bytes)>,
}

/// What the task works with.
pub(super) struct Files {
    pub(super) control: Arc<dyn DataChannel>,
    pub(super) data: Arc<dyn DataChannel>,
    pub(super) outbox: Outbox,
    pub(super) events: mpsc::Sender<LinkEvent>,
    /// What the media's controller sees, and what the media would like.
    pub(super) steering: Arc<Steering>,
}

/// What the directions share.
struct Shared {
    window: Mutex<SendWindow>,
    acked: Notify,
    /// How many of the channels are open.
    open: Mutex<u8>,
}

/// Carries what there is in both directions, until the channels end or nobody listens.
pub(super) async fn carry(files: Files) {
    let Files { control, data, outbox: Outbox { to_say, to_send }, events, steering } = files;
    let shared = Shared {
        window: Mutex::new(SendWindow::new(Instant::now())),
        acked: Notify::new(),
        open: Mutex::new(0),
    };
    // The directions wait for each other nowhere.
    tokio::select! {
        () = say(&*control, to_say) => {}
        () = hear(&*control, &events, &shared) => {}
        () = send(&*data, to_send, &events, &steering, &shared) => {}
        () = receive(&*data, &*control, &events, &shared) => {}
    }
}

async fn say(control: &dyn DataChannel, mut to_say: mpsc::Receiver<FilesMessage>) {
    while let Some(message) = to_say.recv().await {
        if tell(control, &message).await.is_err() {
            break;
        }
    }
    // The end of the channel is seen where it is read.
    std::future::pending().await
}

async fn tell(control: &dyn DataChannel, message: &FilesMessage) -> webrtc::error::Result<()> {
    let Ok(text) = serde_json::to_string(message) else { return Ok(()) };
    control.send_text(&text).await
}

async fn hear(control: &dyn DataChannel, events: &mpsc::Sender<LinkEvent>, shared: &Shared) {
    let mut allowance = FilesAllowance::new();
    while let Some(event) = control.poll().await {
        let event = match event {
            DataChannelEvent::OnOpen => shared.opened(),
            DataChannelEvent::OnMessage(message) if allowance.take(Instant::now()) => {
                match read(&message) {
                    Some(FilesMessage::Ack { bytes, at }) => {
                        shared.window.lock().on_ack(Instant::now(), bytes, at);
                        shared.acked.notify_one();
                        None
                    }
                    message => message.map(LinkEvent::FilesHeard),
                }
            }
            _ => None,
        };
        if let Some(event) = event
            && events.send(event).await.is_err()
        {
            return;
        }
    }
}

/// Pictures or voices could use more than the path seems to carry, or a queue grows: whatever the
/// reason, a file comes after them. Where neither is sent, nothing is known, and nothing waits.
fn media_lacks(steering: &Steering) -> bool {
    let estimate = steering.estimate();
    let wanted = steering.share().map_or(0, |share| share.wanted_bps) as f64 * MEDIA_IS_FINE;
    wanted > 0.0 && (estimate.congested || (estimate.bitrate_bps as f64) < wanted)
}

/// A message that is understood; one from a later version may not be.
fn read(message: &RTCDataChannelMessage) -> Option<FilesMessage> {
    if !message.is_string || message.data.len() > MAX_FILES_MESSAGE_BYTES {
        return None;
    }
    serde_json::from_slice(&message.data).ok()
}

async fn send(
    data: &dyn DataChannel,
    mut to_send: mpsc::Receiver<(u32, Bytes)>,
    events: &mpsc::Sender<LinkEvent>,
    steering: &Steering,
    shared: &Shared,
) {
    'answers: while let Some((id, content)) = to_send.recv().await {
        let mut sent = 0;
        while sent < content.len() {
            if media_lacks(steering) {
                shared.window.lock().on_congestion();
            }
            let room = shared.window.lock().room().saturating_sub(PIECE_HEADER_BYTES);
            if room == 0 {
                tokio::select! {
                    () = shared.acked.notified() => {}
                    () = sleep(LOOK_AGAIN) => {}
                }
                continue;
            }
            let piece = &content[sent..content.len().min(sent + room)];
            let Ok(offset) = u32::try_from(sent) else { break };
            let mut message = BytesMut::with_capacity(PIECE_HEADER_BYTES + piece.len());
            message.extend_from_slice(&PieceHeader { id, offset }.to_bytes());
            message.extend_from_slice(piece);
            shared.window.lock().on_sent(Instant::now(), message.len());
            sent += piece.len();
            if data.send(message).await.is_err() {
                break 'answers;
            }
        }
        if events.send(LinkEvent::FilesSent).await.is_err() {
            break;
        }
    }
    std::future::pending().await
}

async fn receive(
    data: &dyn DataChannel,
    control: &dyn DataChannel,
    events: &mpsc::Sender<LinkEvent>,
    shared: &Shared,
) {
    let began = Instant::now();
    let mut came: u64 = 0;
    // What is to be acknowledged, and when.
    let mut last = None;
    let mut ack_at = Instant::now();
    loop {
        let event = tokio::select! {
            event = data.poll() => event,
            () = sleep_until(ack_at.into()), if last.is_some() => {
                if let Some(at) = last.take() {
                    ack_at = Instant::now() + ACK_INTERVAL;
                    if tell(control, &FilesMessage::Ack { bytes: came, at }).await.is_err() {
                        return;
                    }
                }
                continue;
            }
        };
        let event = match event {
            Some(DataChannelEvent::OnOpen) => shared.opened(),
            Some(DataChannelEvent::OnMessage(message)) => {
                came += message.data.len() as u64;
                let at = began.elapsed().as_micros();
                last = Some(u64::try_from(at).unwrap_or(u64::MAX));
                let message = message.data.freeze();
                PieceHeader::split(&message).map(|(PieceHeader { id, offset }, _)| {
                    let bytes = message.slice(PIECE_HEADER_BYTES..);
                    LinkEvent::FilesPiece { id, offset, bytes }
                })
            }
            Some(_) => None,
            None => return,
        };
        if let Some(event) = event
            && events.send(event).await.is_err()
        {
            return;
        }
    }
}

impl Shared {
    /// One of the two is open; the event is for both.
    fn opened(&self) -> Option<LinkEvent> {
        let mut open = self.open.lock();
        *open += 1;
        (*open == 2).then_some(LinkEvent::FilesOpened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_understood_is_heard() {
        let heard = |is_string, text: &str| {
            read(&RTCDataChannelMessage { is_string, data: text.as_bytes().into() })
        };
        let text = r#"{"type":"ready","met":true}"#;
        let message = FilesMessage::Ready { met: true };
        assert_eq!(heard(true, text), Some(message.clone()));
        let padded = format!("{text}{}", " ".repeat(MAX_FILES_MESSAGE_BYTES - text.len()));
        assert_eq!(heard(true, &padded), Some(message));
        assert_eq!(heard(true, &format!("{padded} ")), None);
        assert_eq!(heard(false, text), None);
        for garbage in [
            "",
            "{}",
            "null",
            r#"{"type":"steal","file":"x"}"#,
            r#"{"type":"have","file":"AAAA"}"#,
            r#"{"type":"get","id":-1,"file":"AAAA"}"#,
            r#"{"type":"ack","bytes":1.5,"at":0}"#,
            r#"{"type":"stop","ids":7}"#,
        ] {
            assert_eq!(heard(true, garbage), None, "{garbage}");
        }
    }
}
