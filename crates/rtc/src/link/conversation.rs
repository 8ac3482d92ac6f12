//! The task that carries [`PeerMessage`]s over the link's data channel (RFC 8831).
//!
//! A message is the newest word on its matter, of which there is one for each type, so nothing is
//! queued in either direction: what has
//! been replaced before it could be said, or passed on, is not said at all. A peer that sends
//! garbage, or without end, costs no more than the reading; one that reads nothing costs a few KiB
//! ([`has_room`]).

use std::{sync::Arc, time::Duration};

use quartet_core::LinkEvent;
use quartet_proto::{PeerMessage, limits::MAX_PEER_MESSAGE_BYTES};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};

use super::backlog::has_room;

/// What a peer says is passed on no more often than this: a window that is being resized changes
/// with each of the screen's pictures, and an encoder follows far less often.
const HEARD_INTERVAL: Duration = Duration::from_millis(50);
/// So is what is said to it.
const SAID_INTERVAL: Duration = Duration::from_millis(50);

/// The library loses what comes together with the last step of the channel's opening, although it
/// has acknowledged it (0.21.1: `DataChannelHandler` sees messages before that event). The first
/// message therefore waits this long after the opening here…
const SETTLING: Duration = Duration::from_millis(20);
/// …and is said once more after this, for a peer that was held up.
const REPEAT: Duration = Duration::from_secs(1);

/// The newest word on each matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    view: Option<PeerMessage>,
    room: Option<PeerMessage>,
    hand: Option<PeerMessage>,
    reaction: Option<PeerMessage>,
    condition: Option<PeerMessage>,
}

impl Words {
    /// True when it is news.
    pub(super) fn put(&mut self, message: PeerMessage) -> bool {
        let place = match message {
            PeerMessage::View { .. } => &mut self.view,
            PeerMessage::Room { .. } => &mut self.room,
            PeerMessage::Hand { .. } => &mut self.hand,
            PeerMessage::Reaction { .. } => &mut self.reaction,
            PeerMessage::Condition(_) => &mut self.condition,
        };
        let news = place.as_ref() != Some(&message);
        *place = Some(message);
        news
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn into_messages(self) -> impl Iterator<Item = PeerMessage> {
        [self.room, self.view, self.hand, self.reaction, self.condition].into_iter().flatten()
    }

    /// Those that `said` has not, or has otherwise.
    fn news_since(self, said: &Self) -> Self {
        Self {
            view: self.view.filter(|word| said.view.as_ref() != Some(word)),
            room: self.room.filter(|word| said.room.as_ref() != Some(word)),
            hand: self.hand.filter(|word| said.hand.as_ref() != Some(word)),
            reaction: self.reaction.filter(|word| said.reaction.as_ref() != Some(word)),
            condition: self.condition.filter(|word| said.condition.as_ref() != Some(word)),
        }
    }
}

/// Says what `to_say` holds as soon as the channel is open, and passes on what the peer says, until
/// the channel ends or nobody listens.
pub(super) async fn converse(
    channel: Arc<dyn DataChannel>,
    mut to_say: watch::Receiver<Words>,
    events: mpsc::Sender<LinkEvent>,
) {
    let mut heard = Words::default();
    let mut said = Words::default();
    let mut heard_at = Instant::now();
    // From when something may be said, once the channel is open…
    let mut say_at = None;
    // …and when it is said again.
    let mut repeat_at = None;
    loop {
        tokio::select! {
            event = channel.poll() => match event {
                Some(DataChannelEvent::OnOpen) => {
                    let now = Instant::now();
                    say_at = Some(now + SETTLING);
                    repeat_at = Some(now + REPEAT);
                }
                Some(DataChannelEvent::OnMessage(message)) => {
                    // What was not understood does not undo what was.
                    if let Some(message) = read(&message) {
                        heard.put(message);
                    }
                }
                Some(_) => {}
                None => return,
            },
            changed = async {
                due(say_at).await;
                to_say.changed().await
            } => {
                let wanted = to_say.borrow_and_update().clone();
                let news = wanted.clone().news_since(&said);
                if changed.is_err() || say(&*channel, news).await.is_err() {
                    return;
                }
                said = wanted;
                say_at = Some(Instant::now() + SAID_INTERVAL);
            }
            () = due(repeat_at) => {
                repeat_at = None;
                if say(&*channel, said.clone()).await.is_err() {
                    return;
                }
            }
            () = sleep_until(heard_at), if !heard.is_empty() => {
                heard_at = Instant::now() + HEARD_INTERVAL;
                for message in std::mem::take(&mut heard).into_messages() {
                    if events.send(LinkEvent::Said(message)).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn say(channel: &dyn DataChannel, words: Words) -> webrtc::error::Result<()> {
    for message in words.into_messages() {
        if let Ok(text) = serde_json::to_string(&message) {
            has_room(channel).await?;
            channel.send_text(&text).await?;
        }
    }
    Ok(())
}

/// A message that is understood; one from a later version may not be.
fn read(message: &RTCDataChannelMessage) -> Option<PeerMessage> {
    if !message.is_string || message.data.len() > MAX_PEER_MESSAGE_BYTES {
        return None;
    }
    serde_json::from_slice(&message.data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(is_string: bool, text: &str) -> Option<PeerMessage> {
        read(&RTCDataChannelMessage { is_string, data: text.as_bytes().into() })
    }

    #[test]
    fn of_each_matter_only_the_newest_word_counts() {
        let view = |height| PeerMessage::View { height, screen: None };
        let room = |change| PeerMessage::Room {
            policy: quartet_proto::RoomPolicy::Knock,
            change,
            admitted: Vec::new(),
            removed: Vec::new(),
        };
        let mut words = Words::default();
        assert!(words.is_empty());
        for (message, news) in [(view(1), true), (room(1), true), (view(1), false), (view(2), true)]
        {
            assert_eq!(words.put(message), news);
        }
        let said = words.clone();
        assert!(words.put(room(2)));
        let news: Vec<_> = words.clone().news_since(&said).into_messages().collect();
        assert_eq!(news, [room(2)]);
        assert_eq!(words.into_messages().collect::<Vec<_>>(), [room(2), view(2)]);
    }

    #[test]
    fn only_what_is_understood_is_heard() {
        let view = r#"{"type":"view","height":360}"#;
        assert_eq!(said(true, view), Some(PeerMessage::View { height: 360, screen: None }));
        let later = r#"{"type":"view","height":360,"width":640}"#;
        assert_eq!(said(true, later), Some(PeerMessage::View { height: 360, screen: None }));
        let long = format!("{view}{}", " ".repeat(MAX_PEER_MESSAGE_BYTES));
        let deep = "[".repeat(MAX_PEER_MESSAGE_BYTES);
        for garbage in
            ["", "{}", "\0", "null", r#"{"type":"dance"}"#, r#"{"type":"view"}"#, &long, &deep]
        {
            assert_eq!(said(true, garbage), None, "{garbage}");
        }
        for height in ["-1", "65536", "1e9", "\"360\""] {
            let text = format!(r#"{{"type":"view","height":{height}}}"#);
            assert_eq!(said(true, &text), None, "{text}");
        }
        assert_eq!(said(false, view), None);
    }
}
