//! Rooms under random faults: once they are over, all have the same on their screens.

use std::time::Duration;

use quartet_proto::PeerId;

use crate::room::{Room, id};

const SEEDS: u64 = 300;

/// The seeds to run: all, or the one in `QUARTET_SEED`.
fn seeds() -> Vec<u64> {
    match std::env::var("QUARTET_SEED") {
        Ok(seed) => vec![seed.parse().expect("QUARTET_SEED is a number")],
        Err(_) => (0..SEEDS).collect(),
    }
}

fn pick(random: &mut fastrand::Rng, people: &[PeerId]) -> PeerId {
    people[random.usize(..people.len())]
}

#[test]
fn everybody_ends_with_the_same_whatever_breaks() {
    for seed in seeds() {
        println!("QUARTET_SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut room = Room::of(1..=3);
        let mut said = 0;
        for _ in 0..120 {
            let present: Vec<_> = room.people.keys().copied().collect();
            let (a, b) = (pick(&mut random, &present), pick(&mut random, &present));
            match random.u8(0..10) {
                0 if a != b => room.disconnect(a, b),
                1 | 2 if a != b => {
                    room.connect_with_lag(a, b, Duration::from_millis(random.u64(..300)));
                }
                3 if a != b => room.hold(a, b, Duration::from_millis(random.u64(..3_000))),
                4 if present.len() < 4 => room.join(id(4)),
                _ => {
                    said += 1;
                    room.say(a, &format!("{said} of {a} at {:?}", room.elapsed()));
                }
            }
            room.run(Duration::from_millis(random.u64(..400)));
        }
        let present: Vec<_> = room.people.keys().copied().collect();
        for (index, &a) in present.iter().enumerate() {
            for &b in &present[index + 1..] {
                if !room.are_connected(a, b) {
                    room.connect(a, b);
                }
            }
        }
        room.run(Duration::from_secs(20));
        for &person in &present {
            assert_eq!(room.texts(person).len(), said, "{person}");
            assert_eq!(room.people[&person].news, said, "{person}");
            assert_eq!(room.texts(person), room.texts(present[0]));
        }
    }
}
