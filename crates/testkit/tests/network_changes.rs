//! Changes of a machine's addresses: the link is restarted, and not renewed, whoever notices.

use std::time::Duration;

use quartet_core::session::Input;
use quartet_proto::{ClientMessage, DescriptionKind, Epoch};
use quartet_testkit::world::{Person, Who, World};

const SECOND: Duration = Duration::from_secs(1);

/// Two people who are connected.
fn settled(seed: u64) -> World {
    let mut world = World::new(seed);
    world.join();
    world.join();
    world.assert_settles_within(2 * SECOND);
    world
}

/// The one of the pair that offers, and the other.
fn roles(world: &World) -> (Who, Who) {
    if world.person(0).id < world.person(1).id { (0, 1) } else { (1, 0) }
}

fn epoch(world: &World) -> Option<Epoch> {
    world.person(0).epoch(world.person(1).id)
}

fn offers(person: &Person) -> usize {
    person.count_sent(Duration::ZERO, |message| {
        matches!(message, ClientMessage::Description { kind: DescriptionKind::Offer, .. })
    })
}

#[test]
fn a_changed_network_restarts_ice_whoever_notices() {
    for who in [0, 1] {
        let mut world = settled(11);
        let (offerer, _) = roles(&world);
        world.tell(who, Input::NetworkChanged);
        world.run_for(5 * SECOND);
        assert!(world.is_settled());
        assert_eq!(offers(world.person(offerer)), 2);
        assert_eq!(epoch(&world), Some(1));
    }
}

#[test]
fn a_new_address_is_told_though_the_socket_was_from_the_old_one() {
    for (seed, who) in (0..50).flat_map(|seed| [(seed, 0), (seed, 1)]) {
        println!("seed {seed}, {who} moves");
        let mut world = settled(seed);
        // Until a wish for an offer cannot be taken for one that has crossed with the first.
        world.run_for(SECOND);
        let (offerer, _) = roles(&world);
        world.silence_socket(who);
        world.cut_path(0, 1);
        world.tell(who, Input::NetworkChanged);
        world.run_for(SECOND);
        assert_eq!(offers(world.person(offerer)), 2, "ICE is not restarted at once");
        world.mend_path(0, 1);
        world.assert_settles_within(SECOND);
        assert_eq!(epoch(&world), Some(1));
    }
}

#[test]
fn a_restart_whose_offer_was_lost_is_offered_again() {
    for seed in 0..50 {
        println!("seed {seed}");
        let mut world = settled(seed);
        let (_, answerer) = roles(&world);
        // Silent for 5 s is disconnected, and after 2 s of that a restart is offered, to a socket
        // that nobody listens to any more: as after a change of address behind a NAT.
        world.cut_path(0, 1);
        world.run_for(Duration::from_millis(6_500));
        world.silence_socket(answerer);
        world.run_for(6 * SECOND);
        world.mend_path(0, 1);
        // The deadline of the restart, after which the link would be renewed, is at 17 s.
        world.assert_settles_within(4 * SECOND);
        assert_eq!(epoch(&world), Some(1));
    }
}

#[test]
fn a_change_of_the_network_during_a_restart_is_followed_by_another() {
    let mut world = settled(13);
    let (offerer, _) = roles(&world);
    world.tell(offerer, Input::NetworkChanged);
    world.run_until(SECOND, |world| offers(world.person(offerer)) == 2);
    world.tell(offerer, Input::NetworkChanged);
    world.run_for(5 * SECOND);
    assert_eq!(world.unsettled(), None);
    // The first, its repetition where its answer was lost, and one with the newest addresses.
    assert!(offers(world.person(offerer)) >= 3);
    assert_eq!(epoch(&world), Some(1));
}

#[test]
fn a_path_that_is_lost_well_after_a_restart_is_restarted_and_not_renewed() {
    for seed in 0..50 {
        println!("seed {seed}");
        let mut world = settled(seed);
        let (offerer, answerer) = roles(&world);
        // Until a wish for an offer cannot be taken for one that has crossed with the first.
        world.run_for(SECOND);
        world.tell(answerer, Input::NetworkChanged);
        world.run_for(4 * SECOND);
        assert_eq!(offers(world.person(offerer)), 2);
        // Silent for 5 s is disconnected, and after 2 s of that a restart is due: 10 s after the
        // one before, which has long been answered, lie in between.
        world.cut_path(0, 1);
        world.run_for(Duration::from_millis(6_500));
        world.mend_path(0, 1);
        world.assert_settles_within(2 * SECOND);
        assert_eq!(epoch(&world), Some(1), "the connection was made anew");
        assert_eq!(world.person(0).opened.len() + world.person(1).opened.len(), 2);
    }
}

#[test]
fn a_network_change_without_signalling_is_made_up_for() {
    for who in [0, 1] {
        let mut world = settled(11);
        let (offerer, _) = roles(&world);
        world.stop_server();
        world.run_for(SECOND);
        world.tell(who, Input::NetworkChanged);
        world.run_for(SECOND);
        world.start_server();
        world.assert_settles_within(15 * SECOND);
        world.run_for(2 * SECOND);
        assert!(offers(world.person(offerer)) >= 2);
        assert!(world.is_settled());
    }
}

#[test]
fn a_network_change_tries_a_lost_server_at_once() {
    let mut world = settled(12);
    world.stop_server();
    world.run_for(60 * SECOND);
    world.start_server();
    world.tell(0, Input::NetworkChanged);
    world.run_for(Duration::from_millis(300));
    assert!(world.person(0).online);
}
