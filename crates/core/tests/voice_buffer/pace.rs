//! When sound is played: delay, drift, queues that fill, what is told of it.

use std::time::Duration;

use quartet_testkit::network::{Path, PathConfig};

use crate::call::*;

#[test]
fn a_clean_path_costs_less_than_forty_milliseconds_with_the_packet() {
    for seed in 1..=5 {
        let config = PathConfig { delay: 20 * MS, jitter: 2 * MS, ..PathConfig::default() };
        let mut call = Call::new(true);
        call.copies = 1;
        let stats = call.run_over(30_000 * MS, &mut Path::new(config, seed));
        let delay = call.median_delay(25_000 * MS) + 20 * MS;
        println!("seed {seed}: {delay:?} from the first sample of a packet, {stats:?}");
        assert_eq!(stats.concealed, Duration::ZERO);
        assert!(delay <= 40 * MS, "seed {seed}: {delay:?}");
    }
}

#[test]
fn an_hour_of_drifting_clocks_is_followed() {
    for ppm in [200.0, -200.0] {
        let mut random = fastrand::Rng::with_seed(3);
        let mut call = Call::new(false);
        call.sender_rate = 1.0 + ppm * 1e-6;
        // 720 ms in all.
        let stats =
            call.run(Duration::from_secs(3_600), &mut |_| Some(jitter(&mut random, 5 * MS)));
        let most = call.delays[6_000..].iter().max().copied().unwrap_or_default();
        println!("{ppm} ppm: at most {most:?}, {stats:?}");
        assert!(most <= 45 * MS, "{ppm} ppm: {most:?}");
        assert_eq!((stats.concealed, stats.discarded), (Duration::ZERO, 0), "{ppm} ppm");
        assert_eq!(steps(&call.sound), 0, "{ppm} ppm");
    }
}

#[test]
fn what_is_heard_when_is_told() {
    let mut call = Call::new(false);
    assert_eq!(call.buffer.playout(), None);
    call.run(10_000 * MS, &mut steady(30 * MS));
    let begins = call.playouts.len() - 800;
    for playout in &call.playouts[begins..] {
        let since = playout.timestamp.wrapping_sub(call.first.timestamp);
        let sampled = call.start + Duration::from_secs_f64(f64::from(since) / 48_000.0);
        let later = playout.at - sampled;
        assert!(later >= 35 * MS && later <= 65 * MS, "{later:?}");
    }
    // What is given out begins with that sample.
    let last = call.playouts.last().expect("some").timestamp.wrapping_sub(call.first.timestamp);
    let given = call.sound[call.sound.len() - 480];
    assert!((given - tone(u64::from(last))).abs() < 0.02, "{given}, {}", tone(u64::from(last)));
}

#[test]
fn what_is_heard_when_is_told_through_a_pause() {
    let mut call = Call::new(false);
    call.run(10_000 * MS, &mut |at| (at < 5_000 * MS).then_some(30 * MS));
    let lag = |n: usize| {
        let since = call.playouts[n].timestamp.wrapping_sub(call.first.timestamp);
        (call.playouts[n].at - call.start).as_secs_f64() - f64::from(since) / 48_000.0
    };
    assert!((lag(400) - lag(950)).abs() < 0.03, "{} {}", lag(400), lag(950));
}

#[test]
fn sound_waits_for_the_picture_within_bounds() {
    let mut call = Call::new(false);
    let mut random = fastrand::Rng::with_seed(4);
    let mut network = |_| Some(jitter(&mut random, 5 * MS));
    call.run(10_000 * MS, &mut network);
    call.buffer.set_minimum_delay(150 * MS);
    call.run(20_000 * MS, &mut network);
    let longer = call.delay(5_000 * MS);
    call.buffer.set_minimum_delay(Duration::from_secs(1_000));
    call.run(30_000 * MS, &mut network);
    let longest = call.delay(5_000 * MS);
    call.buffer.set_minimum_delay(Duration::ZERO);
    let stats = call.run(40_000 * MS, &mut network);
    println!("seed 4: {longer:?}, {longest:?}, {stats:?}");
    assert!((145 * MS..170 * MS).contains(&longer), "{longer:?}");
    assert!((295 * MS..320 * MS).contains(&longest), "{longest:?}");
    assert!(call.delay(5_000 * MS) <= 30 * MS, "{:?}", call.delay(5_000 * MS));
    assert_eq!(stats.concealed, Duration::ZERO);
    assert_eq!(steps(&call.sound), 0, "stretched, not broken");
}

#[test]
fn another_speaker_in_the_middle_is_caught_up_with() {
    // For so long nobody plays.
    for pause in [100, 400, 1_500] {
        let mut call = Call::new(false);
        call.run(10_000 * MS, &mut steady(30 * MS));
        let played = call.sound.len();
        call.next_pull += f64::from(pause) / 1_000.0;
        let stats = call.run(14_000 * MS, &mut steady(30 * MS));
        let delay = call.delay(1_000 * MS);
        println!("{pause} ms: {delay:?} 3 s later, {stats:?}");
        assert_eq!(stats.lost, 0);
        assert!(stats.concealed <= 20 * MS, "{pause} ms: {stats:?}");
        assert!(delay <= 30 * MS, "{pause} ms: {delay:?}");
        assert!(call.sound.len() > played);
    }
}
