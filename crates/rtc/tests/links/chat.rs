//! The chat's channel.

use std::time::{Duration, Instant};

use quartet_core::{
    LinkAction, LinkEvent, LinkState,
    chat::{CHAT_WINDOW, Chat, Input, Output},
};
use quartet_proto::{
    ChatMessage, PeerId,
    limits::{CHAT_BURST, CHAT_MESSAGES_PER_SECOND, MAX_CHAT_BYTES},
};

use crate::pair::{Pair, Side};

fn text(seq: u32, text: &str) -> ChatMessage {
    ChatMessage::Text { seq, clock: 1, text: text.to_owned() }
}

/// Both channels are open, and what comes now is not lost with the opening.
async fn talking() -> Pair {
    let mut pair = Pair::connected().await;
    assert_eq!(pair.offerer.next_of_chat().await, LinkEvent::ChatOpened);
    assert_eq!(pair.answerer.next_of_chat().await, LinkEvent::ChatOpened);
    // As the chat itself does, until the first word is answered.
    for seq in 0.. {
        pair.offerer.link.chat(text(0, "can you hear me?"));
        pair.answerer.link.chat(text(0, "and you me?"));
        tokio::time::sleep(Duration::from_millis(20)).await;
        if is_heard(&mut pair.offerer) & is_heard(&mut pair.answerer) {
            return pair;
        }
        assert!(seq < 100, "nobody hears anything");
    }
    unreachable!()
}

fn is_heard(side: &mut Side) -> bool {
    let events = std::iter::from_fn(|| side.chat.try_recv().ok());
    events.filter(|event| matches!(event, LinkEvent::ChatHeard(_))).count() > 0
}

/// The next message that is not about hearing each other.
async fn next_text(side: &mut Side) -> ChatMessage {
    loop {
        match side.next_of_chat().await {
            LinkEvent::ChatHeard(message)
                if !matches!(message, ChatMessage::Text { seq: 0, .. }) =>
            {
                return message;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn what_is_said_arrives_whole_and_in_order() {
    let mut pair = talking().await;
    let longest = "ก".repeat(MAX_CHAT_BYTES / 3);
    for seq in 1..=40 {
        let body = if seq % 4 == 0 { longest.as_str() } else { "hello" };
        pair.offerer.link.chat(text(seq, body));
        pair.answerer.link.chat(text(seq, body));
        assert_eq!(next_text(&mut pair.answerer).await, text(seq, body));
        assert_eq!(next_text(&mut pair.offerer).await, text(seq, body));
    }
    pair.close().await;
}

#[tokio::test]
async fn each_message_is_answered_once_it_is_on_its_way() {
    let mut pair = talking().await;
    while pair.offerer.chat.try_recv().is_ok() {}
    for seq in 1..=u32::try_from(CHAT_WINDOW).unwrap() {
        pair.offerer.link.chat(text(seq, "x"));
    }
    for _ in 0..CHAT_WINDOW {
        while pair.offerer.next_of_chat().await != LinkEvent::ChatSent {}
    }
    pair.close().await;
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    let mut pair = talking().await;
    pair.offerer.link.act(LinkAction::Offer { ice_restart: true });
    pair.answerer.link.chat(text(1, "meanwhile"));
    pair.exchange().await;
    pair.reaches(LinkState::Connected).await;
    pair.answerer.link.chat(text(2, "afterwards"));
    assert_eq!(next_text(&mut pair.offerer).await, text(1, "meanwhile"));
    assert_eq!(next_text(&mut pair.offerer).await, text(2, "afterwards"));
    pair.close().await;
}

#[tokio::test]
async fn whoever_talks_without_end_is_heard_so_far_and_no_further() {
    let mut pair = talking().await;
    let start = Instant::now();
    let flood = 4 * CHAT_BURST;
    for seq in 1..=flood {
        pair.offerer.link.chat(text(seq, "buy!"));
        while pair.offerer.next_of_chat().await != LinkEvent::ChatSent {}
    }
    // The other channel is in the same queue of the connection: what was said before has come.
    pair.offerer.link.tell(&quartet_proto::PeerMessage::View { height: 7, screen: None });
    assert_eq!(
        pair.answerer.next_said().await,
        quartet_proto::PeerMessage::View { height: 7, screen: None }
    );
    let mut heard = 0;
    while let Ok(event) = pair.answerer.chat.try_recv() {
        heard += u32::from(matches!(event, LinkEvent::ChatHeard(_)));
    }
    let seconds = u32::try_from(start.elapsed().as_secs()).unwrap() + 1;
    assert!(heard <= CHAT_BURST + seconds * CHAT_MESSAGES_PER_SECOND, "{heard} of {flood}");
    assert!(heard >= CHAT_BURST / 2, "{heard} of {flood}");
    pair.close().await;
}

const OFFERER: PeerId = PeerId::from_u64(1);
const ANSWERER: PeerId = PeerId::from_u64(2);

/// A chat, and what it shows.
struct Talker {
    chat: Chat,
    other: PeerId,
    shown: Vec<String>,
}

impl Talker {
    fn new(own: PeerId, other: PeerId) -> Self {
        let mut chat = Chat::new(own);
        chat.handle(Instant::now(), Input::Joined { peer: other, name: "Somebody".to_owned() });
        Self { chat, other, shown: Vec::new() }
    }

    fn say(&mut self, text: &str) {
        self.chat.say(Instant::now(), text).unwrap();
    }

    /// Lets the chat and a link talk to each other for a moment.
    fn exchange(&mut self, side: &mut Side) {
        let now = Instant::now();
        while let Ok(event) = side.chat.try_recv() {
            let input = match event {
                LinkEvent::ChatOpened => Input::Opened(self.other),
                LinkEvent::ChatSent => Input::Sent(self.other),
                LinkEvent::ChatHeard(message) => Input::Heard(self.other, message),
                _ => continue,
            };
            self.chat.handle(now, input);
        }
        self.chat.handle_timeout(now);
        while let Some(output) = self.chat.poll() {
            match output {
                Output::Send(_, message) => side.link.chat(message),
                Output::Show(line) => self.shown.push(line.text),
            }
        }
    }
}

/// Two people who lose their connection again and again, in the middle of a word.
#[tokio::test]
async fn nothing_is_lost_or_said_twice_over_many_connections() {
    let (mut a, mut b) = (Talker::new(OFFERER, ANSWERER), Talker::new(ANSWERER, OFFERER));
    let mut said = 0;
    for round in 0..4 {
        let mut pair = Pair::connected().await;
        let start = Instant::now();
        let last = round == 3;
        loop {
            if !last && said < 10 * (round + 1) {
                said += 1;
                a.say(&format!("{said:02} a"));
                b.say(&format!("{said:02} b"));
            }
            a.exchange(&mut pair.offerer);
            b.exchange(&mut pair.answerer);
            let all = a.shown.len() == 2 * said && b.shown.len() == 2 * said;
            // Not before something was said on it, and not after all was.
            let enough = if last { all } else { start.elapsed() > Duration::from_millis(60) };
            if enough {
                break;
            }
            assert!(start.elapsed() < crate::pair::PATIENCE, "{:?}, {:?}", a.shown, b.shown);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        pair.close().await;
        a.chat.handle(Instant::now(), Input::Closed(ANSWERER));
        b.chat.handle(Instant::now(), Input::Closed(OFFERER));
    }
    a.shown.sort();
    b.shown.sort();
    assert_eq!(a.shown, b.shown);
    a.shown.dedup();
    assert_eq!(a.shown.len(), 2 * said);
}
