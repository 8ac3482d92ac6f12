//! The signalling socket: JSON messages over one WebSocket, every wait bounded.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use quartet_proto::{
    ClientMessage, ServerMessage, ServerUrl,
    limits::{MAX_MESSAGE_BYTES, SILENCE_LIMIT},
};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};
use tokio_util::sync::CancellationToken;

use crate::input::{Generation, Input, SocketNews};

/// Name lookup, TCP, TLS and the upgrade together: five round trips of a bad mobile network.
const CONNECT_DEADLINE: Duration = Duration::from_secs(8);
/// A server that takes nothing for this long is gone, as is one that says nothing.
const SEND_DEADLINE: Duration = SILENCE_LIMIT;
/// What is left to say at the end (`leave`) may take this long, the closing included.
const FLUSH_DEADLINE: Duration = Duration::from_millis(500);
/// Messages that wait to be sent: four peers' offers and candidates several times over. A server
/// that lets more pile up is treated as gone.
pub(crate) const OUTGOING_QUEUE: usize = 256;

/// Why a socket is of no use (any more). Without addresses, for logs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("{0} took too long")]
    Deadline(&'static str),
    #[error("the server closed the connection")]
    Closed,
    #[error("the connection failed: {0}")]
    Failed(&'static str),
}

/// What came from the server.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(ServerMessage),
    /// It is not a message of this protocol.
    Unreadable,
}

/// A connected WebSocket.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn connect(server: &ServerUrl) -> Result<Self, SocketError> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let connecting = connect_async_with_config(server.websocket(), Some(config), true);
        match timeout(CONNECT_DEADLINE, connecting).await {
            Ok(Ok((stream, _response))) => Ok(Self(stream)),
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err(SocketError::Deadline("connecting")),
        }
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) -> Result<(), SocketError> {
        // The types are plain: strings, numbers and lists always have a JSON form.
        let text = serde_json::to_string(message).map_err(|_| SocketError::Failed("encoding"))?;
        match timeout(SEND_DEADLINE, self.0.send(Message::text(text))).await {
            Ok(result) => result.map_err(|error| describe(&error)),
            Err(_) => Err(SocketError::Deadline("sending")),
        }
    }

    /// What comes next. Cancelling it loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Incoming, SocketError> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(
                        serde_json::from_str(&text).map_or(Incoming::Unreadable, Incoming::Message)
                    );
                }
                Some(Ok(Message::Binary(_))) => return Ok(Incoming::Unreadable),
                // Answered below; our own heartbeat is a message.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Err(SocketError::Closed),
                Some(Err(error)) => return Err(describe(&error)),
            }
        }
    }

    async fn close(mut self) {
        let _ = self.0.close(None).await;
        // Until the server has closed too: what was sent last may else be lost to a reset.
        while let Some(Ok(_)) = self.0.next().await {}
    }
}

/// The task of a call's socket: connects, then carries messages both ways until the server is gone
/// or `outgoing` is closed; what was put in there before is still sent.
///
/// `hang_up` ends the wait for the connection, and bounds that last sending.
pub(crate) async fn run(
    server: ServerUrl,
    generation: Generation,
    outgoing: mpsc::Receiver<ClientMessage>,
    inputs: mpsc::Sender<Input>,
    hang_up: CancellationToken,
) {
    let connected = tokio::select! {
        () = hang_up.cancelled() => return,
        connected = Socket::connect(&server) => connected,
    };
    let carried = match connected {
        Ok(socket) => {
            let end = async {
                hang_up.cancelled().await;
                sleep(FLUSH_DEADLINE).await;
            };
            tokio::select! {
                carried = carry(socket, generation, outgoing, &inputs) => carried,
                () = end => Err(SocketError::Deadline("saying the last words")),
            }
        }
        Err(error) => Err(error),
    };
    if let Err(error) = carried {
        tracing::warn!(%error, "no signalling connection");
        // A closed queue is the engine's end.
        let _ = inputs.send(Input::Socket(generation, SocketNews::Failed(error))).await;
    }
}

/// Until the server is gone, or, which is good, until `outgoing` is closed and empty.
async fn carry(
    mut socket: Socket,
    generation: Generation,
    mut outgoing: mpsc::Receiver<ClientMessage>,
    inputs: &mpsc::Sender<Input>,
) -> Result<(), SocketError> {
    // A closed input queue is the engine's end: what is left to send still goes out.
    let say = async |news| drop(inputs.send(Input::Socket(generation, news)).await);
    say(SocketNews::Opened).await;
    let mut warned = false;
    loop {
        tokio::select! {
            message = outgoing.recv() => match message {
                Some(message) => socket.send(&message).await?,
                None => {
                    socket.close().await;
                    return Ok(());
                }
            },
            incoming = socket.next() => match incoming? {
                Incoming::Message(message) => say(SocketNews::Message(message)).await,
                Incoming::Unreadable if warned => {}
                Incoming::Unreadable => {
                    warned = true;
                    say(SocketNews::Unreadable).await;
                }
            },
        }
    }
}

/// The kind of error; its own text may name addresses.
fn describe(error: &tungstenite::Error) -> SocketError {
    use tungstenite::{Error, error::ProtocolError};
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => SocketError::Closed,
        Error::Io(error) => match tls_error(error) {
            Some(rustls::Error::InvalidCertificate(_)) => {
                SocketError::Failed("the server's certificate is not valid or not trusted")
            }
            Some(_) => SocketError::Failed("no encrypted connection could be agreed on"),
            None => SocketError::Failed("the network"),
        },
        Error::Tls(_) => SocketError::Failed("no encrypted connection could be agreed on"),
        Error::Capacity(_) => SocketError::Failed("a message was too large"),
        Error::Http(_) | Error::HttpFormat(_) => SocketError::Failed("this is no Quartet server"),
        Error::Url(_) => SocketError::Failed("the server's address"),
        _ => SocketError::Failed("the server broke the WebSocket protocol"),
    }
}

/// What rustls said of a handshake, which comes as an error of the stream.
fn tls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
