//! A server that breaks every rule: the engine says so and can still join a good one.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/people.rs"]
mod people;

use futures_util::{SinkExt as _, StreamExt as _};
use people::{Person, link};
use quartet_engine::{Command, EndReason, Event};
use quartet_proto::{PeerId, PeerInfo, ServerMessage, limits::MAX_MESSAGE_BYTES};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

/// Accepts connections one after another, and does to each what `act` does.
async fn serve<F>(act: impl Fn(WebSocketStream<TcpStream>) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(socket) = accept_async(stream).await {
                act(socket).await;
            }
        }
    });
    url
}

/// The engine tries this server, gets nowhere, and is as good as new afterwards.
async fn survives(url: &str, expect: impl FnMut(Event) -> Option<()>) {
    let mut ann = Person::with_tone("Ann", 500.0);
    ann.join(&link(url));
    ann.hear("a clear end or error", expect).await;
    ann.engine.send(Command::Leave);
    let (_server, good) = people::server();
    ann.join(&good);
    ann.hear("joined a good server", |it| matches!(it, Event::Joined { .. }).then_some(())).await;
    ann.engine.shutdown().await;
}

fn failure(event: Event) -> Option<()> {
    matches!(event, Event::Error { .. } | Event::Ended(EndReason::Failed { .. })).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_named_and_dropped() {
    let url = serve(|mut socket| async move {
        for text in ["", "{}", "[[[[", "{\"type\":\"welcome\"}", "\u{0}"] {
            let _ = socket.send(Message::text(text)).await;
        }
        let _ = socket.send(Message::binary(vec![0xff; 1000])).await;
        while socket.next().await.is_some_and(|it| it.is_ok()) {}
    })
    .await;
    survives(&url, failure).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_ends_the_connection() {
    let url = serve(|mut socket| async move {
        let huge = format!("{{\"type\":\"{}\"}}", "x".repeat(MAX_MESSAGE_BYTES));
        let _ = socket.send(Message::text(huge)).await;
        while socket.next().await.is_some_and(|it| it.is_ok()) {}
    })
    .await;
    survives(&url, failure).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_in_the_wrong_order_do_no_harm() {
    let url = serve(|mut socket| async move {
        let stranger = PeerId::from_u64(7);
        let info = PeerInfo { id: stranger, name: "X".to_owned(), media: Default::default() };
        let wrong = [
            ServerMessage::PeerLeft {
                peer: stranger,
                reason: quartet_proto::LeaveReason::Left,
                by: None,
            },
            ServerMessage::Description {
                from: stranger,
                epoch: 9,
                kind: quartet_proto::DescriptionKind::Answer,
                sdp: "v=0".to_owned(),
                proof: None,
            },
            ServerMessage::PeerJoined { peer: info },
            ServerMessage::Negotiate { from: stranger, epoch: 3, renew: true },
            ServerMessage::Roster { peers: Vec::new(), policy: quartet_proto::RoomPolicy::Open },
            ServerMessage::Hello { version: 99, server: "odd".to_owned() },
        ];
        for message in wrong {
            let text = serde_json::to_string(&message).unwrap();
            let _ = socket.send(Message::text(text)).await;
        }
        let _ = socket.close(None).await;
    })
    .await;
    survives(&url, failure).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_sends_nonsense_as_its_offer_does_no_harm() {
    let url = serve(|mut socket| async move {
        // Lower than any real id, so that it is the one who offers.
        let stranger = PeerId::from_u64(0);
        let peer = PeerInfo { id: stranger, name: "X".to_owned(), media: Default::default() };
        let hello = ServerMessage::Hello {
            version: quartet_proto::PROTOCOL_VERSION,
            server: "odd".to_owned(),
        };
        let mut messages = vec![hello];
        while let Some(Ok(Message::Text(text))) = socket.next().await {
            if let Ok(quartet_proto::ClientMessage::Join { key, .. }) = serde_json::from_str(&text)
            {
                messages.push(ServerMessage::Welcome {
                    you: key.peer_id(),
                    peers: vec![peer.clone()],
                    ice_servers: Vec::new(),
                    policy: quartet_proto::RoomPolicy::Open,
                    knocking: Vec::new(),
                });
                for sdp in ["", "v=0", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "\u{1F600}"] {
                    messages.push(ServerMessage::Description {
                        from: stranger,
                        epoch: 1,
                        kind: quartet_proto::DescriptionKind::Offer,
                        sdp: sdp.to_owned(),
                        proof: None,
                    });
                }
            }
            for message in messages.drain(..) {
                let text = serde_json::to_string(&message).unwrap();
                let _ = socket.send(Message::text(text)).await;
            }
        }
    })
    .await;
    survives(&url, |it| matches!(it, Event::PeerJoined(_)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn something_that_is_no_server_is_said_to_be_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Takes connections, and hangs up.
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let (plain, tls) = (format!("http://{address}"), format!("https://{address}"));
    tokio::join!(survives(&plain, failure), survives(&tls, failure));
}
