//! What may not last for ever: connections that lead nowhere, and rooms.

use std::time::Duration;

use quartet_proto::{
    ClientMessage, ErrorCode, RoomPolicy, ServerMessage,
    limits::{HELLO_LIMIT, PING_INTERVAL, ROOMLESS_LIMIT},
};
use quartet_server::{ConnId, HubConfig, Input, Output, ROOM_LIFE};

use crate::bench::{A, B, Bench, C, assert_refused_and_closed, hello, join, join_as, key_of, room};

const MOMENT: Duration = Duration::from_millis(1);

impl Bench {
    /// Lets time pass in which these say `ping`; gives whom the hub closes.
    fn closed_within(&mut self, time: Duration, alive: &[ConnId]) -> Vec<ConnId> {
        let end = self.now + time;
        let mut outputs = Vec::new();
        loop {
            for conn in alive {
                outputs.extend(self.say(*conn, ClientMessage::Ping { nonce: 0 }));
            }
            if self.now == end {
                break;
            }
            outputs.extend(self.pass(PING_INTERVAL.min(end - self.now)));
        }
        let closed = outputs.into_iter().filter_map(|output| match output {
            Output::Close(conn) => Some(conn),
            Output::Send(..) => None,
        });
        closed.collect()
    }
}

#[test]
fn who_does_not_say_hello_is_closed_whatever_else_comes() {
    let mut bench = Bench::new();
    bench.input(A, Input::Connected);
    let before = bench.closed_within(HELLO_LIMIT - MOMENT, &[A]);
    assert_eq!(before, []);
    assert_eq!(bench.pass(MOMENT), [Output::Close(A)]);
    assert_eq!(bench.say(A, hello()), []);
    // One that has said it has time.
    bench.input(B, Input::Connected);
    bench.pass(HELLO_LIMIT - MOMENT);
    bench.say(B, hello());
    assert_eq!(bench.closed_within(HELLO_LIMIT, &[B]), []);
}

#[test]
fn who_goes_into_no_room_is_closed() {
    let mut bench = Bench::new();
    bench.greeted(A);
    assert_eq!(bench.closed_within(ROOMLESS_LIMIT - MOMENT, &[A]), []);
    assert_eq!(bench.pass(MOMENT), [Output::Close(A)]);
}

#[test]
fn who_is_in_a_room_or_looks_into_one_stays() {
    let mut bench = Bench::new();
    bench.joined(A);
    bench.greeted(B);
    bench.say(B, ClientMessage::Watch { room: room(1) });
    assert_eq!(bench.closed_within(10 * ROOMLESS_LIMIT, &[A, B]), []);
    // The time counts from the leaving.
    bench.say(A, ClientMessage::Leave);
    assert_eq!(bench.closed_within(ROOMLESS_LIMIT - MOMENT, &[A, B]), []);
    assert_eq!(bench.pass(MOMENT), [Output::Close(A)]);
}

#[test]
fn who_was_turned_away_has_time_to_try_again() {
    let mut bench = Bench::new();
    bench.greeted(A);
    bench.say(A, join_as(room(1), key_of(A), RoomPolicy::Knock, None));
    bench.greeted(B);
    bench.say(B, join(room(1), key_of(B)));
    assert_eq!(bench.closed_within(10 * ROOMLESS_LIMIT, &[A, B]), []);
    bench.say(A, ClientMessage::Refuse { peer: key_of(B).peer_id() });
    assert_eq!(bench.closed_within(ROOMLESS_LIMIT - MOMENT, &[A, B]), []);
    assert_eq!(bench.closed_within(MOMENT, &[A]), [B]);
}

/// A hub whose rooms last for ten minutes, with one that two are in.
fn room_of_ten_minutes() -> (Bench, Duration) {
    let room_life = Duration::from_mins(10);
    assert!(room_life < ROOM_LIFE);
    let mut bench = Bench::with(HubConfig { room_life, ..HubConfig::default() });
    bench.joined(A);
    bench.joined(B);
    (bench, room_life)
}

#[test]
fn an_old_room_is_made_anew_by_those_inside_with_its_policy() {
    let (mut bench, life) = room_of_ten_minutes();
    bench.say(A, ClientMessage::Policy { policy: RoomPolicy::Locked });
    assert_eq!(bench.closed_within(life - MOMENT, &[A, B]), []);
    let outputs = bench.pass(MOMENT);
    assert_refused_and_closed(&outputs[..2], A, ErrorCode::ShuttingDown);
    assert_refused_and_closed(&outputs[2..], B, ErrorCode::ShuttingDown);
    assert_eq!(bench.hub.census().rooms, 0);
    // They come back as after any loss, and nobody else slips in between.
    let members = [key_of(A).peer_id(), key_of(B).peer_id()];
    let back = |conn, other: usize| {
        join_as(room(1), key_of(conn), RoomPolicy::Locked, Some(&members[other..=other]))
    };
    let [again_a, again_b] = [ConnId(11), ConnId(12)];
    bench.greeted(again_a);
    bench.say(again_a, back(A, 1));
    bench.greeted(C);
    let refused = bench.say(C, join(room(1), key_of(C)));
    assert!(matches!(
        refused[..],
        [Output::Send(C, ServerMessage::Error { code: ErrorCode::RoomLocked, .. })]
    ));
    bench.greeted(again_b);
    bench.say(again_b, back(B, 0));
    assert_eq!(bench.hub.census().participants, 2);
}

#[test]
fn a_room_that_only_waits_to_be_entered_ends_too() {
    let (mut bench, life) = room_of_ten_minutes();
    for conn in [A, B] {
        bench.say(conn, ClientMessage::Leave);
        bench.say(conn, ClientMessage::Watch { room: room(1) });
    }
    assert_eq!(bench.closed_within(life - MOMENT, &[A, B]), []);
    assert_eq!(bench.closed_within(MOMENT, &[]), [A, B]);
}

#[test]
fn a_server_that_makes_no_rooms_ends_none() {
    let (mut bench, life) = room_of_ten_minutes();
    bench.hub.close_to_new_rooms();
    assert_eq!(bench.closed_within(2 * life, &[A, B]), []);
}
