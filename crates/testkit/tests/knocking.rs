//! Who gets into a room, as its members see it: with an honest server, one that forgets, and one
//! that lies.

use std::time::Duration;

use quartet_core::session::{Input, SessionEnd, SessionEvent};
use quartet_proto::{
    ClientMessage, ErrorCode, LeaveReason, MediaState, PeerId, PeerInfo, RoomPolicy, ServerMessage,
};
use quartet_testkit::world::{Who, World};

const SECOND: Duration = Duration::from_secs(1);

/// People in a room, connected, and then the first one chooses who else gets in.
fn room_of(seed: u64, people: usize, policy: RoomPolicy) -> World {
    let mut world = World::new(seed);
    for _ in 0..people {
        world.join();
    }
    world.assert_settles_within(2 * SECOND);
    world.tell(0, Input::SetPolicy(policy));
    world.run_for(SECOND);
    for who in 0..people {
        assert_eq!(world.person(who).policy, policy);
    }
    world
}

fn id(world: &World, who: Who) -> PeerId {
    world.person(who).id
}

fn knocks(world: &World, who: Who, at: Who) -> bool {
    world.person(at).knocking.contains_key(&id(world, who))
}

fn sees(world: &World, who: Who, other: Who) -> bool {
    world.person(who).peers().contains_key(&id(world, other))
}

fn ended_with(world: &World, who: Who, expected: ErrorCode) -> bool {
    matches!(world.person(who).ended(), Some(SessionEnd::Refused { code, .. }) if *code == expected)
}

fn stranger() -> PeerInfo {
    let (name, media) = ("Mallory".to_owned(), MediaState::default());
    PeerInfo { id: PeerId::from_u64(0xbad), name, media }
}

#[test]
fn somebody_let_in_by_one_is_connected_with_all_and_nobody_else_is_asked_again() {
    for seed in 0..50 {
        println!("seed {seed}");
        let mut world = room_of(seed, 3, RoomPolicy::Knock);
        let late = world.join();
        world.run_for(SECOND);
        assert!(world.person(late).waited);
        assert!((0..3).all(|who| knocks(&world, late, who)));
        // However long it takes.
        world.run_for(60 * SECOND);
        world.tell(1, Input::Admit(id(&world, late)));
        world.assert_settles_within(2 * SECOND);
        world.run_for(10 * SECOND);
        for who in 0..3 {
            assert!(world.person(who).knocking.is_empty());
            let asked =
                world.person(who).heard.iter().filter(|(_, e)| matches!(e, SessionEvent::Knock(_)));
            assert_eq!(asked.count(), 1);
        }
        assert_eq!(world.person(late).policy, RoomPolicy::Knock);
    }
}

#[test]
fn somebody_turned_away_is_told_and_not_connected() {
    let mut world = room_of(1, 2, RoomPolicy::Knock);
    let late = world.join();
    world.run_for(SECOND);
    world.tell(0, Input::Refuse(id(&world, late)));
    world.run_for(SECOND);
    assert!(ended_with(&world, late, ErrorCode::Refused));
    assert!((0..2).all(|who| world.person(who).knocking.is_empty()));
    assert!(world.is_settled());
}

#[test]
fn a_locked_room_says_so() {
    let mut world = room_of(2, 2, RoomPolicy::Locked);
    let late = world.join();
    world.run_for(SECOND);
    assert!(ended_with(&world, late, ErrorCode::RoomLocked));
}

#[test]
fn somebody_who_waits_survives_a_lost_server_and_waits_again() {
    let mut world = room_of(3, 2, RoomPolicy::Knock);
    let late = world.join();
    world.run_for(SECOND);
    world.drop_socket(late);
    world.run_for(3 * SECOND);
    assert!(knocks(&world, late, 0) && knocks(&world, late, 1));
    world.tell(0, Input::Admit(id(&world, late)));
    world.assert_settles_within(2 * SECOND);
}

#[test]
fn somebody_who_waits_and_finds_no_server_any_more_ends_as_unreachable() {
    let mut world = room_of(3, 1, RoomPolicy::Knock);
    let late = world.join();
    world.run_for(20 * SECOND);
    world.stop_server();
    world.run_for(9 * SECOND);
    assert!(world.person(late).is_present());
    world.run_for(2 * SECOND);
    assert_eq!(world.person(late).ended(), Some(&SessionEnd::Unreachable));
}

#[test]
fn the_removed_one_is_out_for_everybody_and_the_door_is_closed() {
    for seed in 0..20 {
        let mut world = room_of(seed, 3, RoomPolicy::Open);
        world.tell(0, Input::Remove(id(&world, 2)));
        world.run_for(SECOND);
        assert!(ended_with(&world, 2, ErrorCode::Removed));
        assert!(world.is_settled(), "{:?}", world.unsettled());
        for who in [0, 1] {
            assert_eq!(world.person(who).policy, RoomPolicy::Knock);
            let (peer, by) = (id(&world, 2), Some(id(&world, 0)));
            let told = SessionEvent::PeerRemoved { peer, by };
            assert!(world.person(who).heard.iter().any(|(_, event)| *event == told));
        }
    }
}

#[test]
fn a_choice_outlives_the_server_and_whoever_made_it() {
    for seed in 0..100 {
        println!("seed {seed}");
        let policy = if seed % 2 == 0 { RoomPolicy::Locked } else { RoomPolicy::Knock };
        let mut world = room_of(seed, 4, policy);
        world.tell(0, Input::Leave);
        world.run_for(SECOND);
        world.stop_server();
        world.run_for(SECOND * u32::try_from(seed % 30).unwrap_or(0));
        world.start_server();
        world.run_for(15 * SECOND);
        assert!(world.is_settled(), "{:?}", world.unsettled());
        for who in 1..4 {
            assert_eq!(world.person(who).policy, policy);
            assert_eq!(world.person(who).teardowns.len(), 1, "only of the one who has left");
            assert!(world.person(who).knocking.is_empty());
        }
        let late = world.join();
        world.run_for(SECOND);
        assert!(match policy {
            RoomPolicy::Locked => ended_with(&world, late, ErrorCode::RoomLocked),
            _ => world.person(late).waited,
        });
    }
}

#[test]
fn a_stranger_who_is_quicker_than_the_members_is_asked_about() {
    let mut asked = 0;
    for seed in 0..50 {
        println!("seed {seed}");
        let mut world = room_of(seed, 2, RoomPolicy::Knock);
        world.stop_server();
        world.run_for(10 * SECOND);
        world.start_server();
        let quick = world.join();
        world.run_for(15 * SECOND);
        for who in 0..2 {
            assert!(!sees(&world, who, quick), "nobody has let them in");
            assert!(world.person(who).online && sees(&world, who, 1 - who));
        }
        if !world.person(quick).waited {
            asked += 1;
            assert!(knocks(&world, quick, 0) && knocks(&world, quick, 1));
            if seed % 4 < 2 {
                world.tell(0, Input::Refuse(id(&world, quick)));
                world.run_for(SECOND);
                assert!(ended_with(&world, quick, ErrorCode::Removed));
            } else {
                world.tell(0, Input::Admit(id(&world, quick)));
                world.assert_settles_within(15 * SECOND);
            }
            assert!((0..2).all(|who| world.person(who).knocking.is_empty()));
        }
    }
    assert!(asked > 10, "the seeds let strangers be quicker");
}

#[test]
fn a_server_that_lists_somebody_unadmitted_gets_them_no_connection() {
    for policy in [RoomPolicy::Knock, RoomPolicy::Locked] {
        let mut world = room_of(5, 2, policy);
        let opened = world.person(0).opened.len();
        world.forge(0, ServerMessage::PeerJoined { peer: stranger() });
        let from = stranger().id;
        let negotiate = ServerMessage::Negotiate { from, epoch: 0, renew: true };
        world.forge(0, negotiate);
        world.run_for(2 * SECOND);
        assert!(world.person(0).knocking.is_empty(), "a member may still speak for them");
        world.run_for(2 * SECOND);
        assert!(world.person(0).knocking.contains_key(&from), "the user is asked");
        world.tell(0, Input::Refuse(from));
        // Even if the server does not do it.
        world.forge(0, ServerMessage::PeerJoined { peer: stranger() });
        world.run_for(10 * SECOND);
        let person = world.person(0);
        assert_eq!((person.opened.len(), person.knocking.len()), (opened, 0));
        let removes = person
            .count_sent(Duration::ZERO, |message| *message == ClientMessage::Remove { peer: from });
        assert_eq!(removes, 2);
        assert!(world.is_settled());
    }
}

#[test]
fn a_server_cannot_open_the_door() {
    let mut world = room_of(6, 2, RoomPolicy::Locked);
    let by = id(&world, 0);
    world.forge(1, ServerMessage::Policy { policy: RoomPolicy::Open, by });
    world.forge(1, ServerMessage::PeerJoined { peer: stranger() });
    world.run_for(2 * SECOND);
    assert_eq!(world.person(1).policy, RoomPolicy::Locked);
    assert_eq!(world.person(1).peers().len(), 1);
    // The member can, and tells the others past the server.
    world.stop_server();
    world.run_for(SECOND);
    world.tell(0, Input::SetPolicy(RoomPolicy::Open));
    world.run_for(SECOND);
    assert_eq!(world.person(1).policy, RoomPolicy::Open);
}

#[test]
fn a_server_that_forgets_the_lock_is_told_again() {
    let mut world = room_of(7, 2, RoomPolicy::Locked);
    world.drop_socket(0);
    world.run_for(3 * SECOND);
    let since = world.elapsed();
    let welcome = ServerMessage::Welcome {
        you: id(&world, 0),
        peers: Vec::new(),
        ice_servers: Vec::new(),
        policy: RoomPolicy::Open,
        knocking: Vec::new(),
    };
    // As the first word after a socket was opened.
    world.drop_socket(0);
    let joining = |world: &World| {
        world.person(0).count_sent(since, |m| matches!(m, ClientMessage::Join { .. })) > 0
    };
    assert!(world.run_until(5 * SECOND, joining));
    world.forge(0, welcome);
    let told = ClientMessage::Policy { policy: RoomPolicy::Locked };
    assert_eq!(world.person(0).count_sent(since, |message| *message == told), 1);
}

#[test]
fn removed_stays_removed_for_the_members_whatever_the_server_says() {
    let mut world = room_of(8, 3, RoomPolicy::Knock);
    let gone = id(&world, 2);
    // The server is away: the others learn it from each other.
    world.stop_server();
    world.run_for(SECOND);
    world.tell(0, Input::Remove(gone));
    world.run_for(SECOND);
    assert!(!sees(&world, 0, 2) && !sees(&world, 1, 2));
    // It comes back, and with it the removed one, who is put out at last.
    world.start_server();
    world.run_for(15 * SECOND);
    assert!(!sees(&world, 0, 2) && !sees(&world, 1, 2));
    assert!(ended_with(&world, 2, ErrorCode::Removed));
    assert!(world.is_settled(), "{:?}", world.unsettled());
}

#[test]
fn a_server_that_says_removed_of_somebody_unknown_does_no_harm() {
    let mut world = room_of(9, 2, RoomPolicy::Knock);
    for n in 0..1000 {
        let peer = PeerId::from_u64(n);
        let reason = LeaveReason::Removed;
        world.forge(0, ServerMessage::PeerLeft { peer, reason, by: None });
        let info = PeerInfo { id: peer, ..stranger() };
        world.forge(0, ServerMessage::Knock { peer: info.clone() });
        world.forge(0, ServerMessage::PeerJoined { peer: info });
        world.forge(0, ServerMessage::KnockOver { peer: PeerId::from_u64(n / 2) });
    }
    world.run_for(10 * SECOND);
    assert!(world.person(0).knocking.len() <= 16);
    assert_eq!(world.person(0).peers().len(), 1);
}

#[test]
fn members_fall_silent_once_all_know() {
    let mut world = room_of(10, 4, RoomPolicy::Knock);
    world.tell(1, Input::SetPolicy(RoomPolicy::Locked));
    world.run_for(SECOND);
    let heard: Vec<usize> = (0..4).map(|who| world.person(who).was_told.len()).collect();
    world.run_for(60 * SECOND);
    for (who, heard) in heard.into_iter().enumerate() {
        assert_eq!(world.person(who).was_told.len(), heard);
        assert_eq!(world.person(who).policy, RoomPolicy::Locked);
    }
}
