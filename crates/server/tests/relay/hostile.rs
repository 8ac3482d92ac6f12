//! What strangers send: it stops nobody, and gets nobody more than they are due.

use std::time::Duration;

use quartet_server::relay::{Client, Output, PeerPolicy, RelayLimits};

use crate::{
    asker::Asker,
    rules::{ANN, BO, World, address, client},
};

/// Everything that an honest client says in its life.
fn honest(world: &mut World, at: Client) -> Vec<Vec<u8>> {
    let (ann, _) = world.allocated(ANN, at);
    let peer = address("203.0.113.9:4000");
    let own = address("192.0.2.1:50000");
    vec![
        Asker::binding(),
        Asker::new("", "").allocate(),
        ann.allocate(),
        ann.refresh(600),
        ann.permit(peer),
        ann.permit(own),
        ann.bind(0x4000, peer),
        Asker::send(peer, b"data"),
        Asker::send(own, b"data"),
        Asker::by_channel(0x4000, b"data"),
    ]
}

#[test]
fn whatever_comes_the_relay_goes_on() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(RelayLimits::default(), PeerPolicy::AlsoPrivate);
    let at = client(1, 0);
    let messages = honest(&mut world, at);
    for round in 0..200_000_u32 {
        let mut bytes = random.choice(&messages).unwrap().clone();
        match random.u8(0..6) {
            0 => bytes = (0..random.usize(0..300)).map(|_| random.u8(..)).collect(),
            1 => bytes.truncate(random.usize(0..bytes.len())),
            2 => bytes.extend((0..random.usize(0..50)).map(|_| random.u8(..))),
            // Lies about a length.
            3 => {
                let place = random.usize(0..bytes.len());
                bytes[place] = *random.choice(&[0, 1, 3, 0x7f, 0xff]).unwrap();
            }
            _ => {
                for _ in 0..random.usize(1..8) {
                    let place = random.usize(0..bytes.len());
                    bytes[place] = random.u8(..);
                }
            }
        }
        // The one with the allocation, and strangers, also without an address to speak of.
        let from = if random.bool() { at } else { client(random.u8(..), random.u16(0..50)) };
        world.relay.from_client(world.now, world.date, from, &bytes);
        let mut outputs = 0;
        while let Some(output) = world.relay.poll() {
            outputs += 1;
            match output {
                Output::Open(client) => world.relay.opened(world.now, client, Some(50_000)),
                Output::ToClient(_, said) => {
                    // Nobody is sent much more than they said.
                    assert!(said.len() <= bytes.len() + 200, "{} for {}", said.len(), bytes.len());
                }
                _ => {}
            }
        }
        assert!(outputs <= 2, "{outputs} for one datagram");
        if round % 100 == 0 {
            world.pass(Duration::from_secs(1));
        }
    }
    // Nothing of it was worth an allocation, or kept one from those who may.
    assert!(world.relay.figures().allocations <= 1, "{:?}", world.relay.figures());
    world.allocated(BO, client(250, 1000));
}

#[test]
fn a_forged_source_is_answered_only_so_often() {
    let mut world = World::usual();
    let victim = client(9, 0);
    let mut answers = 0;
    for second in 0..10 {
        for message in [Asker::binding(), Asker::new("", "").allocate()] {
            for _ in 0..500 {
                answers += world.all(victim, &message).len();
            }
        }
        assert!(answers <= 200 + 50 * second, "{answers} in {second} s");
        world.pass(Duration::from_secs(1));
    }
    // Somebody elsewhere notices nothing.
    world.allocated(ANN, client(1, 0));
}
