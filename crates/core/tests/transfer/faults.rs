//! Transfers under random faults: once they are over, everybody has what they wanted, not a byte of
//! it wrong, and nothing was written twice.

use std::time::Duration;

use quartet_core::transfer::{FilePhase, Input};
use quartet_proto::{PeerId, limits::CHUNK_BYTES};

use crate::world::{Disk, File, World, all, id};

const SEEDS: u64 = 40;

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
fn everybody_gets_what_they_want_whatever_breaks() {
    for seed in seeds() {
        println!("QUARTET_SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::of(1..=4);
        let chunk = CHUNK_BYTES as usize;
        let files = [File::new("a", chunk * 12 + 5), File::new("bc", chunk * 3), File::new("d", 0)];
        world.offer(id(1), &files[0], None);
        world.offer(id(1), &files[1], None);
        world.offer(id(2), &files[2], None);
        // Two offer the same.
        world.offer(id(2), &files[0], None);
        let mut next = 5;
        for _ in 0..60 {
            let people: Vec<_> = all(&world).into_iter().collect();
            let (a, b) = (pick(&mut random, &people), pick(&mut random, &people));
            let file = files[random.usize(..files.len())].id();
            match random.u8(0..12) {
                0 if a != b => world.disconnect(a, b),
                1 | 2 if a != b => world.connect(a, b),
                3 => world.tell(a, Input::Pause(file, random.bool())),
                4 => world.tell(a, Input::Hold(file, random.bool())),
                5 if a > id(2) => world.tell(a, Input::Cancel(file)),
                6 if a > id(2) => {
                    let disk = world.leave(a);
                    world.join(id(next), disk);
                    next += 1;
                }
                7 => world.people.get_mut(&a).unwrap().disk.full = random.u8(0..3) == 0,
                _ => world.tell(a, Input::Accept(file)),
            }
            for &peer in &people {
                if let Some(person) = world.people.get(&peer) {
                    // What is in memory is bounded.
                    assert!(person.disk.finished.len() <= files.len());
                }
            }
            world.run(Duration::from_millis(random.u64(..250)));
        }
        let people: Vec<_> = all(&world).into_iter().collect();
        for (index, &a) in people.iter().enumerate() {
            world.people.get_mut(&a).unwrap().disk.full = false;
            for &b in &people[index + 1..] {
                if !world.are_connected(a, b) {
                    world.connect(a, b);
                }
            }
        }
        for (_, file) in people.iter().flat_map(|it| files.iter().map(move |file| (it, file))) {
            for &peer in &people {
                world.tell(peer, Input::Hold(file.id(), false));
            }
        }
        world.run(Duration::from_secs(2));
        for file in &files {
            for &peer in &people {
                world.tell(peer, Input::Accept(file.id()));
                world.tell(peer, Input::Pause(file.id(), false));
            }
        }
        world.run(Duration::from_secs(60));
        for &peer in &people {
            for (index, file) in files.iter().enumerate() {
                let own = world.people[&peer].disk.files.contains_key(&file.id());
                if own && (index > 0 || !matches!(world.phase(peer, file), Some(FilePhase::Done))) {
                    continue;
                }
                world.assert_has(peer, file);
            }
        }
    }
}

#[test]
fn a_newcomer_after_all_that_finds_it_everywhere() {
    let mut world = World::of(1..=3);
    let file = File::new("a", CHUNK_BYTES as usize * 12);
    world.offer(id(1), &file, None);
    world.run(Duration::from_millis(100));
    world.tell(id(2), Input::Accept(file.id()));
    world.tell(id(3), Input::Accept(file.id()));
    world.run(Duration::from_secs(10));
    world.join(id(4), Disk::default());
    world.run(Duration::from_secs(1));
    world.disconnect(id(4), id(1));
    world.tell(id(4), Input::Accept(file.id()));
    world.run(Duration::from_secs(10));
    world.assert_has(id(4), &file);
}
