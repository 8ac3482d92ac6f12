//! The task that carries the chat over its data channel (RFC 8831): ordered, reliable, and no more
//! waiting than the link was given.
//!
//! What comes too fast, is too long or is not understood is dropped where it arrives. A peer that
//! reads nothing stops this task at a few KiB ([`has_room`]), and nothing else.

use std::sync::Arc;

use quartet_core::{LinkEvent, chat::ChatAllowance};
use quartet_proto::{ChatMessage, limits::MAX_CHAT_MESSAGE_BYTES};
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};

use super::backlog::has_room;

/// Says what comes through `to_say`, in order, and passes on what the peer says, until the channel
/// ends or nobody listens. The two directions wait for each other nowhere.
pub(super) async fn chat(
    channel: Arc<dyn DataChannel>,
    to_say: mpsc::Receiver<ChatMessage>,
    events: mpsc::Sender<LinkEvent>,
) {
    tokio::select! {
        () = say(&*channel, to_say, &events) => {}
        () = hear(&*channel, &events) => {}
    }
}

async fn say(
    channel: &dyn DataChannel,
    mut to_say: mpsc::Receiver<ChatMessage>,
    events: &mpsc::Sender<LinkEvent>,
) {
    while let Some(message) = to_say.recv().await {
        let Ok(text) = serde_json::to_string(&message) else { continue };
        if has_room(channel).await.is_err()
            || channel.send_text(&text).await.is_err()
            || events.send(LinkEvent::ChatSent).await.is_err()
        {
            break;
        }
    }
    // The end of the channel is seen where it is read.
    std::future::pending().await
}

async fn hear(channel: &dyn DataChannel, events: &mpsc::Sender<LinkEvent>) {
    let mut allowance = ChatAllowance::new();
    while let Some(event) = channel.poll().await {
        let event = match event {
            DataChannelEvent::OnOpen => LinkEvent::ChatOpened,
            DataChannelEvent::OnMessage(message) => {
                if !allowance.take(std::time::Instant::now()) {
                    continue;
                }
                let Some(message) = read(&message) else { continue };
                LinkEvent::ChatHeard(message)
            }
            _ => continue,
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}

/// A message that is understood; one from a later version may not be.
fn read(message: &RTCDataChannelMessage) -> Option<ChatMessage> {
    if !message.is_string || message.data.len() > MAX_CHAT_MESSAGE_BYTES {
        return None;
    }
    serde_json::from_slice(&message.data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(is_string: bool, text: &str) -> Option<ChatMessage> {
        read(&RTCDataChannelMessage { is_string, data: text.as_bytes().into() })
    }

    #[test]
    fn only_what_is_understood_is_heard() {
        let text = r#"{"type":"text","seq":1,"clock":2,"text":"hello"}"#;
        let message = ChatMessage::Text { seq: 1, clock: 2, text: "hello".to_owned() };
        assert_eq!(heard(true, text), Some(message.clone()));
        let padded = format!("{text}{}", " ".repeat(MAX_CHAT_MESSAGE_BYTES - text.len()));
        assert_eq!(heard(true, &padded), Some(message));
        assert_eq!(heard(true, &format!("{padded} ")), None);
        assert_eq!(heard(false, text), None);
        let deep = "[".repeat(MAX_CHAT_MESSAGE_BYTES);
        for garbage in [
            "",
            "{}",
            "null",
            &deep,
            r#"{"type":"sing"}"#,
            r#"{"type":"text","seq":-1,"clock":2,"text":"x"}"#,
            r#"{"type":"text","seq":1,"clock":2.5,"text":"x"}"#,
            r#"{"type":"text","seq":4294967296,"clock":2,"text":"x"}"#,
            r#"{"type":"text","seq":1,"clock":2,"text":7}"#,
            r#"{"type":"have","met":1,"heard":[]}"#,
            r#"{"type":"have","met":true,"heard":[{"by":"me","upto":1}]}"#,
        ] {
            assert_eq!(heard(true, garbage), None, "{garbage}");
        }
    }
}
