//! What may not last for ever: connections that lead nowhere.

use std::time::Duration;

use quartet_proto::{
    ClientMessage, RoomPolicy,
    limits::{HELLO_LIMIT, PING_INTERVAL, ROOMLESS_LIMIT},
};
use quartet_server::{ConnId, Input, Output};

use crate::bench::{A, B, Bench, hello, join, join_as, key_of, room};

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
