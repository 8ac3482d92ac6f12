//! People who lie.

use std::time::{Duration, Instant};

use quartet_core::chat::{Chat, ChatAllowance, ChatLine, Input, Output};
use quartet_proto::{
    ChatMessage, Heard, PeerId,
    limits::{
        CHAT_BURST, CHAT_HISTORY, CHAT_MESSAGES_PER_SECOND, MAX_CHAT_AUTHORS, MAX_CHAT_BYTES,
        MAX_CHAT_CLOCK,
    },
};

const OWN: PeerId = PeerId::from_u64(1);
const LIAR: PeerId = PeerId::from_u64(2);
const FRIEND: PeerId = PeerId::from_u64(3);
const GONE: PeerId = PeerId::from_u64(4);

struct Scene {
    now: Instant,
    chat: Chat,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self { now: Instant::now(), chat: Chat::new(OWN) };
        for (peer, name) in [(LIAR, "Liar"), (FRIEND, "Friend")] {
            let name = name.to_owned();
            scene.chat.handle(scene.now, Input::Joined { peer, name });
            scene.chat.handle(scene.now, Input::Opened(peer));
        }
        scene
    }

    /// What is shown after the liar has said this.
    fn after(&mut self, message: ChatMessage) -> Vec<ChatLine> {
        self.from(LIAR, message)
    }

    fn from(&mut self, peer: PeerId, message: ChatMessage) -> Vec<ChatLine> {
        self.chat.handle(self.now, Input::Heard(peer, message));
        self.outputs()
            .into_iter()
            .filter_map(|output| match output {
                Output::Show(line) => Some(line),
                Output::Send(..) => None,
            })
            .collect()
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.chat.poll()).collect()
    }
}

fn text(seq: u32, clock: u64, text: &str) -> ChatMessage {
    ChatMessage::Text { seq, clock, text: text.to_owned() }
}

fn passed_on(by: PeerId, seq: u32, name: &str, text: &str) -> ChatMessage {
    let (name, text) = (name.to_owned(), text.to_owned());
    ChatMessage::PassedOn { by, name, seq, clock: 1, text }
}

#[test]
fn nobody_speaks_for_those_who_are_there() {
    let mut scene = Scene::new();
    for by in [OWN, FRIEND, LIAR] {
        assert!(scene.after(passed_on(by, 1, "Friend", "send money")).is_empty());
    }
}

#[test]
fn what_is_passed_on_names_whose_word_it_is() {
    let mut scene = Scene::new();
    let lines = scene.after(passed_on(GONE, 1, "Friend", "send money"));
    assert_eq!(lines.len(), 1);
    let witness = lines[0].passed_on_by.as_ref().unwrap();
    assert_eq!((witness.id, witness.name.as_str()), (LIAR, "Liar"));
}

#[test]
fn what_was_heard_from_the_author_is_not_changed_by_others() {
    let mut scene = Scene::new();
    assert_eq!(scene.from(FRIEND, text(5, 1, "true")).len(), 1);
    scene.chat.handle(scene.now, Input::Left(FRIEND));
    for seq in 1..=5 {
        assert!(scene.after(passed_on(FRIEND, seq, "Friend", "false")).is_empty(), "{seq}");
    }
    let lines = scene.after(passed_on(FRIEND, 6, "Somebody", "perhaps"));
    assert_eq!(lines[0].name, "Friend", "the name that was known");
    assert!(lines[0].passed_on_by.is_some());
    assert!(scene.after(passed_on(FRIEND, 6, "Friend", "another")).is_empty());
}

#[test]
fn a_forged_number_does_not_hide_what_the_author_says_later() {
    let mut scene = Scene::new();
    scene.chat.handle(scene.now, Input::Left(FRIEND));
    assert_eq!(scene.after(passed_on(FRIEND, u32::MAX, "Friend", "false")).len(), 1);
    let name = "Friend".to_owned();
    scene.chat.handle(scene.now, Input::Joined { peer: FRIEND, name });
    scene.chat.handle(scene.now, Input::Opened(FRIEND));
    assert_eq!(scene.from(FRIEND, text(1, 1, "true")).len(), 1);
}

#[test]
fn impossible_messages_are_ignored() {
    let mut scene = Scene::new();
    let long = "x".repeat(MAX_CHAT_BYTES + 1);
    for message in [
        text(0, 1, "no number"),
        text(1, 0, "no clock"),
        text(1, MAX_CHAT_CLOCK + 1, "a clock that no page can hold"),
        text(1, 1, ""),
        text(1, 1, " spaced "),
        text(1, 1, "a\u{7}b"),
        text(1, 1, &long),
        passed_on(GONE, 1, "", "no name"),
        passed_on(GONE, 1, "\u{202e}nnA", "a turned name"),
        passed_on(GONE, 0, "Ann", "no number"),
    ] {
        assert!(scene.after(message.clone()).is_empty(), "{message:?}");
    }
    assert_eq!(scene.after(text(1, MAX_CHAT_CLOCK, &long[1..])).len(), 1, "at the limits");
    assert!(scene.after(text(1, 1, "again")).is_empty());
}

#[test]
fn the_highest_clock_ends_no_conversation() {
    let mut scene = Scene::new();
    scene.after(text(1, MAX_CHAT_CLOCK, "last!"));
    scene.chat.say(scene.now, "not at all").unwrap();
    scene.chat.say(scene.now, "see").unwrap();
    let shown: Vec<_> = scene.outputs();
    let [Output::Show(first), Output::Show(second)] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!((first.clock, second.clock), (MAX_CHAT_CLOCK, MAX_CHAT_CLOCK));
    assert!(first.order() < second.order());
}

#[test]
fn invented_authors_are_bounded_and_displace_nobody() {
    let mut scene = Scene::new();
    scene.chat.say(scene.now, "mine").unwrap();
    scene.from(FRIEND, text(1, 1, "a friend's"));
    let shown = (100..200)
        .filter(|number| {
            !scene.after(passed_on(PeerId::from_u64(*number), 1, "Ghost", "boo")).is_empty()
        })
        .count();
    assert_eq!(shown, MAX_CHAT_AUTHORS - 2);
    // Who is there always has a place.
    assert_eq!(scene.after(text(1, 1, "and me")).len(), 1);
}

#[test]
fn questions_make_nobody_talk_without_end() {
    let mut scene = Scene::new();
    (0..CHAT_HISTORY).for_each(|_| scene.chat.say(scene.now, "x").unwrap());
    scene.outputs();
    let mut sent = 0;
    let ask = || ChatMessage::Have { met: false, heard: Vec::new() };
    let flood = (0..200).map(|by| Heard { by: PeerId::from_u64(by), upto: 0 });
    for second in 0..30 {
        for _ in 0..100 {
            scene.chat.handle(scene.now, Input::Heard(LIAR, ask()));
        }
        for heard in flood.clone() {
            scene.chat.handle(scene.now, Input::Heard(LIAR, ChatMessage::Ask(heard)));
        }
        for _ in 0..100 {
            scene.chat.handle(scene.now, Input::Sent(LIAR));
        }
        let sends = |output: &Output| matches!(output, Output::Send(LIAR, _));
        sent += scene.outputs().iter().filter(|output| sends(output)).count();
        scene.now += Duration::from_secs(1);
        assert!(sent <= (second + 3) * CHAT_MESSAGES_PER_SECOND as usize, "{sent}");
    }
}

#[test]
fn only_so_many_messages_are_looked_at() {
    let start = Instant::now();
    let mut allowance = ChatAllowance::new();
    let taken = (0..10_000).filter(|_| allowance.take(start)).count();
    assert_eq!(taken, CHAT_BURST as usize);
    let later = start + Duration::from_secs(1);
    let taken = (0..10_000).filter(|_| allowance.take(later)).count();
    assert_eq!(taken, CHAT_MESSAGES_PER_SECOND as usize);
}
