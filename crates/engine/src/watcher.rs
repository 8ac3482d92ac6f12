//! Says who is in a room without entering it, for the green room.

use std::time::Duration;

use quartet_proto::{
    ClientMessage, ErrorCode, JoinLink, PROTOCOL_VERSION, ServerMessage,
    limits::{PING_INTERVAL, SILENCE_LIMIT},
};
use tokio::{
    sync::mpsc,
    time::{Instant, interval, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    input::{Generation, Input, WatchNews},
    socket::{Incoming, Socket, SocketError},
};

/// For the server's statistics.
const CLIENT: &str = concat!("quartet/", env!("CARGO_PKG_VERSION"));
/// Between two tries: a person in the green room sees the server's return soon, and a server that
/// comes back is not stormed (each green room is one connection in two seconds).
const RETRY: Duration = Duration::from_secs(2);

/// The task of a watcher: until `cancel`, through as many connections as it takes.
pub(crate) async fn run(
    link: JoinLink,
    generation: Generation,
    inputs: mpsc::Sender<Input>,
    cancel: CancellationToken,
) {
    let watching = async {
        loop {
            let Err(error) = watch(&link, generation, &inputs).await;
            tracing::debug!(%error, "the watched room's server is not reached");
            if inputs.send(Input::Watch(generation, WatchNews::Unknown)).await.is_err() {
                return;
            }
            sleep(RETRY).await;
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = watching => {}
    }
}

/// One connection, until it fails.
async fn watch(
    link: &JoinLink,
    generation: Generation,
    inputs: &mpsc::Sender<Input>,
) -> Result<std::convert::Infallible, SocketError> {
    let mut socket = Socket::connect(&link.server).await?;
    let hello = ClientMessage::Hello { version: PROTOCOL_VERSION, client: CLIENT.to_owned() };
    socket.send(&hello).await?;
    socket.send(&ClientMessage::Watch { room: link.secret.room_id() }).await?;
    let mut ping = interval(PING_INTERVAL);
    let mut nonce = 0_u32;
    let mut silent_at = Instant::now() + SILENCE_LIMIT;
    loop {
        tokio::select! {
            _ = ping.tick() => {
                nonce = nonce.wrapping_add(1);
                socket.send(&ClientMessage::Ping { nonce }).await?;
            }
            () = sleep_until(silent_at) => return Err(SocketError::Deadline("the server's answer")),
            incoming = socket.next() => {
                silent_at = Instant::now() + SILENCE_LIMIT;
                match incoming? {
                    Incoming::Message(ServerMessage::Roster { peers, policy }) => {
                        let news = Input::Watch(generation, WatchNews::Roster(peers, policy));
                        inputs.send(news).await.map_err(|_| SocketError::Closed)?;
                    }
                    // A limit was met, or rooms cannot be looked into for a moment.
                    Incoming::Message(ServerMessage::Error {
                        code: ErrorCode::ServerFull | ErrorCode::Unavailable,
                        ..
                    }) => {
                        return Err(SocketError::Failed("nobody may look into the room now"));
                    }
                    Incoming::Message(_) | Incoming::Unreadable => {}
                }
            }
        }
    }
}
