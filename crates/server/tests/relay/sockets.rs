//! The relay on real sockets, beside the server that hands out credentials for it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use quartet_proto::{ClientMessage, IceServer, MediaState, RoomPolicy, ServerMessage};
use quartet_server::{RelayOptions, Server, ServerConfig};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use crate::{
    asker::{Asker, Heard},
    client::{Client, PATIENCE, http, key, room},
};

fn start() -> Server {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let relay = Some(RelayOptions::at(local));
    Server::start(ServerConfig { relay, ..ServerConfig::at(local) }).unwrap()
}

/// What somebody who joins is told.
async fn welcome(server: SocketAddr, n: u8) -> (Client, Vec<IceServer>) {
    let mut client = Client::greeted(server).await;
    let (media, policy) = (MediaState::default(), RoomPolicy::Open);
    let (room, key, name) = (room(1), key(n), "Guest".to_owned());
    client.send(ClientMessage::Join { room, key, name, media, policy, members: None }).await;
    match client.next().await {
        ServerMessage::Welcome { ice_servers, .. } => (client, ice_servers),
        other => panic!("{other:?}"),
    }
}

async fn metrics(server: &Server) -> String {
    http(server.local_addr(), "GET", "/metrics").await.body
}

/// Somebody's way to the relay, by UDP or TCP.
enum Line {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Line {
    async fn udp(relay: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.connect(relay).await.unwrap();
        Self::Udp(socket)
    }

    async fn tcp(relay: SocketAddr) -> Self {
        Self::Tcp(TcpStream::connect(relay).await.unwrap())
    }

    async fn say(&mut self, bytes: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send(bytes).await.unwrap()),
            Self::Tcp(stream) => {
                stream.write_all(bytes).await.unwrap();
                stream
                    .write_all(&[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()])
                    .await
                    .unwrap();
            }
        }
    }

    async fn hear(&mut self) -> Heard {
        let next = async {
            match self {
                Self::Udp(socket) => {
                    let mut bytes = vec![0; 2048];
                    let length = socket.recv(&mut bytes).await.unwrap();
                    bytes.truncate(length);
                    bytes
                }
                Self::Tcp(stream) => {
                    let mut bytes = vec![0; 4];
                    stream.read_exact(&mut bytes).await.unwrap();
                    let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                    let whole = if bytes[0] >> 6 == 0 { 20 + length } else { 4 + length };
                    bytes.resize(whole.next_multiple_of(4), 0);
                    stream.read_exact(&mut bytes[4..]).await.unwrap();
                    bytes.truncate(whole);
                    bytes
                }
            }
        };
        Heard::of(&timeout(PATIENCE, next).await.expect("the relay answers"))
    }

    async fn ask(&mut self, bytes: &[u8]) -> Heard {
        self.say(bytes).await;
        self.hear().await
    }

    /// An allocation with what the server handed out.
    async fn allocate(&mut self, login: &IceServer) -> (Asker, SocketAddr) {
        let (username, password) = (login.username.as_ref(), login.credential.as_ref());
        let mut asker = Asker::new(username.unwrap(), password.unwrap());
        asker.nonce = self.ask(&asker.allocate()).await.nonce.unwrap();
        let heard = self.ask(&asker.allocate()).await;
        (asker, heard.relayed.unwrap_or_else(|| panic!("{heard:?}")))
    }
}

#[tokio::test]
async fn everybody_who_joins_is_handed_the_relay_and_it_relays_by_udp_and_tcp() {
    let server = start();
    let relay = server.relay_addr().unwrap();
    let (_ann, for_ann) = welcome(server.local_addr(), 1).await;
    let (_bo, for_bo) = welcome(server.local_addr(), 2).await;
    let urls: Vec<_> = for_ann.iter().flat_map(|it| it.urls.clone()).collect();
    assert_eq!(
        urls,
        [
            format!("stun:{relay}"),
            format!("turn:{relay}?transport=udp"),
            format!("turn:{relay}?transport=tcp")
        ]
    );
    assert!(for_ann[1].username.as_ref().unwrap().ends_with(&format!(":{}", key(1).peer_id())));
    assert_ne!(for_ann[1], for_bo[1]);

    let (mut by_udp, mut by_tcp) = (Line::udp(relay).await, Line::tcp(relay).await);
    let (ann, ann_at) = by_udp.allocate(&for_ann[1]).await;
    let (bo, bo_at) = by_tcp.allocate(&for_bo[1]).await;
    assert!(by_udp.ask(&ann.permit(bo_at)).await.is_done());
    assert!(by_tcp.ask(&bo.bind(0x4000, ann_at)).await.is_done());
    by_udp.say(&Asker::send(bo_at, b"hello")).await;
    assert_eq!(by_tcp.hear().await.data, Some((None, b"hello".to_vec())));
    by_tcp.say(&Asker::by_channel(0x4000, b"hello back")).await;
    assert_eq!(by_udp.hear().await.data, Some((Some(bo_at), b"hello back".to_vec())));
    let page = metrics(&server).await;
    assert!(page.contains("\nquartet_relay_allocations 2\n"), "{page}");
    assert!(page.contains("\nquartet_relay_bytes_total 30\n"), "{page}");
    // What came by the stream ends with it.
    drop(by_tcp);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !metrics(&server).await.contains("\nquartet_relay_allocations 1\n") {
        assert!(tokio::time::Instant::now() < deadline, "the allocation outlives its stream");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop().await;
    // Nothing of it is left: the port is free again.
    UdpSocket::bind(relay).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn the_program_relays_when_asked_to_and_logs_nobody() {
    let program = crate::program::Program::start(&["--turn-listen", "127.0.0.1:0"]);
    let (_ann, for_ann) = welcome(program.address(), 1).await;
    let relay = for_ann[0].urls[0].strip_prefix("stun:").unwrap().parse().unwrap();
    let mut line = Line::udp(relay).await;
    let (ann, relayed) = line.allocate(&for_ann[1]).await;
    assert!(line.ask(&ann.permit(relayed)).await.is_done());
    // Only another relayed end is there, and nothing of the host.
    let home = SocketAddr::from(([192, 168, 0, 1], 53));
    assert_eq!(line.ask(&ann.permit(home)).await.error, Some(403));
    line.say(b"garbage").await;
    program.signal("TERM");
    let (status, log) = program.ended();
    assert!(status.success(), "{log}");
    for secret in [&ann.username, &ann.password, &relayed.to_string(), "192.168"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(log.contains("relaying"), "{log}");
}

#[tokio::test]
async fn garbage_stops_neither_the_relay_nor_the_server() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let server = start();
    let relay = server.relay_addr().unwrap();
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for _ in 0..20_000 {
        let length = if random.u8(..) == 0 { 5000 } else { random.usize(0..200) };
        let mut bytes: Vec<_> = (0..length).map(|_| random.u8(..)).collect();
        if random.bool() && length >= 20 {
            // Looks like STUN at first.
            bytes[0] &= 0x3f;
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        }
        let _full = stranger.try_send_to(&bytes, relay);
    }
    for first in [0x00, 0x40, 0x80, 0xff] {
        let mut stream = TcpStream::connect(relay).await.unwrap();
        // It may be closed before it has taken all.
        let _gone = stream.write_all(&[first; 70_000]).await;
        let mut rest = Vec::new();
        let _reset = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it is closed");
    }
    let (_ann, for_ann) = welcome(server.local_addr(), 1).await;
    Line::udp(relay).await.allocate(&for_ann[1]).await;
    Line::tcp(relay).await.allocate(&for_ann[1]).await;
    server.stop().await;
}
