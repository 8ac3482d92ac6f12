//! What two participants say to each other past the server.

use quartet_core::{LinkAction, LinkState};
use quartet_proto::PeerMessage;

use crate::pair::{Pair, loopback};

fn view(height: u16) -> PeerMessage {
    PeerMessage::View { height, screen: Some(height / 2) }
}

#[tokio::test]
async fn what_is_said_before_the_connection_is_heard_after_it() {
    let mut pair = Pair::start(loopback(), loopback()).await;
    pair.offerer.link.tell(&view(180));
    pair.offerer.link.tell(&view(360));
    pair.answerer.link.tell(&view(720));
    assert_eq!(pair.answerer.next_said().await, view(360));
    assert_eq!(pair.offerer.next_said().await, view(720));
    pair.close().await;
}

#[tokio::test]
async fn the_last_word_is_heard_however_much_is_said() {
    let mut pair = Pair::connected().await;
    for height in 0..=1_000 {
        pair.answerer.link.tell(&view(height));
    }
    assert_eq!(pair.offerer.next_said().await, view(1_000));
    pair.close().await;
}

#[tokio::test]
async fn a_restart_does_not_end_the_conversation() {
    let mut pair = Pair::connected().await;
    pair.offerer.link.tell(&view(1));
    assert_eq!(pair.answerer.next_said().await, view(1));
    pair.offerer.link.act(LinkAction::Offer { ice_restart: true });
    pair.exchange().await;
    pair.reaches(LinkState::Connected).await;
    pair.offerer.link.tell(&view(2));
    pair.answerer.link.tell(&view(3));
    assert_eq!(pair.answerer.next_said().await, view(2));
    assert_eq!(pair.offerer.next_said().await, view(3));
    pair.close().await;
}
