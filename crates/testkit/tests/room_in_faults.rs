//! Rooms under random faults: whatever happens, once it is over everybody is connected again.

use std::time::Duration;

use quartet_core::session::Input;
use quartet_proto::{ClientMessage, MediaState};
use quartet_testkit::world::{Who, World};

const SEEDS: u64 = 400;
/// The longest wait for a socket (8 s), for a link (10 s), and a retry of each.
const RECOVERY: Duration = Duration::from_secs(40);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The seeds to run: all, or the one in `QUARTET_SEED`.
fn seeds() -> Vec<u64> {
    match std::env::var("QUARTET_SEED") {
        Ok(seed) => vec![seed.parse().expect("QUARTET_SEED is a number")],
        Err(_) => (0..SEEDS).collect(),
    }
}

/// Something goes wrong.
fn fault(world: &mut World, random: &mut fastrand::Rng) {
    let present = world.present();
    let (a, b) = (random.choice(&present).copied(), random.choice(&present).copied());
    let (Some(a), Some(b)) = (a, b) else { return };
    let what = random.u8(0..16);
    println!("{:?}: fault {what} of {a}, {b}", world.elapsed());
    match what {
        0 | 1 => world.drop_socket(a),
        2 | 3 => world.silence_socket(a),
        4 => world.stop_server(),
        5 => world.shut_server_down(),
        6 | 7 => world.start_server(),
        8 | 9 if a != b => world.cut_path(a, b),
        10 => world.mend_paths(),
        11 => {
            world.break_link(a, b);
        }
        12 => world.tell(a, Input::NetworkChanged),
        13 => world.set_media(
            a,
            MediaState { muted: random.bool(), camera_off: random.bool(), ..MediaState::default() },
        ),
        14 if present.len() > 2 => match random.u8(0..3) {
            0 => world.kill(a, false),
            1 => world.kill(a, true),
            _ => world.tell(a, Input::Leave),
        },
        14 => {}
        15 => {
            let longest = random.u64(2..1500);
            world.set_latency(ms(1)..ms(longest));
        }
        _ => {}
    }
}

/// No more than this in a minute, whatever happens.
fn assert_no_storm(world: &World, who: Who) {
    let person = world.person(who);
    let minutes = world.elapsed().as_secs() / 60;
    for minute in 0..=minutes {
        let range = Duration::from_secs(minute * 60)..Duration::from_secs((minute + 1) * 60);
        let sent = person.sent.iter().filter(|(at, _)| range.contains(at)).count();
        let opened = person.opened.iter().filter(|(at, ..)| range.contains(at)).count();
        assert!(sent <= 600, "{who} sends {sent} messages in minute {minute}");
        assert!(opened <= 100, "{who} opens {opened} links in minute {minute}");
    }
}

#[test]
fn every_pair_is_connected_again_after_any_faults() {
    let mut slowest = Duration::ZERO;
    for seed in seeds() {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let mut world = World::new(seed);
        for _ in 0..random.usize(2..=4) {
            world.join();
            world.run_for(ms(random.u64(0..2000)));
        }
        for _ in 0..random.u32(1..12) {
            fault(&mut world, &mut random);
            let longest = *random.choice(&[100, 1000, 10_000, 40_000]).unwrap_or(&1000);
            world.run_for(ms(random.u64(0..longest)));
            let join_possible = world.present().len() < 4;
            if join_possible && random.u8(0..8) == 0 {
                world.join();
            }
        }
        world.start_server();
        world.mend_paths();
        world.set_latency(ms(1)..ms(100));
        let healed = world.elapsed();
        println!("{healed:?}: healed");
        world.assert_settles_within(RECOVERY);
        slowest = slowest.max(world.elapsed() - healed);
        // It stays so, and quietly.
        let settled = world.elapsed();
        world.run_for(Duration::from_secs(30));
        assert_eq!(world.unsettled(), None, "it lasts");
        for who in world.present() {
            assert_no_storm(&world, who);
            let chatter =
                world.person(who).count_sent(settled + Duration::from_secs(15), |message| {
                    !matches!(message, ClientMessage::Ping { .. })
                });
            assert_eq!(chatter, 0, "{who} has nothing more to say");
        }
        world.assert_ends_cleanly();
    }
    println!("the slowest recovery took {slowest:?}");
}

#[test]
fn faults_of_signalling_alone_never_touch_the_media() {
    for seed in seeds() {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed ^ 0xcab1e);
        let mut world = World::new(seed);
        let people = random.usize(2..=4);
        for _ in 0..people {
            world.join();
        }
        world.assert_settles_within(Duration::from_secs(3));
        for _ in 0..random.u32(1..20) {
            let who = random.usize(0..people);
            match random.u8(0..6) {
                0 => world.drop_socket(who),
                1 => world.silence_socket(who),
                2 => world.stop_server(),
                3 => world.shut_server_down(),
                _ => world.start_server(),
            }
            world.run_for(ms(random.u64(0..20_000)));
        }
        world.start_server();
        world.assert_settles_within(Duration::from_secs(20));
        for who in 0..people {
            assert_eq!(world.person(who).teardowns, [], "{who} has closed a connected link");
            assert_eq!(world.person(who).opened.len(), people - 1, "{who} has opened links again");
        }
        world.assert_ends_cleanly();
    }
}
