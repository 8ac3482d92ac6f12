//! What the chat promises, one case each.

use std::time::Duration;

use quartet_core::chat::{ChatId, Input, Output};
use quartet_proto::{
    ChatMessage, Heard, InvalidChatText,
    limits::{CHAT_BYTES_PER_SECOND, CHAT_HISTORY, CHAT_HISTORY_BYTES, MAX_CHAT_BYTES},
};

use crate::room::{Room, id, name};

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_one_says_the_others_hear_once() {
    let mut room = Room::of([A, B, C]);
    room.say(id(A), "hello");
    room.say(id(B), "  good evening\n");
    room.run(SECOND);
    for person in [A, B, C] {
        assert_eq!(room.texts(id(person)), ["hello", "good evening"]);
        assert_eq!(room.people[&id(person)].news, 2);
    }
    let line = room.lines(id(C))[0];
    assert_eq!((line.id, line.name.as_str()), (ChatId { author: id(A), seq: 1 }, &*name(id(A))));
    assert_eq!(line.passed_on_by, None);
}

#[test]
fn all_see_the_same_order_and_answers_after_what_they_answer() {
    let mut room = Room::of([A, B, C]);
    room.hold(id(A), id(C), SECOND);
    room.say(id(C), "a question");
    room.run(SECOND / 10);
    // B has heard it, A has not.
    room.say(id(B), "an answer");
    room.say(id(A), "at the same time");
    room.run(SECOND * 3);
    let seen: Vec<_> = [A, B, C].map(|person| room.texts(id(person))).into();
    assert_eq!(seen[0], ["at the same time", "a question", "an answer"]);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[test]
fn nothing_is_lost_or_said_twice_across_a_reconnect() {
    let mut room = Room::of([A, B]);
    room.say(id(A), "1");
    room.run(SECOND);
    room.hold(id(A), id(B), SECOND * 10);
    room.say(id(A), "2");
    room.say(id(B), "3");
    room.run(SECOND);
    room.disconnect(id(A), id(B));
    room.say(id(A), "4");
    room.run(SECOND);
    room.connect(id(A), id(B));
    room.run(SECOND * 2);
    for person in [A, B] {
        let mut texts = room.texts(id(person));
        texts.sort_unstable();
        assert_eq!(texts, ["1", "2", "3", "4"]);
        assert_eq!(room.people[&id(person)].news, 4);
    }
    assert_eq!(room.texts(id(A)), room.texts(id(B)));
}

#[test]
fn whoever_comes_late_is_told_what_was_said_before_by_those_who_said_it() {
    let mut room = Room::of([A, B]);
    room.say(id(A), "first");
    room.run(SECOND);
    room.say(id(B), "second");
    room.run(SECOND);
    room.join(id(C));
    room.run(SECOND);
    assert_eq!(room.texts(id(C)), ["first", "second"]);
    assert!(room.lines(id(C)).iter().all(|line| line.passed_on_by.is_none()));
    room.say(id(C), "third");
    room.run(SECOND);
    assert_eq!(room.texts(id(A)), ["first", "second", "third"], "it comes last everywhere");
}

#[test]
fn the_words_of_those_who_are_gone_are_passed_on_and_marked() {
    let mut room = Room::of([A, B]);
    room.say(id(A), "remember me");
    room.run(SECOND);
    room.leave(id(A));
    room.join(id(C));
    room.run(SECOND);
    let line = room.lines(id(C))[0];
    assert_eq!((line.text.as_str(), line.id.author), ("remember me", id(A)));
    assert_eq!(line.name, name(id(A)));
    assert_eq!(line.passed_on_by.as_ref().unwrap().id, id(B));
    assert_eq!(room.lines(id(B))[0].passed_on_by, None, "B was there");
}

#[test]
fn a_word_that_only_one_has_heard_reaches_the_others_when_its_author_is_gone() {
    let mut room = Room::of([A, B, C]);
    room.disconnect(id(A), id(C));
    room.say(id(A), "goodbye");
    room.run(SECOND);
    assert!(room.texts(id(C)).is_empty());
    room.leave(id(A));
    room.run(SECOND);
    assert_eq!(room.texts(id(C)), ["goodbye"]);
    assert_eq!(room.lines(id(C))[0].passed_on_by.as_ref().unwrap().id, id(B));
}

#[test]
fn whoever_came_after_a_silent_end_reads_the_last_words_once_it_is_noticed() {
    let mut room = Room::of([A, B]);
    room.say(id(A), "goodbye");
    room.run(SECOND);
    // B still waits for A to come back.
    room.people.remove(&id(A));
    room.disconnect(id(A), id(B));
    room.join(id(C));
    room.run(SECOND);
    assert!(room.texts(id(C)).is_empty());
    room.tell(id(B), Input::Left(id(A)));
    room.run(SECOND);
    assert_eq!(room.texts(id(C)), ["goodbye"]);
    assert_eq!(room.lines(id(C))[0].passed_on_by.as_ref().unwrap().id, id(B));
}

#[test]
fn two_who_know_nothing_do_not_go_on_asking_each_other() {
    let mut room = Room::of([A, B]);
    let messages = |room: &Room| room.carried.values().map(|(messages, _)| messages).sum::<usize>();
    let before = messages(&room);
    let ghost = Heard { by: id(99), upto: 7 };
    room.tell(id(A), Input::Heard(id(B), ChatMessage::Ask(ghost)));
    room.run(SECOND * 10);
    assert_eq!(messages(&room), before + 2);
}

#[test]
fn a_usual_departure_makes_nobody_repeat_anything() {
    let mut room = Room::of([A, B, C]);
    (0..20).for_each(|number| room.say(id(A), &format!("{number}")));
    room.run(SECOND * 3);
    let before = room.carried[&(id(B), id(C))].0;
    room.leave(id(A));
    room.run(SECOND * 3);
    assert_eq!(room.carried[&(id(B), id(C))].0, before + 1, "one question");
}

#[test]
fn the_authors_own_word_takes_the_place_of_what_was_passed_on() {
    let mut room = Room::of([A, B, C]);
    room.disconnect(id(A), id(C));
    room.say(id(A), "mine");
    room.run(SECOND);
    // For C alone: the way to A is lost, and comes back.
    room.tell(id(C), Input::Left(id(A)));
    room.tell(id(B), Input::Left(id(A)));
    room.run(SECOND);
    assert!(room.lines(id(C))[0].passed_on_by.is_some());
    room.tell(id(C), Input::Joined { peer: id(A), name: name(id(A)) });
    room.connect(id(A), id(C));
    room.run(SECOND * 2);
    assert_eq!(room.lines(id(C))[0].passed_on_by, None);
    assert_eq!(room.people[&id(C)].news, 1);
}

#[test]
fn one_can_talk_before_anybody_is_there() {
    let mut room = Room::new();
    room.join(id(A));
    room.say(id(A), "is anybody here?");
    room.run(SECOND);
    room.join(id(B));
    room.run(SECOND);
    assert_eq!(room.texts(id(B)), ["is anybody here?"]);
}

#[test]
fn a_first_word_that_is_lost_with_the_opening_is_said_again() {
    for lag in (0..200).step_by(5).map(Duration::from_millis) {
        let mut room = Room::new();
        room.enter(id(A));
        room.enter(id(B));
        room.say(id(A), "hello");
        room.say(id(B), "good evening");
        room.connect_with_lag(id(A), id(B), lag);
        room.run(SECOND * 3);
        for person in [A, B] {
            assert_eq!(room.texts(id(person)).len(), 2, "{lag:?}");
        }
        let (messages, _) = room.carried[&(id(A), id(B))];
        assert!(messages <= 4, "{messages} messages for one with {lag:?}");
    }
}

#[test]
fn somebody_without_a_chat_is_let_be() {
    let mut room = Room::new();
    room.join(id(A));
    room.tell(id(A), Input::Joined { peer: id(B), name: name(id(B)) });
    let (now, chat) = (room.now, &mut room.people.get_mut(&id(A)).unwrap().chat);
    chat.handle(now, Input::Opened(id(B)));
    chat.say(now, "is anybody here?").unwrap();
    let mut sent = 0;
    while let Some(at) = chat.poll_timeout() {
        chat.handle_timeout(at);
        chat.handle(at, Input::Sent(id(B)));
        let outputs = std::iter::from_fn(|| chat.poll());
        sent += outputs.filter(|output| matches!(output, Output::Send(..))).count();
        assert!(at < now + SECOND * 60);
    }
    assert_eq!(sent, 1 + 10, "once, and ten times again");
}

#[test]
fn only_so_much_is_kept_and_it_is_the_newest() {
    let mut room = Room::of([A]);
    for number in 1..=CHAT_HISTORY + 7 {
        room.say(id(A), &format!("{number}"));
    }
    room.join(id(B));
    room.run(SECOND * 60);
    assert_eq!(room.texts(id(B)).len(), CHAT_HISTORY);
    assert_eq!(room.texts(id(B))[0], "8");
}

#[test]
fn only_so_many_bytes_are_kept() {
    let mut room = Room::of([A]);
    let longest = "x".repeat(MAX_CHAT_BYTES);
    let fitting = CHAT_HISTORY_BYTES / MAX_CHAT_BYTES;
    (0..=fitting).for_each(|_| room.say(id(A), &longest));
    room.join(id(B));
    room.run(SECOND * 60);
    assert_eq!(room.texts(id(B)).len(), fitting);
}

#[test]
fn a_long_history_leaves_the_line_to_the_voices() {
    let mut room = Room::of([A]);
    let longest = "x".repeat(MAX_CHAT_BYTES);
    (0..30).for_each(|_| room.say(id(A), &longest));
    room.join(id(B));
    room.run(SECOND * 10);
    let (_, bytes) = room.carried[&(id(A), id(B))];
    let allowed = CHAT_BYTES_PER_SECOND as usize * (10 + 2) + MAX_CHAT_BYTES + 1000;
    assert!(bytes < allowed, "{bytes} bytes in 10 s");
    assert!(bytes > allowed * 3 / 4, "{bytes} bytes in 10 s");
    room.run(SECOND * 10);
    assert_eq!(room.texts(id(B)).len(), 30);
}

#[test]
fn what_cannot_be_said_is_not() {
    let mut room = Room::of([A, B]);
    let now = room.now;
    let chat = &mut room.people.get_mut(&id(A)).unwrap().chat;
    let too_long = "x".repeat(MAX_CHAT_BYTES + 1);
    assert_eq!(chat.say(now, &too_long), Err(InvalidChatText::TooLong));
    assert_eq!(chat.say(now, " \n "), Err(InvalidChatText::Empty));
    assert_eq!(chat.say(now, "\u{1b}[2J"), Err(InvalidChatText::Character));
    assert!(chat.poll().is_none());
    let text = "late".to_owned();
    let late = ChatMessage::Text { seq: 1, clock: 1, text };
    room.leave(id(B));
    room.tell(id(A), Input::Heard(id(B), late));
    assert!(room.texts(id(A)).is_empty(), "B is gone");
}
