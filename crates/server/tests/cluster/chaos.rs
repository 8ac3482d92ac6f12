//! Everything at once, at random; then calm, in which all must find each other again.

use std::time::Duration;

use quartet_proto::ClientMessage;

use crate::world::{ROOM_SIZE, Stage, Weather, World, key};

const SEEDS: u64 = 500;
const NODES: usize = 3;
const CLIENTS: usize = 3 * ROOM_SIZE;
/// Random events of a seed, and the longest pause between two.
const EVENTS: usize = 60;
const LONGEST_PAUSE_MS: u64 = 2_500;
/// A client's longest way back: a silent node is given up (5 s), a lease ends (5 s), somebody is
/// refused and tries again (8 s), with pauses between.
const CALM: Duration = Duration::from_secs(30);

#[test]
fn whatever_happened_everybody_finds_everybody_again() {
    let (mut closed, mut unavailable, mut published) = (0, 0, 0);
    for seed in 0..SEEDS {
        // Shown when the test fails: the last one is to blame.
        println!("seed {seed}");
        let mut world = World::new(seed, NODES, CLIENTS);
        world.weather = Weather {
            lost: world.rng.u32(0..10),
            twice: world.rng.u32(0..10),
            scatter: Duration::from_millis(world.rng.u64(0..250)),
        };
        (0..CLIENTS).for_each(|number| world.wants(number, true));
        for _ in 0..EVENTS {
            something(&mut world);
            let pause = world.rng.u64(0..LONGEST_PAUSE_MS);
            world.run(Duration::from_millis(pause));
        }
        world.redis(true, false);
        (0..NODES).for_each(|place| {
            world.start_node(place);
            world.link(place, true);
        });
        world.run(CALM);
        world.check_agreement();
        everybody_reaches_everybody(&mut world);
        closed += world.clients.iter().map(|client| client.closed).sum::<usize>();
        unavailable += world.clients.iter().map(|client| client.unavailable).sum::<usize>();
        published += world.published;
    }
    println!("{closed} sent back, {unavailable} refused for now, {published} messages");
    // Worlds in which nothing happens would prove little.
    let at_least = usize::try_from(SEEDS).unwrap();
    assert!(closed > at_least && unavailable > at_least && published > 100 * at_least);
}

fn something(world: &mut World) {
    let place = world.rng.usize(0..NODES);
    let number = world.rng.usize(0..CLIENTS);
    match world.rng.u32(0..14) {
        0 => world.kill_node(place),
        1 => world.shut_node_down(place),
        2..=4 => world.start_node(place),
        5 => {
            let emptied = world.rng.bool();
            world.redis(false, emptied);
        }
        6 | 7 => world.redis(true, false),
        8 => world.link(place, false),
        9 => world.link(place, true),
        10 => world.wants(number, false),
        11 => world.wants(number, true),
        12 => world.hang_up(number),
        _ => say_to_all(world, number, 0),
    }
}

fn say_to_all(world: &mut World, number: usize, epoch: u32) {
    if world.clients[number].stage != Stage::In {
        return;
    }
    let first = number / ROOM_SIZE * ROOM_SIZE;
    for other in (first..first + ROOM_SIZE).filter(|other| *other != number) {
        let to = key(other).peer_id();
        world.say(number, ClientMessage::Negotiate { to, epoch, renew: false });
    }
}

/// In the same order in which it was said.
fn everybody_reaches_everybody(world: &mut World) {
    world.weather = Weather::default();
    world.clients.iter_mut().for_each(|client| client.heard.clear());
    for epoch in 1..=20 {
        (0..CLIENTS).for_each(|number| say_to_all(world, number, epoch));
    }
    world.run(Duration::from_secs(5));
    for client in world.clients.iter().filter(|client| client.stage == Stage::In) {
        for other in world.clients.iter().filter(|other| other.stage == Stage::In) {
            let (own, their) = (client.number(), other.number());
            if own / ROOM_SIZE == their / ROOM_SIZE && own != their {
                let from = key(their).peer_id();
                let heard = client.heard.iter().filter(|(peer, _)| *peer == from);
                let epochs: Vec<u32> = heard.map(|(_, epoch)| *epoch).collect();
                assert_eq!(epochs, (1..=20).collect::<Vec<_>>(), "from {their} to {own}");
            }
        }
    }
}
