//! A node dies, or Redis is away: who is in a call stays in it, and finds the others again.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use quartet_proto::{
    ClientMessage, ErrorCode, MediaState, PeerInfo, RoomPolicy, ServerMessage,
    limits::PING_INTERVAL,
};
use tokio::time::{sleep, timeout};

use crate::{
    client::{Client, http, key, room},
    program::Program,
    redis::Redis,
    site::{Site, joins_work, start},
};

/// A lease of a dead node ends, links to it are given up, and somebody comes back after that.
const COME_BACK: Duration = Duration::from_secs(20);
/// Between two tries of a client that is not let in.
const PAUSE: Duration = Duration::from_millis(200);

/// A node in a process of its own, which can be killed.
struct Process(Program, SocketAddr);

impl Process {
    fn start(redis: &Redis, name: &str) -> Self {
        let mut command = Program::command(&["--node", name]);
        let program = Program::run(command.env("QUARTET_REDIS", redis.url()));
        let address = program.address();
        Self(program, address)
    }

    fn kill(&mut self) {
        self.0.kill();
    }
}

fn join(n: u8) -> ClientMessage {
    ClientMessage::Join {
        room: room(1),
        key: key(n),
        name: format!("Guest {n}"),
        media: MediaState::default(),
        policy: RoomPolicy::default(),
        members: None,
    }
}

/// Tries until it is in, as a client does whose connection was lost.
async fn come_back(address: SocketAddr, n: u8) -> (Client, Vec<PeerInfo>) {
    let mut client = Client::greeted(address).await;
    let tries = async {
        loop {
            client.send(join(n)).await;
            loop {
                // Whoever says nothing is taken for lost.
                let Ok(message) = timeout(PING_INTERVAL, client.next()).await else {
                    client.send(ClientMessage::Ping { nonce: 1 }).await;
                    continue;
                };
                match message {
                    ServerMessage::Welcome { peers, .. } => return (peers, client),
                    ServerMessage::Error { code: ErrorCode::Unavailable, .. } => break,
                    ServerMessage::Error { code: ErrorCode::ShuttingDown, .. } => {
                        client = Client::greeted(address).await;
                        break;
                    }
                    _ => {}
                }
            }
            sleep(PAUSE).await;
        }
    };
    let (peers, client) = timeout(COME_BACK, tries).await.expect("back in time");
    (client, peers)
}

/// Waits until a connection ends, as it does when what it depended on is lost.
async fn sent_back(client: &mut Client) {
    let start = Instant::now();
    loop {
        client.socket.get_ref().writable().await.unwrap();
        client.send(ClientMessage::Ping { nonce: 1 }).await;
        match timeout(Duration::from_secs(1), client.try_next()).await {
            Ok(None | Some(ServerMessage::Error { code: ErrorCode::ShuttingDown, .. })) => return,
            Ok(Some(_)) => sleep(PAUSE).await,
            Err(_) => {}
        }
        assert!(start.elapsed() < COME_BACK, "still there");
    }
}

#[tokio::test]
async fn the_members_of_a_killed_node_and_of_its_rooms_meet_again() {
    let redis = Redis::start();
    let mut nodes = ["a", "b", "c"].map(|name| Process::start(&redis, name));
    for node in &nodes {
        joins_work(node.1).await;
    }
    // The first one in makes its node the room's owner.
    let mut owner = Client::joined(nodes[0].1, room(1), 1).await;
    let mut second = Client::joined(nodes[1].1, room(1), 2).await;
    owner.expect_peer_joined(key(2).peer_id()).await;
    let mut third = Client::joined(nodes[2].1, room(1), 3).await;
    second.expect_peer_joined(key(3).peer_id()).await;

    nodes[0].kill();
    assert!(loop {
        // What was under way may still come.
        if owner.try_next().await.is_none() {
            break true;
        }
    });
    let (first, second, third) = tokio::join!(
        come_back(nodes[1].1, 1),
        async {
            sent_back(&mut second).await;
            come_back(nodes[1].1, 2).await
        },
        async {
            sent_back(&mut third).await;
            come_back(nodes[2].1, 3).await
        },
    );
    // Whoever came last was told of both others, whoever came first of nobody.
    let mut counts = [first.1.len(), second.1.len(), third.1.len()];
    counts.sort_unstable();
    assert_eq!(counts, [0, 1, 2]);
    // And they reach each other.
    let (mut first, mut third) = (first.0, third.0);
    let to = key(1).peer_id();
    third.send(ClientMessage::Negotiate { to, epoch: 7, renew: false }).await;
    let from = key(3).peer_id();
    let told = timeout(COME_BACK, async {
        while first.next().await != (ServerMessage::Negotiate { from, epoch: 7, renew: false }) {}
    });
    told.await.expect("reached");
}

#[tokio::test]
async fn somebody_whose_node_dies_comes_back_by_another_and_the_others_notice_nothing() {
    let redis = Redis::start();
    let mut nodes = ["a", "b", "c"].map(|name| Process::start(&redis, name));
    for node in &nodes {
        joins_work(node.1).await;
    }
    let mut stays = Client::joined(nodes[0].1, room(1), 1).await;
    let mut goes = Client::joined(nodes[1].1, room(1), 2).await;
    stays.expect_peer_joined(key(2).peer_id()).await;
    nodes[1].kill();
    assert!(goes.try_next().await.is_none());
    let (mut back, peers) = come_back(nodes[2].1, 2).await;
    assert_eq!(peers.len(), 1);
    stays.expect_alive().await;
    let (to, from) = (key(1).peer_id(), key(2).peer_id());
    back.send(ClientMessage::Negotiate { to, epoch: 1, renew: true }).await;
    assert_eq!(stays.next().await, ServerMessage::Negotiate { from, epoch: 1, renew: true });
}

#[tokio::test]
async fn without_redis_nobody_new_gets_in_and_nobody_is_thrown_out() {
    let mut site = start();
    let mut owner = Client::joined(site.node(0), room(1), 1).await;
    let mut other = Client::joined(site.node(1), room(1), 2).await;
    owner.expect_peer_joined(key(2).peer_id()).await;
    let mut late = Client::greeted(site.node(2)).await;

    site.redis.kill();
    // Into a new room, and into that of others.
    for n in [9, 1] {
        let message = match join(5) {
            ClientMessage::Join { key, name, media, policy, members, .. } => {
                ClientMessage::Join { room: room(n), key, name, media, policy, members }
            }
            other => other,
        };
        late.send(message).await;
        late.expect_error(ErrorCode::Unavailable).await;
    }
    let ready = async |site: &Site| http(site.node(2), "GET", "/readyz").await.status;
    assert_eq!(ready(&site).await, 503);
    // One who is in it loses the socket, and is let in again where the room is.
    drop(owner);
    let (mut owner, peers) = come_back(site.node(0), 1).await;
    assert_eq!(peers.len(), 1);
    // What is said across nodes waits.
    let (to, from) = (key(1).peer_id(), key(2).peer_id());
    other.send(ClientMessage::Negotiate { to, epoch: 3, renew: false }).await;
    for _ in 0..5 {
        sleep(Duration::from_secs(1)).await;
        owner.expect_alive().await;
        other.expect_alive().await;
        late.expect_alive().await;
    }

    site.redis.start_again();
    assert_eq!(owner.next().await, ServerMessage::Negotiate { from, epoch: 3, renew: false });
    let (_late, peers) = come_back(site.node(2), 5).await;
    assert_eq!(peers.len(), 2);
    assert_eq!(ready(&site).await, 200);
    for client in [&mut owner, &mut other] {
        client.expect_peer_joined(key(5).peer_id()).await;
        client.expect_alive().await;
    }
    site.stop().await;
}
