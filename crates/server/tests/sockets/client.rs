//! A participant made of nothing but a WebSocket, and a plain HTTP request.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use quartet_proto::{
    ClientMessage, ErrorCode, MediaState, PROTOCOL_VERSION, PeerId, PeerInfo, Proof, RoomId,
    RoomPolicy, ServerMessage, SessionKey, Word,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async};
use tungstenite::{Message, client::IntoClientRequest as _};

/// How long something may take that should take no time, on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Of anything: a server looks at none.
pub(crate) const PROOF: Proof =
    Proof { word: Word::from_bytes([1; 32]), mac: Word::from_bytes([2; 32]) };

pub(crate) fn room(n: u8) -> RoomId {
    RoomId::from_bytes([n; 16])
}

pub(crate) fn key(n: u8) -> SessionKey {
    SessionKey::from_bytes([n; 16])
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

impl Client {
    /// Connected, without a word.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    /// Connected, if the server takes it.
    #[allow(dead_code, reason = "some systems have no test that needs it")]
    pub(crate) async fn try_connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        let request = format!("ws://{address}/ws").into_client_request().unwrap();
        let (socket, _) = client_async(request, stream).await.ok()?;
        Some(Self { socket })
    }

    /// Connected with little space for what it does not read.
    pub(crate) async fn connect_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket.connect(address).await.unwrap()).await
    }

    async fn over(stream: TcpStream) -> Self {
        Self::over_with(stream, &[]).await
    }

    /// Connected as a proxy would, in the name of somebody else.
    #[allow(dead_code, reason = "the tests of several servers have no proxy")]
    pub(crate) async fn forwarded(address: SocketAddr, client: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over_with(stream, &[("x-forwarded-for", client)]).await
    }

    async fn over_with(stream: TcpStream, headers: &[(&'static str, &str)]) -> Self {
        let url = format!("ws://{}/ws", stream.peer_addr().unwrap());
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = client_async(request, stream).await.unwrap();
        Self { socket }
    }

    /// Connected and greeted.
    pub(crate) async fn greeted(address: SocketAddr) -> Self {
        let mut client = Self::connect(address).await;
        client.greet().await;
        client
    }

    pub(crate) async fn greet(&mut self) {
        self.send(ClientMessage::Hello { version: PROTOCOL_VERSION, client: "test".into() }).await;
        assert!(matches!(self.next().await, ServerMessage::Hello { .. }));
    }

    /// In the room; gives back who else is.
    pub(crate) async fn join(&mut self, room: RoomId, key: SessionKey) -> Vec<PeerInfo> {
        let name = format!("Guest {}", key.peer_id());
        let media = MediaState::default();
        let you = key.peer_id();
        let (policy, members) = (RoomPolicy::Open, None);
        self.send(ClientMessage::Join { room, key, name, media, policy, members }).await;
        match self.next().await {
            ServerMessage::Welcome { you: id, peers, .. } => {
                assert_eq!(id, you);
                peers
            }
            other => panic!("expected a welcome: {other:?}"),
        }
    }

    /// Connected, greeted and in the room.
    pub(crate) async fn joined(address: SocketAddr, room: RoomId, n: u8) -> Self {
        let mut client = Self::greeted(address).await;
        client.join(room, key(n)).await;
        client
    }

    pub(crate) async fn send(&mut self, message: ClientMessage) {
        self.send_text(serde_json::to_string(&message).unwrap()).await;
    }

    pub(crate) async fn send_text(&mut self, text: impl Into<String>) {
        self.send_frame(Message::text(text.into())).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Message) {
        timeout(PATIENCE, self.socket.send(frame)).await.expect("taken").expect("connected");
    }

    /// The next message; panics when there is none for a while.
    pub(crate) async fn next(&mut self) -> ServerMessage {
        self.try_next().await.expect("connected")
    }

    /// The next message, or `None` when the connection has ended.
    pub(crate) async fn try_next(&mut self) -> Option<ServerMessage> {
        loop {
            let frame = timeout(PATIENCE, self.socket.next()).await.expect("something comes");
            match frame {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub(crate) async fn expect_error(&mut self, expected: ErrorCode) {
        match self.next().await {
            ServerMessage::Error { code, message } => {
                assert_eq!(code, expected, "{message}");
                assert!(!message.is_empty());
            }
            other => panic!("expected {expected:?}: {other:?}"),
        }
    }

    /// An orderly end: a close frame, not a reset.
    pub(crate) async fn expect_close(&mut self) {
        let frame = timeout(PATIENCE, self.socket.next()).await.expect("something comes");
        assert!(matches!(frame, Some(Ok(Message::Close(_)))), "{frame:?}");
    }

    /// Still served: a ping is answered, and nothing comes before the answer.
    pub(crate) async fn expect_alive(&mut self) {
        self.send(ClientMessage::Ping { nonce: 4711 }).await;
        assert_eq!(self.next().await, ServerMessage::Pong { nonce: 4711 });
    }

    pub(crate) async fn expect_peer_joined(&mut self, who: PeerId) {
        match self.next().await {
            ServerMessage::PeerJoined { peer } => assert_eq!(peer.id, who),
            other => panic!("expected somebody to join: {other:?}"),
        }
    }
}

pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// As text, which a compressed one is not.
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) async fn http(address: SocketAddr, method: &str, path: &str) -> HttpAnswer {
    http_with(address, method, path, "").await
}

/// With further lines of the head, each with its end.
pub(crate) async fn http_with(
    address: SocketAddr,
    method: &str,
    path: &str,
    lines: &str,
) -> HttpAnswer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{lines}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let (head, bytes) = (str::from_utf8(&answer[..end]).unwrap(), answer[end + 4..].to_vec());
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    HttpAnswer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), bytes }
}
