//! One WebSocket: a reader and a writer, side by side in one task, until either is done.
//!
//! The reader makes inputs of what comes and waits when the hub is busy, so that a flood fills the
//! sender's own buffers. The writer empties the connection's outbox. Neither knows any rule.

use std::{
    future::pending,
    pin::pin,
    time::{Duration, Instant},
};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{
    SinkExt as _, StreamExt as _,
    future::{Either, select},
    stream::{SplitSink, SplitStream},
};
use quartet_proto::{
    ClientMessage, ErrorCode,
    limits::{MAX_MESSAGE_BYTES, SILENCE_LIMIT},
};
use tokio::{sync::mpsc, time};
use tracing::{debug, info};
use tungstenite::Error as WsError;

use crate::{
    ConnId, Hub, Input,
    metrics::Metrics,
    outbox::{Letters, outbox},
    server::{Door, Event},
    source_limiter::Source,
    token_bucket::{TokenBucket, Verdict},
};

/// How long a connection that we close waits for the other side to read our last words and close
/// too. Closing with something unread would reset it, and take those words away.
const LINGER: Duration = Duration::from_secs(1);

/// Who has opened a socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) source: Option<Source>,
    /// Why it is not served.
    pub(crate) refusal: Option<ErrorCode>,
}

/// Serves a connection from its first byte to its last.
pub(crate) async fn serve(socket: WebSocket, door: Door, arrival: Arrival) {
    let conn = door.next_conn();
    let (outbox, letters) = outbox();
    let cut = letters.cut();
    if let Some(code) = arrival.refusal {
        // The hub never hears of it: what it brings means nothing there.
        let message = Hub::refusal(code, None);
        door.metrics.sent(&message);
        let _fits = outbox.push(&message);
        drop(outbox);
    } else if door.events.send(Event::Connected(conn, outbox)).await.is_err() {
        return; // the server has stopped
    }
    Metrics::count(&door.metrics.sockets);
    info!(conn = conn.0, "connected");
    let Door { events, metrics, limiter, .. } = &door;
    let may_join = || limiter.join(Instant::now(), arrival.source);
    let talk = async {
        let (sink, stream) = socket.split();
        let reader = pin!(read(stream, conn, events, metrics, may_join));
        let writer = pin!(write(sink, letters));
        match select(reader, writer).await {
            // They are gone, or have said that they go: the hub drops the outbox, and the writer
            // answers their close.
            Either::Left(((), writer)) => {
                say(events, conn, Input::Disconnected).await;
                let _late = time::timeout(LINGER, writer).await;
            }
            Either::Right((Written::All, reader)) => {
                let _late = time::timeout(LINGER, reader).await;
            }
            Either::Right((Written::Stuck, _)) => {}
        }
    };
    tokio::select! {
        () = cut.cancelled() => {}
        () = door.abort.cancelled() => {}
        () = talk => {}
    }
    say(events, conn, Input::Disconnected).await;
    info!(conn = conn.0, "disconnected");
}

/// Reads until the connection ends. After bytes that cannot be read on from, it only waits: the
/// hub closes the connection, and the writer has something to say first.
async fn read(
    mut stream: SplitStream<WebSocket>,
    conn: ConnId,
    events: &mpsc::Sender<Event>,
    metrics: &Metrics,
    may_join: impl Fn() -> bool,
) {
    let mut bucket = TokenBucket::new(Instant::now());
    while let Some(frame) = stream.next().await {
        let input = match frame {
            Ok(Message::Close(_)) => return,
            Ok(frame) => {
                Metrics::count(&metrics.messages_in);
                match bucket.take(Instant::now()) {
                    // The library answers a ping by itself.
                    Verdict::Taken if is_control(&frame) => continue,
                    Verdict::Taken => match parse(&frame) {
                        Input::Message(ClientMessage::Join { .. }) if !may_join() => {
                            let _ = events.send(Event::Refused(conn)).await;
                            continue;
                        }
                        input => input,
                    },
                    Verdict::DroppedFirst => Input::RateLimited,
                    Verdict::Dropped => continue,
                    Verdict::Flood => {
                        info!(conn = conn.0, "sends without end: cut off");
                        Metrics::count(&metrics.cut_off);
                        return;
                    }
                }
            }
            Err(error) => {
                let Some(input) = last_input(error) else { return };
                say(events, conn, input).await;
                say(events, conn, Input::Disconnected).await;
                pending().await
            }
        };
        say(events, conn, input).await;
    }
}

fn is_control(frame: &Message) -> bool {
    matches!(frame, Message::Ping(_) | Message::Pong(_))
}

fn parse(frame: &Message) -> Input {
    let Message::Text(text) = frame else {
        return Input::Unreadable("messages are text, not binary".to_owned());
    };
    if text.len() > MAX_MESSAGE_BYTES {
        return Input::TooLarge;
    }
    match serde_json::from_str(text) {
        Ok(message) => Input::Message(message),
        Err(error) => Input::Unreadable(error.to_string()),
    }
}

/// What a failed read tells the hub, if the other side can still be told.
fn last_input(error: axum::Error) -> Option<Input> {
    let error = error.into_inner();
    match error.downcast_ref::<WsError>()? {
        WsError::Capacity(_) => Some(Input::TooLarge),
        WsError::Utf8(_) => Some(Input::Unreadable("text has to be UTF-8".to_owned())),
        error => {
            debug!(%error, "WebSocket");
            None
        }
    }
}

/// How a writer ended.
enum Written {
    /// All was written, and a close after it.
    All,
    /// The other side takes nothing, or is gone.
    Stuck,
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut letters: Letters) -> Written {
    loop {
        let (message, last) = match letters.next().await {
            Some(text) => (Message::Text(text), false),
            None => (Message::Close(None), true),
        };
        // Taking nothing for so long is a silence, too.
        match time::timeout(SILENCE_LIMIT, sink.send(message)).await {
            Ok(Ok(())) if last => return Written::All,
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Written::Stuck,
        }
    }
}

async fn say(events: &mpsc::Sender<Event>, conn: ConnId, input: Input) {
    // Without a hub the server is stopping, and the connection with it.
    let _ = events.send(Event::Input(conn, input)).await;
}
