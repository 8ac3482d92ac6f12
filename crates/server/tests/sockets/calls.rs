//! Calls as they should go, and connections that break.

use std::time::{Duration, Instant};

use quartet_proto::{
    ClientMessage, DescriptionKind, ErrorCode, LeaveReason, MediaState, RoomPolicy, ServerMessage,
};
use tokio::time::{interval, timeout};

use crate::{
    client::{Client, PATIENCE, PROOF, key, room},
    site::start,
};

#[tokio::test]
async fn two_people_meet_and_exchange_descriptions() {
    let server = start();
    let mut a = Client::joined(server.local_addr(), room(1), 1).await;
    let mut b = Client::greeted(server.local_addr()).await;
    let others = b.join(room(1), key(2)).await;
    assert_eq!(others.len(), 1);
    a.expect_peer_joined(key(2).peer_id()).await;
    let sdp = "v=0\r\n".repeat(2_000);
    let (to, kind) = (key(2).peer_id(), DescriptionKind::Offer);
    a.send(ClientMessage::Description { to, epoch: 1, kind, sdp: sdp.clone(), proof: PROOF }).await;
    let (from, proof) = (key(1).peer_id(), Some(PROOF));
    assert_eq!(b.next().await, ServerMessage::Description { from, epoch: 1, kind, sdp, proof });
    server.stop().await;
}

#[tokio::test]
async fn a_fifth_is_refused_in_plain_words_and_the_four_notice_nothing() {
    let server = start();
    let mut four = Vec::new();
    for n in 1..=4 {
        four.push(Client::joined(server.local_addr(), room(1), n).await);
    }
    let mut fifth = Client::greeted(server.local_addr()).await;
    let name = "Fifth".to_owned();
    fifth
        .send(ClientMessage::Join {
            room: room(1),
            key: key(5),
            name,
            media: MediaState::default(),
            policy: RoomPolicy::Open,
            members: None,
        })
        .await;
    let ServerMessage::Error { code, message } = fifth.next().await else { panic!() };
    assert_eq!(code, ErrorCode::RoomFull);
    assert!(message.contains("full"), "{message}");
    for (joined_before, client) in four.iter_mut().enumerate() {
        for later in joined_before + 2..=4 {
            client.expect_peer_joined(key(u8::try_from(later).unwrap()).peer_id()).await;
        }
        client.expect_alive().await;
    }
    // Another room is open to the fifth, on the same connection.
    assert_eq!(fifth.join(room(2), key(5)).await, []);
    server.stop().await;
}

#[tokio::test]
async fn a_dropped_socket_resumes_and_the_others_notice_nothing() {
    let server = start();
    let mut a = Client::joined(server.local_addr(), room(1), 1).await;
    let b = Client::joined(server.local_addr(), room(1), 2).await;
    a.expect_peer_joined(key(2).peer_id()).await;
    drop(b);
    let mut b = Client::greeted(server.local_addr()).await;
    assert_eq!(b.join(room(1), key(2)).await.len(), 1);
    a.expect_alive().await;
    server.stop().await;
}

#[tokio::test]
async fn a_second_connection_with_the_same_key_takes_over() {
    let server = start();
    let mut first = Client::joined(server.local_addr(), room(1), 1).await;
    let mut second = Client::joined(server.local_addr(), room(1), 1).await;
    first.expect_error(ErrorCode::Replaced).await;
    first.expect_close().await;
    second.expect_alive().await;
    server.stop().await;
}

#[tokio::test]
async fn a_silent_client_is_gone_in_under_ten_seconds() {
    let server = start();
    let mut watcher = Client::joined(server.local_addr(), room(1), 1).await;
    // Connected, but neither reading nor writing any more, like a machine that lost its network.
    let _silent = Client::joined(server.local_addr(), room(1), 2).await;
    watcher.expect_peer_joined(key(2).peer_id()).await;
    let start = Instant::now();
    let mut pings = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = pings.tick() => watcher.send(ClientMessage::Ping { nonce: 0 }).await,
            message = watcher.next() => match message {
                ServerMessage::Pong { .. } => {}
                ServerMessage::PeerLeft { peer, reason, .. } => {
                    assert_eq!((peer, reason), (key(2).peer_id(), LeaveReason::Lost));
                    break;
                }
                other => panic!("{other:?}"),
            },
        }
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn stopping_tells_everybody_and_leaves_nothing_listening() {
    let server = start();
    let address = server.local_addr();
    let mut a = Client::joined(address, room(1), 1).await;
    let mut b = Client::connect(address).await;
    // One that never answers, and one that never finishes its request.
    let _deaf = Client::joined(address, room(2), 2).await;
    let _slow = tokio::net::TcpStream::connect(address).await.unwrap();
    let stop = tokio::spawn(server.stop());
    for client in [&mut a, &mut b] {
        client.expect_error(ErrorCode::ShuttingDown).await;
        client.expect_close().await;
    }
    timeout(PATIENCE, stop).await.expect("in time").unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_dropped_server_lets_go_of_its_port() {
    let server = start();
    let address = server.local_addr();
    let mut client = Client::greeted(address).await;
    drop(server);
    assert!(client.try_next().await.is_none());
    let gone = async { while tokio::net::TcpStream::connect(address).await.is_ok() {} };
    timeout(PATIENCE, gone).await.expect("not listening any more");
}

#[tokio::test]
async fn a_taken_port_is_an_error_with_the_address() {
    let server = start();
    let listen = server.local_addr();
    let config = quartet_server::ServerConfig::at(listen);
    let error = quartet_server::Server::start(config).unwrap_err();
    assert!(error.to_string().contains(&listen.to_string()), "{error}");
    server.stop().await;
}
