//! A wire-tap on the way to the signalling server, which knows what every client said.

use std::{net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use quartet_proto::ClientMessage;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

/// Ends with its value.
pub(crate) struct Tap {
    address: SocketAddr,
    streams: Arc<Mutex<Vec<Stream>>>,
    _runtime: Runtime,
}

/// What one client sent, from the first byte on.
type Stream = Arc<Mutex<Vec<u8>>>;

impl Tap {
    /// In front of the server at `server`.
    pub(crate) fn before(server: SocketAddr) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let streams = Arc::<Mutex<Vec<Stream>>>::default();
        let heard = Arc::clone(&streams);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let stream = Stream::default();
                heard.lock().push(Arc::clone(&stream));
                tokio::spawn(pass(client, server, stream));
            }
        });
        Self { address, streams, _runtime: runtime }
    }

    /// Its origin.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every message that any client has sent so far, as it was written.
    pub(crate) fn texts(&self) -> Vec<String> {
        let streams = self.streams.lock();
        streams.iter().flat_map(|stream| websocket_texts(&stream.lock())).collect()
    }

    /// The same, read.
    pub(crate) fn messages(&self) -> Vec<ClientMessage> {
        self.texts().iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }
}

async fn pass(client: TcpStream, server: SocketAddr, said: Stream) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            said.lock().extend(&buffer[..length]);
            if to_server.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        let _gone = to_server.shutdown().await;
    };
    tokio::join!(up, async {
        let _gone = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _gone = to_client.shutdown().await;
    });
}

/// The texts in what a client sent after the head that asked for a WebSocket (RFC 6455 §5.2); none
/// of another kind of request.
fn websocket_texts(bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { return texts };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    if !head.contains("upgrade: websocket") {
        return texts;
    }
    let mut rest = &bytes[end + 4..];
    while let [first, second, more @ ..] = rest {
        assert_ne!(second & 0x80, 0, "what a client says is masked");
        let (length, more) = match (second & 0x7f, more) {
            (126, [a, b, more @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), more),
            (126 | 127, _) => break,
            (short, more) => (usize::from(short), more),
        };
        let Some((mask, more)) = more.split_first_chunk::<4>() else { break };
        let Some((payload, more)) = more.split_at_checked(length) else { break };
        if first & 0x0f == 1 {
            assert_ne!(first & 0x80, 0, "nobody here sends messages in parts");
            let plain = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            texts.push(String::from_utf8(plain.collect()).unwrap());
        }
        rest = more;
    }
    texts
}
