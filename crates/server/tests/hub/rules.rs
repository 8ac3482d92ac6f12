//! Each rule of the hub by itself, but for who gets into a room, which is in `knocking`.

use std::time::Duration;

use quartet_proto::{
    Candidate, ClientMessage, DescriptionKind, ErrorCode, IceServer, LeaveReason, PROTOCOL_VERSION,
    PeerId, PeerInfo, RoomPolicy, ServerMessage,
    limits::{
        MAX_CANDIDATE_BYTES, MAX_SDP_BYTES, MAX_WATCHERS, PING_INTERVAL, RESUME_GRACE,
        SILENCE_LIMIT,
    },
};
use quartet_server::{ConnId, HubConfig, Input, MAX_CONNECTIONS, MAX_ROOMS, Output};

use crate::bench::{
    A, B, Bench, C, MUTED, OPEN, PROOF, assert_refused, assert_refused_and_closed, hello, info,
    join, key, key_of, left, offer, room, welcome,
};

#[test]
fn the_first_message_is_hello() {
    let mut bench = Bench::new();
    bench.input(A, Input::Connected);
    assert_refused(&bench.say(A, ClientMessage::Ping { nonce: 1 }), A, ErrorCode::NotJoined);
    assert_refused(&bench.say(A, join(room(1), key(1))), A, ErrorCode::NotJoined);
    bench.say(A, hello());
    assert_refused(&bench.say(A, hello()), A, ErrorCode::BadMessage);
}

#[test]
fn another_version_is_refused_and_closed() {
    let mut bench = Bench::new();
    bench.input(A, Input::Connected);
    let other = ClientMessage::Hello { version: PROTOCOL_VERSION + 1, client: "test".into() };
    assert_refused_and_closed(&bench.say(A, other), A, ErrorCode::UnsupportedVersion);
    assert_eq!(bench.say(A, hello()), []);
}

#[test]
fn a_ping_is_answered_in_and_out_of_a_room() {
    let mut bench = Bench::new();
    bench.greeted(A);
    let pong = [Output::Send(A, ServerMessage::Pong { nonce: 7 })];
    assert_eq!(bench.say(A, ClientMessage::Ping { nonce: 7 }), pong);
    bench.say(A, join(room(1), key(1)));
    assert_eq!(bench.say(A, ClientMessage::Ping { nonce: 7 }), pong);
}

#[test]
fn a_newcomer_is_welcomed_and_the_others_are_told() {
    let ice_servers = vec!["stun:stun.example.org".parse::<IceServer>().unwrap()];
    let mut bench =
        Bench::with(HubConfig { ice_servers: ice_servers.clone(), ..HubConfig::default() });
    bench.joined(A);
    bench.greeted(B);
    let outputs = bench.say(B, join(room(1), key_of(B)));
    let you = key_of(B).peer_id();
    assert_eq!(
        outputs,
        [
            Output::Send(
                B,
                ServerMessage::Welcome {
                    you,
                    peers: vec![info(A)],
                    ice_servers,
                    policy: RoomPolicy::Open,
                    knocking: vec![]
                }
            ),
            Output::Send(A, ServerMessage::PeerJoined { peer: info(B) }),
        ]
    );
}

#[test]
fn the_roster_is_in_the_order_of_joining() {
    let mut bench = Bench::new();
    for conn in [C, A, B] {
        bench.joined(conn);
    }
    bench.greeted(ConnId(9));
    let outputs = bench.say(ConnId(9), ClientMessage::Watch { room: room(1) });
    let peers = vec![info(C), info(A), info(B)];
    assert_eq!(
        outputs,
        [Output::Send(ConnId(9), ServerMessage::Roster { peers, policy: RoomPolicy::Open })]
    );
}

#[test]
fn a_fifth_is_refused_and_gets_in_when_somebody_has_left() {
    let mut bench = Bench::new();
    for n in 1..=4 {
        bench.joined(ConnId(n));
    }
    let fifth = ConnId(5);
    bench.greeted(fifth);
    assert_refused(&bench.say(fifth, join(room(1), key(5))), fifth, ErrorCode::RoomFull);
    assert_eq!(bench.say(A, ClientMessage::Leave).len(), 3);
    let outputs = bench.say(fifth, join(room(1), key(5)));
    assert_eq!(outputs[0], welcome(fifth, &[B, C, ConnId(4)]));
}

#[test]
fn a_second_join_is_refused() {
    let mut bench = Bench::new();
    bench.joined(A);
    assert_refused(&bench.say(A, join(room(1), key(1))), A, ErrorCode::AlreadyJoined);
    assert_refused(&bench.say(A, join(room(2), key(2))), A, ErrorCode::AlreadyJoined);
    let watch = ClientMessage::Watch { room: room(2) };
    assert_refused(&bench.say(A, watch), A, ErrorCode::AlreadyJoined);
}

#[test]
fn a_bad_name_is_refused_and_a_good_one_is_trimmed() {
    let mut bench = Bench::new();
    bench.greeted(A);
    let named = |name: &str| ClientMessage::Join {
        room: room(1),
        key: key(1),
        name: name.into(),
        media: OPEN,
        policy: RoomPolicy::Open,
        members: None,
    };
    for bad in ["", "  ", "a\nb", "a\u{202E}b", &"x".repeat(65)] {
        assert_refused(&bench.say(A, named(bad)), A, ErrorCode::InvalidName);
    }
    bench.say(A, named("  สมศรี "));
    bench.greeted(B);
    let outputs = bench.say(B, ClientMessage::Watch { room: room(1) });
    let [Output::Send(_, ServerMessage::Roster { peers, .. })] = &outputs[..] else { panic!() };
    assert_eq!(peers[0].name, "สมศรี");
}

#[test]
fn what_is_for_one_reaches_only_that_one() {
    let mut bench = Bench::new();
    let (a, b) = (bench.joined(A), bench.joined(B));
    bench.joined(C);
    let description = ServerMessage::Description {
        from: a,
        epoch: 1,
        kind: DescriptionKind::Offer,
        sdp: "v=0".into(),
        proof: Some(PROOF),
    };
    assert_eq!(bench.say(A, offer(b)), [Output::Send(B, description)]);
    assert_eq!(
        bench.say(A, ClientMessage::Confirm { to: b, epoch: 1, proof: PROOF }),
        [Output::Send(B, ServerMessage::Confirm { from: a, epoch: 1, proof: PROOF })]
    );
    let candidate = Candidate {
        candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host".into(),
        sdp_mid: Some("0".into()),
        sdp_mline_index: Some(0),
        username_fragment: None,
    };
    assert_eq!(
        bench.say(B, ClientMessage::Candidate { to: a, epoch: 3, candidate: candidate.clone() }),
        [Output::Send(A, ServerMessage::Candidate { from: b, epoch: 3, candidate })]
    );
    assert_eq!(
        bench.say(B, ClientMessage::Negotiate { to: a, epoch: 3, renew: true }),
        [Output::Send(A, ServerMessage::Negotiate { from: b, epoch: 3, renew: true })]
    );
}

#[test]
fn nobody_reaches_another_room_themselves_or_a_stranger() {
    let mut bench = Bench::new();
    let a = bench.joined(A);
    bench.greeted(B);
    bench.say(B, join(room(2), key_of(B)));
    let b = key_of(B).peer_id();
    for to in [a, b, PeerId::from_u64(99)] {
        let refused = bench.say(B, offer(to));
        assert_refused(&refused, B, ErrorCode::UnknownPeer);
    }
    bench.greeted(C);
    assert_refused(&bench.say(C, offer(a)), C, ErrorCode::NotJoined);
    assert_refused(&bench.say(C, ClientMessage::Leave), C, ErrorCode::NotJoined);
}

#[test]
fn a_description_or_candidate_that_is_too_long_is_refused() {
    let mut bench = Bench::new();
    let (_, b) = (bench.joined(A), bench.joined(B));
    let description = |bytes| ClientMessage::Description {
        to: b,
        epoch: 1,
        kind: DescriptionKind::Offer,
        sdp: "x".repeat(bytes),
        proof: PROOF,
    };
    assert_eq!(bench.say(A, description(MAX_SDP_BYTES)).len(), 1);
    let refused = bench.say(A, description(MAX_SDP_BYTES + 1));
    assert_refused(&refused, A, ErrorCode::BadMessage);
    let (fits, too_long) = ("x".repeat(MAX_CANDIDATE_BYTES), "x".repeat(MAX_CANDIDATE_BYTES + 1));
    for (line, mid, fragment, refused) in [
        (&fits, &fits, &fits, false),
        (&too_long, &fits, &fits, true),
        (&fits, &too_long, &fits, true),
        (&fits, &fits, &too_long, true),
    ] {
        let candidate = Candidate {
            candidate: line.clone(),
            sdp_mid: Some(mid.clone()),
            sdp_mline_index: None,
            username_fragment: Some(fragment.clone()),
        };
        let outputs = bench.say(A, ClientMessage::Candidate { to: b, epoch: 1, candidate });
        if refused {
            assert_refused(&outputs, A, ErrorCode::BadMessage);
        } else {
            assert!(matches!(&outputs[..], [Output::Send(B, _)]));
        }
    }
}

#[test]
fn a_changed_media_state_is_told_and_an_unchanged_one_is_not() {
    let mut bench = Bench::new();
    let a = bench.joined(A);
    bench.joined(B);
    let notice = Output::Send(B, ServerMessage::PeerMedia { peer: a, media: MUTED });
    assert_eq!(bench.say(A, ClientMessage::Media { media: MUTED }), [notice]);
    assert_eq!(bench.say(A, ClientMessage::Media { media: MUTED }), []);
}

#[test]
fn a_watcher_sees_every_change_and_is_not_seen() {
    let mut bench = Bench::new();
    bench.greeted(C);
    let roster = |peers: &[PeerInfo]| {
        Output::Send(C, ServerMessage::Roster { peers: peers.into(), policy: RoomPolicy::Open })
    };
    assert_eq!(bench.say(C, ClientMessage::Watch { room: room(1) }), [roster(&[])]);
    bench.greeted(A);
    let outputs = bench.say(A, join(room(1), key_of(A)));
    assert_eq!(outputs, [welcome(A, &[]), roster(&[info(A)])]);
    let muted = PeerInfo { media: MUTED, ..info(A) };
    assert_eq!(bench.say(A, ClientMessage::Media { media: MUTED }), [roster(&[muted])]);
    assert_eq!(bench.say(A, ClientMessage::Leave), [roster(&[])]);
    // From the green room into the call, on the same connection.
    assert_eq!(bench.say(C, join(room(1), key_of(C))), [welcome(C, &[])]);
    assert_eq!(
        bench.say(A, join(room(1), key_of(A)))[1..],
        [Output::Send(C, ServerMessage::PeerJoined { peer: info(A) })]
    );
}

#[test]
fn who_is_refused_goes_on_watching() {
    let mut bench = Bench::new();
    for n in 1..=4 {
        bench.joined(ConnId(n));
    }
    let fifth = ConnId(5);
    bench.greeted(fifth);
    bench.say(fifth, ClientMessage::Watch { room: room(1) });
    assert_refused(&bench.say(fifth, join(room(1), key(5))), fifth, ErrorCode::RoomFull);
    let outputs = bench.say(A, ClientMessage::Leave);
    assert!(matches!(outputs.last(), Some(Output::Send(to, ServerMessage::Roster { peers, .. }))
        if *to == fifth && peers.len() == 3));
}

#[test]
fn watchers_are_counted_and_leave_room_when_they_stop() {
    let mut bench = Bench::new();
    let watch = || ClientMessage::Watch { room: room(1) };
    let last = ConnId(100);
    for n in 0..MAX_WATCHERS as u64 {
        bench.greeted(ConnId(n));
        assert_eq!(bench.say(ConnId(n), watch()).len(), 1);
    }
    bench.greeted(last);
    assert_refused(&bench.say(last, watch()), last, ErrorCode::ServerFull);
    assert_eq!(bench.say(ConnId(0), ClientMessage::Leave), []);
    assert!(matches!(
        &bench.say(last, watch())[..],
        [Output::Send(_, ServerMessage::Roster { .. })]
    ));
}

#[test]
fn a_dropped_socket_keeps_its_seat_and_comes_back_unnoticed() {
    let mut bench = Bench::new();
    bench.joined(A);
    bench.joined(B);
    assert_eq!(bench.input(A, Input::Disconnected), []);
    assert_eq!(bench.pass(RESUME_GRACE - Duration::from_millis(1)), []);
    bench.greeted(C);
    assert_eq!(
        bench.say(C, join(room(1), key_of(A))),
        [Output::Send(
            C,
            ServerMessage::Welcome {
                you: key_of(A).peer_id(),
                peers: vec![info(B)],
                ice_servers: vec![],
                policy: RoomPolicy::Open,
                knocking: vec![]
            }
        )]
    );
    // The old deadline means nothing any more.
    bench.say(B, ClientMessage::Ping { nonce: 0 });
    bench.outputs();
    assert_eq!(bench.pass(Duration::from_secs(2)), []);
}

#[test]
fn who_does_not_come_back_is_lost() {
    let mut bench = Bench::new();
    bench.joined(A);
    bench.joined(B);
    bench.input(A, Input::Disconnected);
    assert_eq!(bench.pass(RESUME_GRACE), [left(B, A, LeaveReason::Lost)]);
}

#[test]
fn a_silent_one_is_gone_for_the_others_in_under_ten_seconds() {
    let mut bench = Bench::new();
    bench.joined(A);
    bench.joined(B);
    let start = bench.now;
    let mut seen = Vec::new();
    while bench.now < start + Duration::from_secs(10) {
        bench.say(B, ClientMessage::Ping { nonce: 0 });
        let at = bench.now;
        seen.extend(bench.pass(PING_INTERVAL / 4).into_iter().map(|output| (at - start, output)));
    }
    let closed = seen.iter().find(|(_, output)| *output == Output::Close(A)).expect("closed");
    assert!(closed.0 <= SILENCE_LIMIT);
    let gone = left(B, A, LeaveReason::Lost);
    let gone = seen.iter().find(|(_, output)| *output == gone).expect("gone");
    assert!(gone.0 <= SILENCE_LIMIT + RESUME_GRACE);
}

#[test]
fn pings_keep_a_connection_and_any_message_counts() {
    let mut bench = Bench::new();
    bench.joined(A);
    for n in 0..20 {
        assert_eq!(bench.pass(SILENCE_LIMIT - Duration::from_millis(1)), []);
        match n % 3 {
            0 => bench.say(A, ClientMessage::Ping { nonce: n }),
            1 => bench.input(A, Input::Unreadable("?".into())),
            _ => bench.say(A, ClientMessage::Media { media: MUTED }),
        };
    }
}

#[test]
fn who_connects_and_says_nothing_is_closed() {
    let mut bench = Bench::new();
    bench.input(A, Input::Connected);
    assert_eq!(bench.pass(SILENCE_LIMIT), [Output::Close(A)]);
    assert_eq!(bench.hub.poll_timeout(), None);
}

#[test]
fn a_second_connection_with_the_same_key_replaces_the_first() {
    let mut bench = Bench::new();
    bench.joined(A);
    let b = bench.joined(B);
    bench.greeted(C);
    let rejoin = ClientMessage::Join {
        room: room(1),
        key: key_of(A),
        name: "Another name".into(),
        media: MUTED,
        policy: RoomPolicy::Open,
        members: None,
    };
    let outputs = bench.say(C, rejoin);
    assert_refused_and_closed(&outputs[..2], A, ErrorCode::Replaced);
    let a = key_of(A).peer_id();
    assert!(
        matches!(&outputs[2], Output::Send(C, ServerMessage::Welcome { you, .. }) if *you == a)
    );
    // The others see neither a coming nor a going: only what has changed.
    assert_eq!(outputs[3..], [Output::Send(B, ServerMessage::PeerMedia { peer: a, media: MUTED })]);
    // The end of the first one's socket does not touch the seat.
    assert_eq!(bench.input(A, Input::Disconnected), []);
    assert_eq!(bench.say(A, ClientMessage::Ping { nonce: 1 }), []);
    assert!(matches!(&bench.say(C, offer(b))[..], [Output::Send(B, _)]));
    assert!(matches!(&bench.say(B, offer(a))[..], [Output::Send(C, _)]));
}

#[test]
fn what_is_sent_to_somebody_away_is_lost_without_an_error() {
    let mut bench = Bench::new();
    let a = bench.joined(A);
    bench.joined(B);
    bench.input(A, Input::Disconnected);
    assert_eq!(bench.say(B, offer(a)), []);
    bench.pass(RESUME_GRACE);
    assert_refused(&bench.say(B, offer(a)), B, ErrorCode::UnknownPeer);
}

#[test]
fn a_seat_that_is_kept_counts() {
    let mut bench = Bench::new();
    for n in 1..=4 {
        bench.joined(ConnId(n));
    }
    bench.input(A, Input::Disconnected);
    let fifth = ConnId(5);
    bench.greeted(fifth);
    assert_refused(&bench.say(fifth, join(room(1), key(5))), fifth, ErrorCode::RoomFull);
    bench.greeted(ConnId(6));
    assert_eq!(bench.say(ConnId(6), join(room(1), key_of(A))).len(), 1);
}

#[test]
fn the_same_key_in_two_rooms_is_two_participants() {
    let mut bench = Bench::new();
    bench.joined(A);
    bench.greeted(B);
    assert_eq!(bench.say(B, join(room(2), key_of(A))).len(), 1);
    assert_eq!(bench.say(A, ClientMessage::Ping { nonce: 1 }).len(), 1);
}

#[test]
fn what_is_no_message_costs_an_error_only() {
    let mut bench = Bench::new();
    bench.joined(A);
    let refused = bench.input(A, Input::Unreadable("no JSON".into()));
    assert_refused(&refused, A, ErrorCode::BadMessage);
    assert_refused(&bench.input(A, Input::RateLimited), A, ErrorCode::RateLimited);
    assert_eq!(bench.say(A, ClientMessage::Ping { nonce: 1 }).len(), 1);
}

#[test]
fn an_error_does_not_echo_a_book() {
    let mut bench = Bench::new();
    bench.joined(A);
    let outputs = bench.input(A, Input::Unreadable("ก".repeat(30_000)));
    let [Output::Send(_, ServerMessage::Error { message, .. })] = &outputs[..] else { panic!() };
    assert!(message.len() <= 256 && message.len() > 250);
}

#[test]
fn too_much_at_once_ends_the_connection_but_not_the_seat() {
    let mut bench = Bench::new();
    bench.joined(A);
    bench.joined(B);
    assert_refused_and_closed(&bench.input(A, Input::TooLarge), A, ErrorCode::TooLarge);
    assert_eq!(bench.pass(RESUME_GRACE), [left(B, A, LeaveReason::Lost)]);
}

#[test]
fn a_full_server_refuses_connections_and_rooms() {
    let config = HubConfig { max_connections: 3, max_rooms: 1, ..HubConfig::default() };
    let mut bench = Bench::with(config);
    bench.joined(A);
    bench.greeted(B);
    assert_refused(&bench.say(B, join(room(2), key_of(B))), B, ErrorCode::ServerFull);
    let watch = ClientMessage::Watch { room: room(2) };
    assert_refused(&bench.say(B, watch), B, ErrorCode::ServerFull);
    bench.greeted(C);
    let fourth = ConnId(4);
    let outputs = bench.input(fourth, Input::Connected);
    assert_refused_and_closed(&outputs, fourth, ErrorCode::ServerFull);
    bench.input(C, Input::Disconnected);
    bench.greeted(fourth);
    // The room is free again as soon as the last one has left.
    bench.say(A, ClientMessage::Leave);
    assert_eq!(bench.say(B, join(room(2), key_of(B))).len(), 1);
}

#[test]
fn the_protocol_page_says_how_much_a_server_takes() {
    let page = include_str!("../../../../docs/protocol.md");
    let sentence = format!("at most {MAX_CONNECTIONS} connections and {MAX_ROOMS} rooms");
    assert!(page.contains(&sentence), "{sentence}");
}

#[test]
fn shutting_down_tells_everybody_and_forgets_them() {
    let mut bench = Bench::new();
    bench.joined(A);
    bench.input(B, Input::Connected);
    bench.hub.shut_down();
    let outputs = bench.outputs();
    assert_refused_and_closed(&outputs[..2], A, ErrorCode::ShuttingDown);
    assert_refused_and_closed(&outputs[2..], B, ErrorCode::ShuttingDown);
    assert_eq!(bench.hub.poll_timeout(), None);
}
