//! Hostile and broken clients: a clear error for them, nothing for the others in the room.

use std::time::Duration;

use futures_util::SinkExt as _;
use quartet_proto::{
    ClientMessage, DescriptionKind, ErrorCode, ServerMessage,
    limits::{MAX_MESSAGE_BYTES, MAX_SDP_BYTES, MESSAGE_BURST, RESUME_GRACE, SILENCE_LIMIT},
};
use tokio::{io::AsyncWriteExt as _, time::timeout};
use tungstenite::Message;

use crate::{
    client::{Client, PROOF, key, room},
    site::{Site, start},
};

/// A server, somebody who means no harm, and the one that does, in one room.
async fn scene() -> (Site, Client, Client) {
    let server = start();
    let mut good = Client::joined(server.local_addr(), room(1), 1).await;
    let bad = Client::joined(server.local_addr(), room(1), 2).await;
    good.expect_peer_joined(key(2).peer_id()).await;
    (server, good, bad)
}

#[tokio::test]
async fn what_is_no_message_costs_an_error_only() {
    let (server, mut good, mut bad) = scene().await;
    let deep = "[".repeat(50_000);
    for text in [
        "",
        "null",
        "{",
        "[]",
        "\"hello\"",
        r#"{"type":"teleport"}"#,
        r#"{"type":7}"#,
        r#"{"version":1}"#,
        r#"{"type":"join"}"#,
        r#"{"type":"ping","nonce":-1}"#,
        r#"{"type":"ping","nonce":4294967296}"#,
        r#"{"type":"ping","nonce":1,"nonce":2}"#,
        r#"{"type":"watch","room":"short"}"#,
        r#"{"type":"description","to":"XYZ","epoch":1,"kind":"offer","sdp":""}"#,
        r#"{"type":"description","to":"0123456789abcdef","epoch":1,"kind":"pranswer","sdp":""}"#,
        r#"{"type":"welcome","you":"0123456789abcdef","peers":[],"ice_servers":[]}"#,
        r#"{"type":"ping","nonce":1} {"type":"ping","nonce":2}"#,
        "\u{0}\u{202E}",
        deep.as_str(),
    ] {
        bad.send_text(text).await;
        bad.expect_error(ErrorCode::BadMessage).await;
    }
    bad.send_frame(Message::binary(vec![1, 2, 3])).await;
    bad.expect_error(ErrorCode::BadMessage).await;
    bad.expect_alive().await;
    good.expect_alive().await;
    server.stop().await;
}

#[tokio::test]
async fn messages_in_the_wrong_order_cost_an_error_only() {
    let server = start();
    let mut client = Client::connect(server.local_addr()).await;
    client.send(ClientMessage::Leave).await;
    client.expect_error(ErrorCode::NotJoined).await;
    client.greet().await;
    let to = key(1).peer_id();
    client.send(ClientMessage::Negotiate { to, epoch: 0, renew: false }).await;
    client.expect_error(ErrorCode::NotJoined).await;
    client.join(room(1), key(1)).await;
    client.send(ClientMessage::Watch { room: room(1) }).await;
    client.expect_error(ErrorCode::AlreadyJoined).await;
    client.expect_alive().await;
    server.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_connection_only() {
    // Just over the limit, and more than is even read.
    for bytes in [MAX_MESSAGE_BYTES + 1, 3 * MAX_MESSAGE_BYTES, 40 * MAX_MESSAGE_BYTES] {
        let (server, mut good, mut bad) = scene().await;
        // It may be cut off while it still sends.
        let _ = bad.socket.send(Message::text("x".repeat(bytes))).await;
        bad.expect_error(ErrorCode::TooLarge).await;
        bad.expect_close().await;
        good.expect_alive().await;
        server.stop().await;
    }
}

#[tokio::test]
async fn the_largest_message_passes() {
    let (server, mut good, mut bad) = scene().await;
    let ping = r#"{"type":"ping","nonce":1}"#;
    bad.send_text(format!("{ping}{}", " ".repeat(MAX_MESSAGE_BYTES - ping.len()))).await;
    assert_eq!(bad.next().await, ServerMessage::Pong { nonce: 1 });
    // The longest description, of characters that JSON doubles.
    let (to, kind, sdp) =
        (key(1).peer_id(), DescriptionKind::Answer, "\"".repeat(MAX_SDP_BYTES - 210));
    bad.send(ClientMessage::Description { to, epoch: 1, kind, sdp, proof: PROOF }).await;
    assert!(matches!(good.next().await, ServerMessage::Description { .. }));
    server.stop().await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_ends_its_connection_only() {
    let (server, mut good, mut bad) = scene().await;
    // FIN and text, masked with zeros, two bytes that UTF-8 does not have.
    bad.socket.get_mut().write_all(&[0x81, 0x82, 0, 0, 0, 0, 0xC3, 0x28]).await.unwrap();
    bad.expect_error(ErrorCode::BadMessage).await;
    bad.expect_close().await;
    good.expect_alive().await;
    server.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_websocket_end_their_connection_only() {
    let (server, mut good, mut bad) = scene().await;
    bad.socket.get_mut().write_all(&[0xFF; 64]).await.unwrap();
    assert!(bad.try_next().await.is_none());
    good.expect_alive().await;
    server.stop().await;
}

#[tokio::test]
async fn a_flood_is_dropped_with_one_error() {
    let (server, mut good, mut bad) = scene().await;
    let flood = 3 * MESSAGE_BURST;
    for nonce in 0..flood {
        bad.socket
            .feed(Message::text(format!(r#"{{"type":"ping","nonce":{nonce}}}"#)))
            .await
            .unwrap();
    }
    bad.socket.flush().await.unwrap();
    good.expect_alive().await;
    // What is dropped leaves no trace: a ping that got through marks the end of the flood.
    let (mut pongs, mut errors) = (0, 0);
    loop {
        bad.send(ClientMessage::Ping { nonce: u32::MAX }).await;
        match timeout(Duration::from_millis(200), bad.next()).await {
            Ok(ServerMessage::Pong { nonce: u32::MAX }) => break,
            Ok(ServerMessage::Pong { .. }) => pongs += 1,
            Ok(ServerMessage::Error { code: ErrorCode::RateLimited, .. }) => errors += 1,
            Ok(other) => panic!("{other:?}"),
            Err(_) => {}
        }
    }
    // What was sent just before counts too; the bucket refills meanwhile.
    assert!(pongs >= MESSAGE_BURST - 10 && pongs < flood, "{pongs} of {flood}");
    assert_eq!(errors, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_the_others_are_not() {
    let server = start();
    let mut good = Client::joined(server.local_addr(), room(1), 1).await;
    let mut deaf = Client::connect_narrow(server.local_addr()).await;
    deaf.greet().await;
    deaf.join(room(1), key(2)).await;
    good.expect_peer_joined(key(2).peer_id()).await;
    let (to, kind) = (key(2).peer_id(), DescriptionKind::Offer);
    let sdp = "x".repeat(MAX_SDP_BYTES);
    for epoch in 0..MESSAGE_BURST / 2 {
        good.send(ClientMessage::Description { to, epoch, kind, sdp: sdp.clone(), proof: PROOF })
            .await;
    }
    good.expect_alive().await;
    // Cut off at once, and its seat given up after the grace: well before its silence would have
    // told.
    let left = timeout(SILENCE_LIMIT + RESUME_GRACE - Duration::from_secs(1), async {
        loop {
            good.send(ClientMessage::Ping { nonce: 0 }).await;
            // What comes is a pong a second, and in the end the news.
            while let Ok(message) = timeout(Duration::from_secs(1), good.next()).await {
                match message {
                    ServerMessage::Pong { .. } => {}
                    ServerMessage::PeerLeft { peer, .. } => return peer,
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    assert_eq!(left.await.expect("cut off"), key(2).peer_id());
    server.stop().await;
}
