//! One fault at a time, and exactly what it may cost.

use std::time::Duration;

use quartet_proto::ClientMessage;
use quartet_server::LEASE;

use crate::world::{Stage, Weather, World, key};

/// Four people of one room: the first two on node 0, which becomes the owner, the others on 1 and 2.
fn call(seed: u64) -> World {
    let mut world = World::new(seed, 3, 4);
    for (number, place) in [(0, 0), (1, 0), (2, 1), (3, 2)] {
        world.connect(number, place);
        world.run(Duration::from_millis(200));
    }
    world.check_agreement();
    world
}

fn closed(world: &World) -> Vec<usize> {
    world.clients.iter().map(|client| client.closed).collect()
}

#[test]
fn a_room_spans_nodes_and_order_is_kept_on_a_bad_way() {
    let mut world = call(1);
    world.weather = Weather { lost: 20, twice: 20, scatter: Duration::from_millis(200) };
    let to = key(3).peer_id();
    for epoch in 1..=200 {
        world.say(2, ClientMessage::Negotiate { to, epoch, renew: false });
        world.run(Duration::from_millis(10));
    }
    world.run(Duration::from_secs(20));
    let heard: Vec<u32> = world.clients[3].heard.iter().map(|(_, epoch)| *epoch).collect();
    assert_eq!(heard, (1..=200).collect::<Vec<_>>());
    assert_eq!(closed(&world), [0; 4]);
}

#[test]
fn a_dead_owner_sends_the_others_back_and_they_meet_within_two_limits() {
    let mut world = call(2);
    world.kill_node(0);
    world.run(LEASE + Duration::from_secs(5));
    world.check_agreement();
    // The two who were on it lost their sockets; the two others were told to come again, once.
    assert_eq!(closed(&world), [0, 0, 1, 1]);
}

#[test]
fn an_owner_that_shuts_down_hands_over_at_once() {
    let mut world = call(3);
    world.shut_node_down(0);
    world.run(Duration::from_secs(3));
    world.check_agreement();
    assert_eq!(closed(&world), [1; 4]);
}

#[test]
fn another_dead_node_costs_only_its_own_people_their_sockets() {
    let mut world = call(4);
    world.kill_node(1);
    world.run(Duration::from_secs(3));
    world.check_agreement();
    assert_eq!(closed(&world), [0; 4]);
}

#[test]
fn without_redis_everybody_stays_and_newcomers_are_told() {
    for emptied in [false, true] {
        let mut world = call(5);
        world.wants(3, false);
        world.run(Duration::from_secs(1));
        world.redis(false, emptied);
        world.run(Duration::from_secs(4));
        world.wants(3, true);
        world.run(Duration::from_secs(20));
        assert!(world.clients[3].unavailable > 5 && world.clients[3].stage != Stage::In);
        // Across nodes, it waits.
        let to = key(0).peer_id();
        world.say(2, ClientMessage::Negotiate { to, epoch: 1, renew: false });
        world.run(Duration::from_secs(10));
        world.redis(true, false);
        world.run(Duration::from_secs(5));
        world.check_agreement();
        assert_eq!(world.clients[0].heard, [(key(2).peer_id(), 1)]);
        assert_eq!(closed(&world)[..3], [0; 3], "emptied: {emptied}");
    }
}

#[test]
fn an_owner_that_was_cut_off_gives_up_its_half() {
    let mut world = call(6);
    world.link(0, false);
    world.run(LEASE + Duration::from_secs(10));
    // The halves know nothing of each other.
    let stages: Vec<_> = world.clients.iter().map(|client| client.others.len()).collect();
    assert_eq!(stages[2..], [1, 1], "{stages:?}");
    assert_eq!(world.clients[0].stage, Stage::In);
    world.link(0, true);
    world.run(Duration::from_secs(5));
    world.check_agreement();
}
