//! Each rule of the session and the negotiator, in a room with the real hub.

use std::{
    iter,
    time::{Duration, Instant},
};

use quartet_core::{
    LinkEvent, LinkState,
    session::{Connection, Input, Output, Session, SessionConfig, SessionEnd, SessionEvent},
};
use quartet_proto::{
    Candidate, ClientMessage, DescriptionKind, Epoch, ErrorCode, LinkSecret, MediaState, NonceSeed,
    PeerId, PeerInfo, RoomId, RoomPolicy, ServerMessage, SessionKey,
};
use quartet_testkit::world::{Person, Who, World};

const SECOND: Duration = Duration::from_secs(1);

/// People who are all connected.
fn settled(seed: u64, people: usize) -> World {
    let mut world = World::new(seed);
    for _ in 0..people {
        world.join();
    }
    world.assert_settles_within(2 * SECOND);
    world
}

/// The one of a pair that offers, and the other.
fn roles(world: &World) -> (Who, Who) {
    if world.person(0).id < world.person(1).id { (0, 1) } else { (1, 0) }
}

fn epoch(world: &World, who: Who, to: Who) -> Option<Epoch> {
    world.person(who).epoch(world.person(to).id)
}

fn view(world: &World, who: Who, of: Who) -> Option<Connection> {
    world.person(who).peers().get(&world.person(of).id).map(|view| view.connection)
}

fn heard(person: &Person, since: Duration, event: &SessionEvent) -> bool {
    person.heard.iter().any(|(at, e)| *at >= since && e == event)
}

fn offers(person: &Person) -> usize {
    person.count_sent(Duration::ZERO, |message| {
        matches!(message, ClientMessage::Description { kind: DescriptionKind::Offer, .. })
    })
}

fn asks(person: &Person) -> usize {
    person.count_sent(Duration::ZERO, |m| matches!(m, ClientMessage::Negotiate { .. }))
}

fn teardowns(world: &World) -> usize {
    (0..4).filter(|who| *who < world.present().len()).map(|w| world.person(w).teardowns.len()).sum()
}

#[test]
fn a_full_room_connects_with_one_offer_a_pair_and_no_questions() {
    for seed in 0..50 {
        println!("seed {seed}");
        let world = settled(seed, 4);
        let total: usize = (0..4).map(|who| offers(world.person(who))).sum();
        assert_eq!(total, 6);
        assert_eq!((0..4).map(|who| asks(world.person(who))).sum::<usize>(), 0);
        for a in 0..4 {
            for b in (0..4).filter(|b| *b != a) {
                assert_eq!(epoch(&world, a, b), Some(1));
            }
        }
    }
}

#[test]
fn the_fifth_is_refused_with_the_servers_words() {
    let mut world = settled(1, 4);
    let fifth = world.join();
    world.run_for(SECOND);
    let end = world.person(fifth).ended();
    assert!(matches!(end, Some(SessionEnd::Refused { code: ErrorCode::RoomFull, message })
        if message.contains("full")));
    assert!(world.is_settled());
}

#[test]
fn a_first_join_without_a_server_ends_as_unreachable() {
    let mut world = World::new(1);
    world.stop_server();
    let who = world.join();
    world.run_for(9 * SECOND);
    assert!(world.person(who).is_present());
    assert!(!world.person(who).online);
    world.run_for(SECOND);
    assert_eq!(world.person(who).ended(), Some(&SessionEnd::Unreachable));
}

#[test]
fn a_server_that_is_just_starting_is_found() {
    let mut world = World::new(1);
    world.stop_server();
    world.join();
    world.run_for(3 * SECOND);
    world.start_server();
    world.join();
    world.assert_settles_within(5 * SECOND);
}

#[test]
fn a_dropped_socket_costs_no_media_and_comes_back() {
    for seed in 0..50 {
        println!("seed {seed}");
        let mut world = settled(seed, 3);
        world.drop_socket(0);
        world.run_for(Duration::from_millis(100));
        assert!(!world.person(0).online);
        world.run_for(3 * SECOND);
        assert!(world.person(0).online);
        assert!(world.is_settled());
        assert_eq!(teardowns(&world), 0);
        let left = |person: &Person| {
            person.heard.iter().any(|(_, event)| matches!(event, SessionEvent::PeerLeft(_)))
        };
        assert!((0..3).all(|who| !left(world.person(who))));
    }
}

#[test]
fn a_silent_socket_is_given_up_after_five_seconds() {
    let mut world = settled(3, 2);
    world.silence_socket(0);
    world.run_for(3 * SECOND);
    assert!(world.person(0).online);
    world.run_for(3 * SECOND);
    world.assert_settles_within(3 * SECOND);
    assert_eq!(teardowns(&world), 0);
}

#[test]
fn a_restarted_server_changes_nothing_for_the_media() {
    for seed in 0..100 {
        println!("seed {seed}");
        let mut world = settled(seed, 3);
        world.stop_server();
        world.run_for(SECOND * u32::try_from(seed % 60).unwrap_or(0));
        world.start_server();
        world.run_for(10 * SECOND);
        assert!(world.is_settled(), "{:?}", world.unsettled());
        assert_eq!(teardowns(&world), 0);
        for who in 0..3 {
            let person = world.person(who);
            assert_eq!(person.opened.len(), 2, "no link is opened again");
            let gone = |e: &SessionEvent| matches!(e, SessionEvent::PeerLeft(_));
            assert!(!person.heard.iter().any(|(_, event)| gone(event)), "nobody leaves");
        }
        let late = world.join();
        world.assert_settles_within(2 * SECOND);
        assert!(world.person(late).is_present());
    }
}

#[test]
fn a_server_that_says_goodbye_is_found_again() {
    let mut world = settled(5, 4);
    world.shut_server_down();
    world.run_for(20 * SECOND);
    assert!((0..4).all(|who| !world.person(who).online));
    world.start_server();
    world.assert_settles_within(10 * SECOND);
    assert_eq!(teardowns(&world), 0);
}

#[test]
fn media_state_chosen_during_an_outage_is_told_afterwards() {
    let mut world = settled(6, 2);
    world.set_media(0, MediaState { muted: true, ..MediaState::default() });
    world.run_for(SECOND);
    world.stop_server();
    world.run_for(SECOND);
    world.set_media(1, MediaState { camera_off: true, ..MediaState::default() });
    world.run_for(SECOND);
    world.start_server();
    world.assert_settles_within(10 * SECOND);
    let of_0 = world.person(1).peers()[&world.person(0).id].media;
    assert!(of_0.muted, "muted stays muted");
}

#[test]
fn media_state_chosen_while_joining_is_told_after_the_welcome() {
    let mut world = settled(6, 1);
    let late = world.join();
    let joins = |world: &World| {
        world.person(late).count_sent(Duration::ZERO, |m| matches!(m, ClientMessage::Join { .. }))
    };
    assert!(world.run_until(SECOND, |world| joins(world) == 1));
    world.set_media(late, MediaState { muted: true, camera_off: true, ..MediaState::default() });
    world.assert_settles_within(2 * SECOND);
}

#[test]
fn somebody_who_leaves_is_gone_at_once() {
    let mut world = settled(7, 3);
    world.tell(0, Input::Leave);
    world.run_for(Duration::from_millis(200));
    assert_eq!(world.person(0).ended(), Some(&SessionEnd::Left));
    assert!(world.is_settled());
}

#[test]
fn somebody_killed_is_gone_in_ten_seconds() {
    for seed in 0..50 {
        println!("seed {seed}");
        for silently in [false, true] {
            let mut world = settled(seed, 4);
            world.kill(2, silently);
            world.run_for(10 * SECOND);
            assert!(world.is_settled(), "{:?}", world.unsettled());
        }
    }
}

#[test]
fn somebody_whose_signalling_alone_is_lost_keeps_the_media_for_a_while() {
    let mut world = settled(8, 2);
    let since = world.elapsed();
    world.silence_socket(0);
    // The server loses 0 after 9 s, unless it comes back: it may not find the server.
    let lost = ServerMessage::PeerLeft {
        peer: world.person(0).id,
        reason: quartet_proto::LeaveReason::Lost,
        by: None,
    };
    world.forge(1, lost);
    world.run_for(25 * SECOND);
    assert_eq!(view(&world, 1, 0), Some(Connection::Connected));
    world.run_for(6 * SECOND);
    assert_eq!(view(&world, 1, 0), None, "30 s are enough");
    assert!(world.elapsed() > since);
    // It was a mistake, and is noticed as soon as either side hears of the other again.
    world.drop_socket(1);
    world.assert_settles_within(15 * SECOND);
}

#[test]
fn a_path_cut_for_some_seconds_is_restarted_and_not_renewed() {
    for seed in 0..50 {
        println!("seed {seed}");
        let mut world = settled(seed, 2);
        let (offerer, answerer) = roles(&world);
        world.cut_path(0, 1);
        world.run_for(9 * SECOND);
        assert_eq!(view(&world, offerer, answerer), Some(Connection::Reconnecting));
        assert!(offers(world.person(offerer)) >= 2, "ICE is restarted after 2 s of it");
        world.mend_path(0, 1);
        world.assert_settles_within(5 * SECOND);
        assert_eq!(epoch(&world, 0, 1), Some(1));
    }
}

#[test]
fn a_path_cut_for_long_is_said_to_have_failed_and_comes_back() {
    let mut world = settled(9, 2);
    world.cut_path(0, 1);
    world.run_for(60 * SECOND);
    assert_eq!(view(&world, 0, 1), Some(Connection::Failed));
    assert_eq!(view(&world, 1, 0), Some(Connection::Failed));
    world.mend_path(0, 1);
    world.assert_settles_within(20 * SECOND);
}

#[test]
fn a_pair_that_never_had_a_path_has_failed_at_its_deadline() {
    let mut world = World::new(10);
    world.cut_path(0, 1);
    world.join();
    world.join();
    world.run_for(9 * SECOND);
    assert_eq!(view(&world, 0, 1), Some(Connection::Connecting));
    world.run_for(3 * SECOND);
    assert_eq!(view(&world, 0, 1), Some(Connection::Failed));
    assert_eq!(view(&world, 1, 0), Some(Connection::Failed));
}

#[test]
fn a_link_that_breaks_is_renewed_under_the_next_epoch_whoever_notices() {
    for seed in 0..50 {
        println!("seed {seed}");
        for who in [0, 1] {
            let mut world = settled(seed, 2);
            assert!(world.break_link(who, 1 - who));
            world.run_for(Duration::from_millis(100));
            assert_eq!(view(&world, who, 1 - who), Some(Connection::Reconnecting));
            world.assert_settles_within(3 * SECOND);
            assert_eq!(epoch(&world, 0, 1), Some(2));
        }
    }
}

#[test]
fn an_offer_lost_with_a_socket_is_made_again() {
    for seed in 0..200 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        world.join();
        world.run_for(SECOND);
        world.join();
        // Somewhere between the join and the answer.
        world.run_for(Duration::from_millis(seed % 100 * 3));
        world.drop_socket(usize::from(seed % 2 == 0));
        world.assert_settles_within(5 * SECOND);
    }
}

#[test]
fn a_replaced_visit_ends_and_does_not_come_back() {
    let mut world = settled(13, 2);
    let message = "elsewhere".to_owned();
    world.forge(0, ServerMessage::Error { code: ErrorCode::Replaced, message: message.clone() });
    let end = SessionEnd::Refused { code: ErrorCode::Replaced, message };
    assert_eq!(world.person(0).ended(), Some(&end));
    let sent = world.person(0).sent.len();
    world.run_for(60 * SECOND);
    assert_eq!(world.person(0).sent.len(), sent);
}

#[test]
fn a_room_that_filled_up_during_an_outage_is_tried_again_and_the_media_goes_on() {
    let mut world = settled(14, 2);
    world.stop_server();
    world.run_for(SECOND);
    world.start_server();
    // Four strangers are quicker than those two.
    let strangers: Vec<Who> = (0..4).map(|_| world.join()).collect();
    world.run_for(15 * SECOND);
    let here: Vec<Who> =
        strangers.iter().copied().filter(|w| world.person(*w).is_present()).collect();
    let out: Vec<Who> = [0, 1].into_iter().filter(|who| !world.person(*who).online).collect();
    assert_eq!(here.len() + 2 - out.len(), 4);
    assert!(!out.is_empty(), "the seed lets a stranger be quicker");
    for &who in &out {
        let said = |(_, event): &(Duration, SessionEvent)| {
            matches!(event, SessionEvent::Error { code: ErrorCode::RoomFull, .. })
        };
        assert_eq!(world.person(who).heard.iter().filter(|heard| said(heard)).count(), 1);
        assert_eq!(world.person(who).teardowns, []);
        assert!(world.person(who).is_present());
    }
    assert_eq!(view(&world, out[0], 1 - out[0]), Some(Connection::Connected));
    for who in here {
        world.tell(who, Input::Leave);
    }
    world.assert_settles_within(15 * SECOND);
}

/// A liar in the place of the second one of a pair: what it sends costs its own link only.
fn assert_harmless(lie: impl Fn(PeerId, u32) -> ServerMessage) {
    for liar in [0, 1, 2] {
        for victim in (0..3).filter(|victim| *victim != liar) {
            let mut world = settled(15, 3);
            let bystander = 3 - liar - victim;
            let from = world.person(liar).id;
            let since = world.elapsed();
            for turn in 0..6000 {
                world.forge(victim, lie(from, turn));
                world.run_for(Duration::from_millis(10));
            }
            let person = world.person(victim);
            let opened = person.opened.iter().filter(|(at, ..)| *at > since).count();
            assert!(opened <= 90, "{opened} links in a minute");
            let sent = person.count_sent(since, |_| true);
            assert!(sent <= 1200, "{sent} messages in a minute");
            let by = world.person(bystander).id;
            assert_eq!(person.epoch(by), Some(1));
            assert_eq!(person.peers()[&by].connection, Connection::Connected);
            world.assert_ends_cleanly();
        }
    }
}

#[test]
fn a_flood_of_wishes_is_harmless() {
    assert_harmless(|from, _| ServerMessage::Negotiate { from, epoch: 1, renew: false });
    assert_harmless(|from, turn| ServerMessage::Negotiate { from, epoch: turn % 7, renew: true });
    assert_harmless(|from, turn| ServerMessage::Negotiate {
        from,
        epoch: turn,
        renew: turn % 2 == 0,
    });
    assert_harmless(|from, _| ServerMessage::Negotiate { from, epoch: Epoch::MAX, renew: true });
    assert_harmless(|from, _| ServerMessage::Negotiate {
        from,
        epoch: Epoch::MAX - 1,
        renew: true,
    });
}

#[test]
fn a_flood_of_descriptions_is_harmless() {
    let descriptions = [DescriptionKind::Offer, DescriptionKind::Answer];
    for kind in descriptions {
        for sdp in ["", "nonsense", "1 2"] {
            let sdp = sdp.to_owned();
            let lie = |epoch: Epoch| {
                let sdp = sdp.clone();
                move |from: PeerId, turn: u32| {
                    let epoch = epoch.saturating_add(turn);
                    ServerMessage::Description { from, epoch, kind, sdp: sdp.clone(), proof: None }
                }
            };
            assert_harmless(lie(0));
            assert_harmless(lie(Epoch::MAX - 100));
        }
    }
}

#[test]
fn a_flood_of_candidates_is_cut_off() {
    assert_harmless(|from, turn| ServerMessage::Candidate {
        from,
        epoch: turn % 3,
        candidate: Candidate {
            candidate: "x".repeat(turn as usize),
            sdp_mid: None,
            sdp_mline_index: None,
            username_fragment: None,
        },
    });
}

#[test]
fn what_comes_from_strangers_is_dropped() {
    let mut world = settled(16, 2);
    let from = PeerId::from_u64(1);
    let before = world.person(0).opened.len();
    let kind = DescriptionKind::Offer;
    let (sdp, proof) = ("1 1".to_owned(), None);
    world.forge(0, ServerMessage::Description { from, epoch: 1, kind, sdp, proof });
    world.forge(0, ServerMessage::Negotiate { from, epoch: 0, renew: true });
    world.forge(0, ServerMessage::PeerMedia { peer: from, media: MediaState::default() });
    assert_eq!(world.person(0).opened.len(), before);
    assert!(world.is_settled());
}

#[test]
fn a_server_that_names_a_crowd_is_not_believed() {
    let mut world = settled(17, 2);
    for id in 0..1000 {
        let name = "x".repeat(1000);
        let peer = PeerInfo { id: PeerId::from_u64(id), name, media: MediaState::default() };
        world.forge(0, ServerMessage::PeerJoined { peer });
    }
    assert_eq!(world.person(0).peers().len(), 8);
    let longest = world.person(0).heard.iter().filter_map(|(_, event)| match event {
        SessionEvent::PeerJoined(info) => Some(info.name.chars().count()),
        _ => None,
    });
    assert_eq!(longest.max(), Some(64));
}

#[test]
fn a_joiner_hears_at_once_who_is_there_and_then_of_each() {
    let key = SessionKey::from_bytes([7; 16]);
    let (room, now) = (RoomId::from_bytes([1; 16]), Instant::now());
    let (name, media) = ("Ann".to_owned(), MediaState::default());
    let (auth, seed) = (LinkSecret::from_bytes([1; 16]).auth_key(), NonceSeed::from_bytes([1; 32]));
    let policy = RoomPolicy::Open;
    let config = SessionConfig { room, key: key.clone(), auth, seed, name, media, policy };
    let mut session = Session::new(config, now);
    session.handle(now, Input::SocketOpened);
    let info = |id, name: &str| PeerInfo { id, name: name.to_owned(), media };
    let (bo, cy) = (PeerId::from_u64(1), PeerId::from_u64(2));
    // The own name, the same person twice, a name of any length, a crowd: not believed.
    let mut peers = vec![info(key.peer_id(), "Ann"), info(bo, "Bo"), info(cy, &"x".repeat(999))];
    peers.push(info(bo, "Bo again"));
    peers.extend((100..1100).map(|id| info(PeerId::from_u64(id), "")));
    let (you, ice_servers) = (key.peer_id(), Vec::new());
    let (policy, knocking) = (RoomPolicy::Open, Vec::new());
    let welcome = ServerMessage::Welcome { you, peers, ice_servers, policy, knocking };
    session.handle(now, Input::SocketMessage(welcome));

    let outputs = iter::from_fn(|| session.poll());
    let mut events = outputs.filter_map(|output| match output {
        Output::Event(event) => Some(event),
        _ => None,
    });
    let Some(SessionEvent::Joined { present, .. }) = events.next() else { panic!("not joined") };
    assert_eq!(present.len(), 8);
    assert_eq!(present[..2], [info(bo, "Bo"), info(cy, &"x".repeat(64))]);
    let joined: Vec<_> = events
        .filter_map(|event| match event {
            SessionEvent::PeerJoined(info) => Some(info),
            _ => None,
        })
        .collect();
    assert_eq!(joined, present);
}

#[test]
fn a_pair_of_which_one_side_forgot_the_past_is_connected_anew() {
    for seed in 0..50 {
        println!("seed {seed}");
        for who in [0, 1] {
            let mut world = settled(seed, 2);
            for _ in 0..3 {
                assert!(world.break_link(0, 1));
                world.assert_settles_within(5 * SECOND);
                world.run_for(6 * SECOND);
            }
            assert_eq!(epoch(&world, 0, 1), Some(4));
            // One side hears that the other has left; it has not.
            let peer = world.person(1 - who).id;
            let reason = quartet_proto::LeaveReason::Left;
            world.forge(who, ServerMessage::PeerLeft { peer, reason, by: None });
            assert_eq!(epoch(&world, who, 1 - who), None);
            world.drop_socket(who);
            world.assert_settles_within(10 * SECOND);
            assert!(epoch(&world, 0, 1) >= Some(5));
        }
    }
}

#[test]
fn a_failed_try_ends_in_a_plain_state_and_a_good_one_clears_it() {
    let mut world = settled(18, 2);
    let peer = world.person(1).id;
    let since = world.elapsed();
    assert!(world.break_link(0, 1));
    world.run_for(3 * SECOND);
    for connection in [Connection::Reconnecting, Connection::Connected] {
        let event = SessionEvent::PeerConnection(peer, connection);
        assert!(heard(world.person(0), since, &event), "{connection:?}");
    }
}

#[test]
fn words_of_closed_links_are_dropped() {
    let mut world = settled(19, 2);
    let peer = world.person(1).id;
    for epoch in [0, 2, Epoch::MAX] {
        let event = LinkEvent::State(LinkState::Failed);
        world.tell(0, Input::Link { peer, epoch, event });
    }
    world.run_for(SECOND);
    assert!(world.is_settled());
    assert_eq!(epoch(&world, 0, 1), Some(1));
}

#[test]
fn slow_signalling_still_connects() {
    for seed in 0..50 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        world.set_latency(Duration::from_millis(1000)..Duration::from_millis(1500));
        for _ in 0..4 {
            world.join();
        }
        world.assert_settles_within(20 * SECOND);
    }
}
