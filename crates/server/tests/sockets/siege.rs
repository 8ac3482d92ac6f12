//! All that is hostile at once, for longer than any deadline, while two people talk.
//!
//! The attackers come from this machine, which no limit by address holds back: what stands against
//! them here are the deadlines and the limits of all together.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, future::join_all};
use quartet_proto::{
    ClientMessage, DescriptionKind, ErrorCode, MediaState, RoomId, RoomPolicy, ServerMessage,
    SessionKey,
    limits::{MAX_SDP_BYTES, MESSAGES_PER_SECOND, ROOM_CAPACITY},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::{
    client::{Client, PATIENCE, PROOF, http, key, room},
    site::start_programs,
};

/// Longer than a request's head or a silent connection may take.
const SIEGE: Duration = Duration::from_secs(7);
/// Of each kind; of those that only open connections, more than there are places for.
const FEW: usize = 4;
const MANY: usize = 600;
const DRIBBLE: Duration = Duration::from_millis(100);
const LARGE: usize = 10_000_000;
/// How much longer than an echo a message may take, compared with before.
const SLOWEST: f64 = 500.0;
/// Bytes that a node may need for all of it: its places for HTTP connections, most of them, and what
/// waits for those who do not read.
const MEMORY: u64 = 64 * 1024 * 1024;
/// In what is said by those who are attacked and by the attackers; the log must not have it.
const WORD: &str = "secretword";

/// What two people who exchange messages see of the load: how long a message takes, and beside it
/// how long an echo takes on the same machine at the same time.
struct Talk {
    a: Client,
    b: Client,
    echo: std::net::TcpStream,
    epoch: u32,
}

impl Talk {
    async fn between(a: SocketAddr, b: SocketAddr) -> Self {
        let mut a = Client::joined(a, room(1), 1).await;
        let b = Client::joined(b, room(1), 2).await;
        a.expect_peer_joined(key(2).peer_id()).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let echo = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        echo.set_nodelay(true).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        thread::spawn(move || {
            let mut byte = [0];
            while other.read_exact(&mut byte).is_ok() && other.write_all(&byte).is_ok() {}
        });
        Self { a, b, echo, epoch: 0 }
    }

    /// For so long: how often a message took as long as the echo, in the middle.
    async fn slowness(&mut self, time: Duration) -> f64 {
        // Well below what the limit of messages allows.
        let mut pace = interval(Duration::from_secs(1) / (MESSAGES_PER_SECOND * 2 / 3));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut relays, mut echoes) = (Vec::new(), Vec::new());
        let end = Instant::now() + time;
        while Instant::now() < end {
            pace.tick().await;
            let begin = Instant::now();
            let mut byte = [7];
            self.echo.write_all(&byte).unwrap();
            self.echo.read_exact(&mut byte).unwrap();
            echoes.push(begin.elapsed());
            let begin = Instant::now();
            self.epoch += 1;
            let (epoch, from) = (self.epoch, key(1).peer_id());
            let to = key(2).peer_id();
            self.a.send(ClientMessage::Negotiate { to, epoch, renew: false }).await;
            let said = ServerMessage::Negotiate { from, epoch, renew: false };
            assert_eq!(self.b.next().await, said);
            relays.push(begin.elapsed());
            if epoch.is_multiple_of(MESSAGES_PER_SECOND) {
                self.b.expect_alive().await;
            }
        }
        let nine_tenths = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            times[times.len() * 9 / 10].as_secs_f64()
        };
        let (relay, echo) = (nine_tenths(&mut relays), nine_tenths(&mut echoes));
        println!("{} messages: {:.3} ms, echo {:.3} ms", relays.len(), relay * 1e3, echo * 1e3);
        relay / echo
    }
}

/// Says so many bytes of a head, one after the other, and never the last.
async fn dribble(address: SocketAddr, head: &str) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    for byte in head.bytes().chain(std::iter::repeat(b'a')) {
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        sleep(DRIBBLE).await;
    }
}

async fn say_nothing(address: SocketAddr) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    let _ = stream.read(&mut [0; 16]).await;
}

/// A connection, unless the server is full just now.
async fn visitor(address: SocketAddr) -> Option<Client> {
    let client = Client::try_connect(address).await;
    if client.is_none() {
        sleep(DRIBBLE).await;
    }
    client
}

/// A client of somebody else's room, that will do no good there.
async fn guest(address: SocketAddr, n: u8) -> Option<Client> {
    let mut client = visitor(address).await?;
    let hello = r#"{"type":"hello","version":2,"client":"secretword"}"#;
    client.socket.send(Message::text(hello)).await.ok()?;
    client.socket.send(Message::text(join_text(room(2), key(n)))).await.ok()?;
    Some(client)
}

fn join_text(room: RoomId, key: SessionKey) -> String {
    let (media, policy) = (MediaState::default(), RoomPolicy::Open);
    let join =
        ClientMessage::Join { room, key, name: WORD.to_owned(), media, policy, members: None };
    serde_json::to_string(&join).unwrap()
}

/// Sends such frames until it is stopped.
async fn send_on(mut client: Client, frame: impl Fn(u32) -> Message) {
    for number in 0.. {
        if client.socket.send(frame(number)).await.is_err() {
            return;
        }
    }
}

fn part(opcode: Data, last: bool, bytes: &'static [u8]) -> Message {
    Message::Frame(Frame::message(bytes, OpCode::Data(opcode), last))
}

/// What an attacker of some kind does, once.
async fn attack(kind: usize, address: SocketAddr) {
    let upgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    match kind {
        0 => dribble(address, "GET /j HTTP/1.1\r\nHost: a\r\nX-Word: secretword").await,
        1 => dribble(address, upgrade).await,
        2 => say_nothing(address).await,
        // Binary frames without end.
        3 => {
            let Some(client) = guest(address, 9).await else { return };
            send_on(client, |_| Message::binary(WORD.as_bytes())).await;
        }
        // Messages of ten megabytes.
        4 => {
            let Some(client) = guest(address, 10).await else { return };
            let text = WORD.repeat(LARGE / WORD.len());
            send_on(client, |_| Message::text(text.clone())).await;
        }
        // One message in pieces of nothing, without an end.
        5 => {
            let Some(client) = guest(address, 11).await else { return };
            send_on(client, |number| match number {
                0 => part(Data::Text, false, b"{"),
                _ => part(Data::Continue, false, b""),
            })
            .await;
        }
        // And in pieces of a byte, until it is too large.
        6 => {
            let Some(client) = guest(address, 12).await else { return };
            send_on(client, |number| match number {
                0 => part(Data::Text, false, b"{"),
                _ => part(Data::Continue, false, b" "),
            })
            .await;
        }
        // What is no UTF-8.
        7 => {
            let Some(client) = guest(address, 13).await else { return };
            send_on(client, |_| part(Data::Text, true, &[0xC3, 0x28])).await;
        }
        // Pings without end, of both kinds.
        8 => {
            let Some(client) = visitor(address).await else { return };
            send_on(client, |number| match number % 2 {
                0 => Message::text(r#"{"type":"ping","nonce":1}"#),
                _ => Message::Ping(WORD.as_bytes().into()),
            })
            .await;
        }
        // Nonsense, as quickly as it goes.
        9 => {
            let Some(client) = visitor(address).await else { return };
            send_on(client, |_| Message::text(r#"{"type":"join","name":"secretword"}"#)).await;
        }
        // Descriptions for somebody who does not read.
        10 => {
            let Some(_deaf) = guest(address, 14).await else { return };
            let Some(client) = guest(address, 15).await else { return };
            let (to, kind) = (key(14).peer_id(), DescriptionKind::Offer);
            let sdp = WORD.repeat(MAX_SDP_BYTES / WORD.len());
            let offer = ClientMessage::Description { to, epoch: 1, kind, sdp, proof: PROOF };
            let offer = serde_json::to_string(&offer).unwrap();
            send_on(client, |_| Message::text(offer.clone())).await;
        }
        _ => unreachable!("{KINDS} kinds"),
    }
}

const KINDS: usize = 11;

/// Beside those who talk, which is not to be slow for the attackers' own work.
fn attackers() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[tokio::test]
async fn two_people_talk_on_through_a_siege() {
    let programs = start_programs(&[]);
    let (node, other) = (programs.address(0), programs.address(1));
    let mut talk = Talk::between(node, other).await;
    let before = talk.slowness(Duration::from_secs(2)).await;
    let memory_before = programs.memory();

    let attacks: Arc<[AtomicUsize; KINDS]> = Arc::default();
    let siege = attackers();
    for kind in 0..KINDS {
        for _ in 0..if kind < 3 { MANY / 3 } else { FEW } {
            let attacks = Arc::clone(&attacks);
            siege.spawn(async move {
                loop {
                    attack(kind, node).await;
                    attacks[kind].fetch_add(1, Relaxed);
                }
            });
        }
    }
    let during = talk.slowness(SIEGE).await;
    // Who comes now is let in, too.
    let page = timeout(PATIENCE, http(node, "GET", "/j")).await.expect("an answer");
    assert_eq!(page.status, 200);
    let memory_during = programs.memory();
    let ended: Vec<usize> = attacks.iter().map(|count| count.load(Relaxed)).collect();
    siege.shutdown_background();
    println!("slowness {before:.1}, then {during:.1}");
    println!("memory {memory_before}, then {memory_during}; attacks ended {ended:?}");
    // A message needs several threads one after the other, which share what cores there are with the
    // attackers' own, and the echo needs none of theirs: up to a hundred times as slow is the
    // machine's doing. To wait for a single deadline of an attacker would be tens of thousands.
    assert!(during < SLOWEST * before.max(2.0), "{before:.1} times the echo, then {during:.1}");
    let grown = memory_during.saturating_sub(memory_before);
    assert!(grown < MEMORY, "{grown} bytes more for what attacks");
    // Each was ended by the server, again and again.
    assert!(ended.iter().all(|count| *count >= FEW), "{ended:?}");

    // Nothing of it stays.
    let left = async {
        loop {
            talk.a.expect_alive().await;
            talk.b.expect_alive().await;
            let figures = http(node, "GET", "/metrics").await.body;
            // Somebody of another node counts where the room is.
            if figures.contains("\nquartet_connections 2\n") {
                break;
            }
            sleep(DRIBBLE).await;
        }
    };
    timeout(2 * PATIENCE, left).await.expect("all gone");
    for log in programs.end() {
        for word in [WORD, "127.0.0.1", "203.0.113", &String::from(room(2)), "Guest"] {
            assert!(!log.contains(word), "{word} in {log}");
        }
    }
}

/// As many connections as that takes, where the system lets us.
fn allow_files(wanted: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard >= wanted, "{wanted} open files have to be allowed (ulimit -Hn)");
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).unwrap();
    }
}

#[tokio::test]
async fn of_a_thousand_who_join_at_once_as_many_get_in_as_may() {
    const CROWD: usize = 1_000;
    const MAX: usize = 800;
    // And those of the tests beside this one.
    allow_files(2 * CROWD as u64);
    let programs = start_programs(&["--max-connections", &MAX.to_string()]);
    let node = programs.address(0);
    let mut talk = Talk::between(node, programs.address(1)).await;
    let before = talk.slowness(Duration::from_secs(1)).await;
    let siege = attackers();
    let crowd = siege.spawn(join_all((0..CROWD).map(|n| async move {
        let mut client = Client::try_connect(node).await?;
        let number = u64::try_from(n).unwrap();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(number / ROOM_CAPACITY as u64 + 1).to_be_bytes());
        let room = RoomId::from_bytes(bytes);
        bytes[..8].copy_from_slice(&(number + 1).to_be_bytes());
        let key = SessionKey::from_bytes(bytes);
        client.socket.send(Message::text(r#"{"type":"hello","version":2,"client":""}"#)).await.ok();
        client.socket.send(Message::text(join_text(room, key))).await.ok();
        loop {
            match client.try_next().await? {
                ServerMessage::Welcome { .. } => return Some((client, true)),
                ServerMessage::Error { code, .. } => {
                    assert_eq!(code, ErrorCode::ServerFull);
                    return Some((client, false));
                }
                _ => {}
            }
        }
    })));
    let during = talk.slowness(Duration::from_secs(2)).await;
    assert!(during < SLOWEST * before.max(2.0), "{before:.1} times the echo, then {during:.1}");
    let crowd = timeout(PATIENCE, crowd).await.expect("everybody is answered").unwrap();
    let inside = crowd.iter().flatten().filter(|(_, inside)| *inside).count();
    let members = if programs.count() == 1 { 2 } else { 1 };
    assert_eq!(inside, MAX - members);
    println!(
        "{inside} in, {} told, {} turned away",
        crowd.iter().flatten().count() - inside,
        crowd.iter().filter(|it| it.is_none()).count()
    );
    drop(crowd);
    drop(programs.end());
    siege.shutdown_background();
}
