//! Who gets into a room: knocking, locking, removing, coming back.

use std::time::Duration;

use quartet_proto::{
    ClientMessage, ErrorCode, LeaveReason, PeerId, RoomPolicy, ServerMessage,
    limits::{
        MAX_MEMBERS, MAX_WAITING, PING_INTERVAL, REFUSAL_PAUSE, RESUME_GRACE, RETURN_LIMIT,
        SILENCE_LIMIT,
    },
};
use quartet_server::{ConnId, Input, Output};

use crate::bench::{
    A, B, Bench, C, D, assert_refused, assert_refused_and_closed, info, join, join_as, key, key_of,
    left, room, welcome, welcome_to,
};

const E: ConnId = ConnId(5);

/// The first one makes a room of that policy, the others are in it already.
fn room_of(policy: RoomPolicy, people: &[ConnId]) -> Bench {
    let mut bench = Bench::new();
    for conn in people {
        bench.joined(*conn);
    }
    bench.say(people[0], ClientMessage::Policy { policy });
    bench
}

fn id(conn: ConnId) -> PeerId {
    key_of(conn).peer_id()
}

fn admit(conn: ConnId) -> ClientMessage {
    ClientMessage::Admit { peer: id(conn) }
}

fn refuse(conn: ConnId) -> ClientMessage {
    ClientMessage::Refuse { peer: id(conn) }
}

fn remove(conn: ConnId) -> ClientMessage {
    ClientMessage::Remove { peer: id(conn) }
}

fn over(to: ConnId, who: ConnId) -> Output {
    Output::Send(to, ServerMessage::KnockOver { peer: id(who) })
}

fn policy(to: ConnId, policy: RoomPolicy, by: ConnId) -> Output {
    Output::Send(to, ServerMessage::Policy { policy, by: id(by) })
}

fn removed(to: ConnId, who: ConnId, by: ConnId) -> Output {
    let (reason, by) = (LeaveReason::Removed, Some(id(by)));
    Output::Send(to, ServerMessage::PeerLeft { peer: id(who), reason, by })
}

fn joined(to: ConnId, who: ConnId) -> Output {
    Output::Send(to, ServerMessage::PeerJoined { peer: info(who) })
}

impl Bench {
    /// Somebody new, who asks for a seat in the room of all these tests.
    fn knocks(&mut self, conn: ConnId) -> Vec<Output> {
        self.greeted(conn);
        self.say(conn, join(room(1), key_of(conn)))
    }

    /// A socket breaks, and another connection shows the same key.
    fn comes_back(&mut self, conn: ConnId, of: ConnId) -> Vec<Output> {
        self.greeted(conn);
        self.say(conn, join_as(room(1), key_of(of), RoomPolicy::Open, Some(&[])))
    }

    /// Time passes for people who ping.
    fn pass_alive(&mut self, time: Duration, alive: &[ConnId]) {
        let end = self.now + time;
        while self.now < end {
            self.pass(PING_INTERVAL.min(end - self.now));
            for conn in alive {
                self.say(*conn, ClientMessage::Ping { nonce: 0 });
            }
        }
    }
}

#[test]
fn a_newcomer_knocks_and_is_let_in_by_anybody_inside() {
    let mut bench = room_of(RoomPolicy::Knock, &[A, B]);
    let knock = |to| Output::Send(to, ServerMessage::Knock { peer: info(C) });
    assert_eq!(bench.knocks(C), [Output::Send(C, ServerMessage::Waiting), knock(A), knock(B)]);
    assert_eq!(
        bench.say(B, admit(C)),
        [
            over(A, C),
            over(B, C),
            welcome_to(C, &[A, B], RoomPolicy::Knock, &[]),
            joined(A, C),
            joined(B, C)
        ]
    );
    assert_refused(&bench.say(A, admit(C)), A, ErrorCode::UnknownPeer);
}

#[test]
fn who_makes_a_room_chooses_and_who_comes_later_does_not() {
    let mut bench = Bench::new();
    bench.greeted(A);
    let outputs = bench.say(A, join_as(room(1), key_of(A), RoomPolicy::Knock, None));
    assert_eq!(outputs, [welcome_to(A, &[], RoomPolicy::Knock, &[])]);
    bench.greeted(B);
    let outputs = bench.say(B, join_as(room(1), key_of(B), RoomPolicy::Open, None));
    assert_eq!(outputs[0], Output::Send(B, ServerMessage::Waiting));
}

#[test]
fn who_waits_is_not_in_the_room() {
    let mut bench = room_of(RoomPolicy::Knock, &[A]);
    bench.knocks(B);
    for message in [
        ClientMessage::Policy { policy: RoomPolicy::Open },
        admit(B),
        refuse(B),
        remove(A),
        crate::bench::offer(id(A)),
    ] {
        assert_refused(&bench.say(B, message), B, ErrorCode::NotJoined);
    }
    assert_refused(&bench.say(A, crate::bench::offer(id(B))), A, ErrorCode::UnknownPeer);
    assert_refused(&bench.say(B, join(room(2), key(9))), B, ErrorCode::AlreadyJoined);
    bench.greeted(C);
    assert_eq!(
        bench.say(C, ClientMessage::Watch { room: room(1) }),
        [Output::Send(
            C,
            ServerMessage::Roster { peers: vec![info(A)], policy: RoomPolicy::Knock }
        )]
    );
}

#[test]
fn who_was_refused_may_knock_again_only_after_a_pause() {
    let mut bench = room_of(RoomPolicy::Knock, &[A]);
    bench.knocks(B);
    let outputs = bench.say(A, refuse(B));
    assert_refused(&outputs[..1], B, ErrorCode::Refused);
    assert_eq!(outputs[1..], [over(A, B)]);
    // Neither with that key from elsewhere, nor with another one from the same place.
    bench.greeted(C);
    assert_refused(&bench.say(C, join(room(1), key_of(B))), C, ErrorCode::Refused);
    assert_refused(&bench.say(B, join(room(1), key(9))), B, ErrorCode::Refused);
    bench.pass_alive(REFUSAL_PAUSE - Duration::from_millis(1), &[A, B, C]);
    assert_refused(&bench.say(B, join(room(1), key_of(B))), B, ErrorCode::Refused);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.say(B, join(room(1), key_of(B)))[0], Output::Send(B, ServerMessage::Waiting));
}

#[test]
fn giving_up_or_a_lost_socket_ends_the_waiting() {
    let mut bench = room_of(RoomPolicy::Knock, &[A]);
    bench.knocks(B);
    assert_eq!(bench.say(B, ClientMessage::Leave), [over(A, B)]);
    assert_eq!(bench.say(B, join(room(1), key_of(B))).len(), 2);
    assert_eq!(bench.input(B, Input::Disconnected), [over(A, B)]);
    bench.knocks(C);
    bench.pass_alive(SILENCE_LIMIT - Duration::from_secs(1), &[A]);
    assert_eq!(bench.pass(Duration::from_secs(1)), [over(A, C), Output::Close(C)]);
}

#[test]
fn a_second_connection_of_somebody_who_waits_takes_the_place() {
    let mut bench = room_of(RoomPolicy::Knock, &[A]);
    bench.knocks(B);
    bench.greeted(C);
    let outputs = bench.say(C, join(room(1), key_of(B)));
    assert_refused_and_closed(&outputs[..2], B, ErrorCode::Replaced);
    assert_eq!(outputs[2..], [Output::Send(C, ServerMessage::Waiting)]);
    assert_eq!(bench.input(B, Input::Disconnected), []);
    let outputs = bench.say(A, admit(B));
    assert!(
        matches!(&outputs[1], Output::Send(C, ServerMessage::Welcome { you, .. }) if *you == id(B))
    );
}

#[test]
fn those_who_wait_are_counted() {
    let mut bench = room_of(RoomPolicy::Knock, &[A]);
    let last = ConnId(100);
    for n in 0..MAX_WAITING as u64 {
        assert_eq!(bench.knocks(ConnId(20 + n)).len(), 2);
    }
    assert_refused(&bench.knocks(last), last, ErrorCode::ServerFull);
    bench.say(ConnId(20), ClientMessage::Leave);
    assert_eq!(bench.say(last, join(room(1), key_of(last))).len(), 2);
}

#[test]
fn a_full_room_has_no_place_to_wait_for_and_nobody_is_let_into_it() {
    let mut bench = room_of(RoomPolicy::Knock, &[A, B, C]);
    bench.knocks(D);
    bench.knocks(E);
    bench.say(A, admit(D));
    assert_refused(&bench.say(A, admit(E)), A, ErrorCode::RoomFull);
    let sixth = ConnId(6);
    assert_refused(&bench.knocks(sixth), sixth, ErrorCode::RoomFull);
    bench.say(B, ClientMessage::Leave);
    assert_eq!(bench.say(A, admit(E)).len(), 3 + 1 + 3);
}

#[test]
fn somebody_let_in_learns_who_else_waits() {
    let mut bench = room_of(RoomPolicy::Knock, &[A]);
    bench.knocks(B);
    bench.knocks(C);
    let outputs = bench.say(A, admit(B));
    assert_eq!(outputs[1], welcome_to(B, &[A], RoomPolicy::Knock, &[C]));
}

#[test]
fn opening_the_door_lets_in_those_who_wait_as_far_as_there_is_room() {
    let mut bench = room_of(RoomPolicy::Knock, &[A, B, C]);
    bench.knocks(D);
    bench.knocks(E);
    let outputs = bench.say(A, ClientMessage::Policy { policy: RoomPolicy::Open });
    assert_eq!(outputs[..3], [A, B, C].map(|to| policy(to, RoomPolicy::Open, A)));
    assert!(outputs.contains(&welcome_to(D, &[A, B, C], RoomPolicy::Open, &[E])));
    let full = outputs.iter().position(|output| {
        matches!(output, Output::Send(E, ServerMessage::Error { code: ErrorCode::RoomFull, .. }))
    });
    assert!(full.is_some());
    // Nobody is left behind the open door.
    bench.say(B, ClientMessage::Leave);
    assert_eq!(bench.say(E, join(room(1), key_of(E))).len(), 4);
}

#[test]
fn locking_sends_back_those_who_wait_and_lets_nobody_in() {
    let mut bench = room_of(RoomPolicy::Knock, &[A, B]);
    bench.knocks(C);
    let outputs = bench.say(B, ClientMessage::Policy { policy: RoomPolicy::Locked });
    assert_eq!(outputs[..2], [A, B].map(|to| policy(to, RoomPolicy::Locked, B)));
    assert_refused(&outputs[2..3], C, ErrorCode::RoomLocked);
    assert_eq!(outputs[3..], [over(A, C), over(B, C)]);
    assert_refused(&bench.say(C, join(room(1), key_of(C))), C, ErrorCode::RoomLocked);
    assert_refused(&bench.knocks(D), D, ErrorCode::RoomLocked);
    // Said again, it is no news.
    assert_eq!(bench.say(A, ClientMessage::Policy { policy: RoomPolicy::Locked }), []);
    bench.say(A, ClientMessage::Policy { policy: RoomPolicy::Open });
    assert_eq!(bench.say(D, join(room(1), key_of(D))).len(), 3);
}

#[test]
fn a_room_outlives_who_started_it_with_what_they_chose() {
    let mut bench = room_of(RoomPolicy::Knock, &[A, B]);
    bench.knocks(C);
    assert_eq!(bench.say(A, ClientMessage::Leave), [left(B, A, LeaveReason::Left)]);
    bench.knocks(D);
    assert_eq!(bench.say(B, admit(C))[0], over(B, C));
    assert_eq!(bench.say(B, ClientMessage::Leave), [left(C, B, LeaveReason::Left)]);
    assert_eq!(bench.say(C, admit(D))[1], welcome_to(D, &[C], RoomPolicy::Knock, &[]));
    // Also who has left comes as a newcomer.
    assert_eq!(bench.say(A, join(room(1), key_of(A)))[0], Output::Send(A, ServerMessage::Waiting));
}

#[test]
fn those_who_wait_do_not_keep_a_room() {
    let mut bench = room_of(RoomPolicy::Knock, &[A]);
    bench.knocks(B);
    let outputs = bench.say(A, ClientMessage::Leave);
    assert_refused(&outputs, B, ErrorCode::Refused);
    // There is no room, so this makes one, and nothing is left of the other.
    assert_eq!(bench.say(B, join(room(1), key_of(B))), [welcome(B, &[])]);
    // The same when the last one is lost.
    bench.say(B, ClientMessage::Policy { policy: RoomPolicy::Knock });
    bench.knocks(C);
    bench.input(B, Input::Disconnected);
    assert_refused(&bench.pass(RESUME_GRACE), C, ErrorCode::Refused);
    assert_eq!(bench.say(C, join(room(1), key_of(C))), [welcome(C, &[])]);
}

#[test]
fn nothing_of_a_room_stays_for_the_next_one_while_somebody_looks_in() {
    let mut bench = room_of(RoomPolicy::Locked, &[A]);
    bench.greeted(B);
    bench.say(B, ClientMessage::Watch { room: room(1) });
    let roster = ServerMessage::Roster { peers: vec![], policy: RoomPolicy::Open };
    assert_eq!(bench.say(A, ClientMessage::Leave), [Output::Send(B, roster)]);
    assert_eq!(bench.say(B, join(room(1), key_of(B))), [welcome(B, &[])]);
}

#[test]
fn the_removed_one_is_told_and_does_not_come_back() {
    let mut bench = room_of(RoomPolicy::Knock, &[A, B, C]);
    let outputs = bench.say(A, remove(B));
    assert_refused_and_closed(&outputs[..2], B, ErrorCode::Removed);
    assert_eq!(outputs[2..], [removed(A, B, A), removed(C, B, A)]);
    assert_eq!(bench.input(B, Input::Disconnected), []);
    assert_refused_and_closed(&bench.comes_back(D, B), D, ErrorCode::Removed);
    assert_refused(&bench.say(C, remove(B)), C, ErrorCode::UnknownPeer);
    assert_refused(&bench.say(C, remove(C)), C, ErrorCode::UnknownPeer);
    // For as long as the room lasts, whoever removed them.
    bench.say(A, ClientMessage::Leave);
    bench.say(C, ClientMessage::Policy { policy: RoomPolicy::Open });
    assert_refused_and_closed(&bench.comes_back(E, B), E, ErrorCode::Removed);
}

#[test]
fn removing_closes_an_open_room_to_who_comes_with_another_key() {
    let mut bench = room_of(RoomPolicy::Open, &[A, B, C]);
    let outputs = bench.say(A, remove(B));
    assert_eq!(outputs[4..], [A, C].map(|to| policy(to, RoomPolicy::Knock, A)));
    bench.greeted(D);
    assert_eq!(bench.say(D, join(room(1), key(77)))[0], Output::Send(D, ServerMessage::Waiting));
    let mut bench = room_of(RoomPolicy::Locked, &[A, B, C]);
    assert_eq!(bench.say(A, remove(B)).len(), 4, "a locked one stays locked");
}

#[test]
fn somebody_who_waits_can_be_shut_out_for_good() {
    let mut bench = room_of(RoomPolicy::Knock, &[A]);
    bench.knocks(B);
    let outputs = bench.say(A, remove(B));
    assert_eq!(outputs[0], over(A, B));
    assert_refused_and_closed(&outputs[1..], B, ErrorCode::Removed);
    assert_refused_and_closed(&bench.comes_back(C, B), C, ErrorCode::Removed);
}

#[test]
fn somebody_away_can_be_removed() {
    for gone_for in [Duration::ZERO, RESUME_GRACE] {
        let mut bench = room_of(RoomPolicy::Knock, &[A, B]);
        bench.input(B, Input::Disconnected);
        bench.pass(gone_for);
        bench.say(A, remove(B));
        assert_refused_and_closed(&bench.comes_back(C, B), C, ErrorCode::Removed);
    }
}

#[test]
fn who_comes_back_passes_the_door() {
    for door in [RoomPolicy::Knock, RoomPolicy::Locked] {
        // While the seat is kept: unnoticed.
        let mut bench = room_of(door, &[A, B]);
        bench.input(B, Input::Disconnected);
        assert_eq!(bench.comes_back(C, B).len(), 1);
        // And for a while after it was given up.
        bench.input(C, Input::Disconnected);
        bench.pass_alive(RESUME_GRACE + RETURN_LIMIT - Duration::from_millis(1), &[A]);
        let outputs = bench.comes_back(D, B);
        assert_eq!(outputs[1..], [joined(A, B)]);
        bench.input(D, Input::Disconnected);
        bench.pass_alive(RESUME_GRACE + RETURN_LIMIT, &[A]);
        let outputs = bench.comes_back(E, B);
        match door {
            RoomPolicy::Locked => assert_refused(&outputs, E, ErrorCode::RoomLocked),
            _ => assert_eq!(outputs[0], Output::Send(E, ServerMessage::Waiting)),
        }
    }
}

#[test]
fn after_a_restart_the_first_member_makes_the_room_as_it_was() {
    let mut bench = Bench::new();
    bench.greeted(A);
    let members = [id(B)];
    let outputs = bench.say(A, join_as(room(1), key_of(A), RoomPolicy::Locked, Some(&members)));
    assert_eq!(outputs, [welcome_to(A, &[], RoomPolicy::Locked, &[])]);
    assert_refused(&bench.knocks(C), C, ErrorCode::RoomLocked);
    assert_eq!(bench.comes_back(B, B)[0], welcome_to(B, &[A], RoomPolicy::Locked, &[]));
}

#[test]
fn who_is_vouched_for_later_passes_even_while_waiting() {
    let mut bench = Bench::new();
    bench.greeted(A);
    bench.say(A, join_as(room(1), key_of(A), RoomPolicy::Knock, Some(&[id(B)])));
    // A does not know C, whom B has let in shortly before the server died.
    assert_eq!(bench.knocks(C)[0], Output::Send(C, ServerMessage::Waiting));
    bench.greeted(B);
    let members = [id(A), id(C)];
    let outputs = bench.say(B, join_as(room(1), key_of(B), RoomPolicy::Knock, Some(&members)));
    assert!(outputs.contains(&welcome_to(C, &[A, B], RoomPolicy::Knock, &[])), "{outputs:?}");
}

#[test]
fn a_stranger_who_was_quicker_than_the_members_does_not_undo_their_choice() {
    let mut bench = Bench::new();
    bench.joined(E);
    bench.greeted(A);
    let outputs = bench.say(A, join_as(room(1), key_of(A), RoomPolicy::Knock, Some(&[id(B)])));
    assert_eq!(outputs[2..], [E, A].map(|to| policy(to, RoomPolicy::Knock, A)));
    assert_eq!(bench.comes_back(B, B)[0], welcome_to(B, &[E, A], RoomPolicy::Knock, &[]));
    assert_eq!(bench.knocks(C)[0], Output::Send(C, ServerMessage::Waiting));
}

#[test]
fn a_newcomer_who_pretends_to_come_back_waits_like_any_other() {
    for door in [RoomPolicy::Knock, RoomPolicy::Locked] {
        let mut bench = room_of(door, &[A]);
        bench.greeted(B);
        let claim = join_as(room(1), key_of(B), RoomPolicy::Open, Some(&[id(B), id(C)]));
        let outputs = bench.say(B, claim);
        match door {
            RoomPolicy::Locked => assert_refused(&outputs, B, ErrorCode::RoomLocked),
            _ => assert_eq!(outputs[0], Output::Send(B, ServerMessage::Waiting)),
        }
        let outputs = bench.comes_back(C, C);
        assert!(!outputs.iter().any(|output| *output == joined(A, C)), "vouched for by nobody");
    }
}

#[test]
fn members_are_named_in_numbers_that_can_be() {
    let mut bench = Bench::new();
    bench.greeted(A);
    let ids = |n: usize| (0..n as u64).map(PeerId::from_u64).collect::<Vec<_>>();
    let with = |ids: &[PeerId]| join_as(room(1), key_of(A), RoomPolicy::Open, Some(ids));
    let refused = bench.say(A, with(&ids(MAX_MEMBERS + 1)));
    assert_refused(&refused, A, ErrorCode::BadMessage);
    assert_eq!(bench.say(A, with(&ids(MAX_MEMBERS))).len(), 1);
}

#[test]
fn people_who_come_and_go_without_end_are_not_remembered_without_end() {
    let mut bench = room_of(RoomPolicy::Open, &[A]);
    for n in 0..1_000_u64 {
        let conn = ConnId(1_000 + n);
        bench.greeted(conn);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        let key = quartet_proto::SessionKey::from_bytes(bytes);
        let peer = key.peer_id();
        bench.say(conn, join(room(1), key));
        bench.say(A, ClientMessage::Remove { peer });
        bench.say(A, ClientMessage::Policy { policy: RoomPolicy::Open });
    }
    // What a hub is made of, written out, stays short.
    assert!(format!("{:?}", bench.hub).len() < 20_000);
}
