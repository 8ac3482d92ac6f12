//! Copies of lost packets.

use std::time::{Duration, Instant};

use quartet_core::{RtpPacket, VoiceStats};
use quartet_testkit::network::{Bursts, Path, PathConfig};

use crate::call::*;

const MINUTE: Duration = Duration::from_secs(60);

fn lossy(loss: f64) -> PathConfig {
    PathConfig { loss, delay: 25 * MS, jitter: 10 * MS, ..PathConfig::default() }
}

/// A minute over such a path, with so many copies and, as Opus has them, coarse ones inside.
fn minute(config: PathConfig, copies: u64, coarse: bool, seed: u64) -> (VoiceStats, Call) {
    let mut call = Call::new(coarse);
    call.copies = copies;
    let stats = call.run_over(MINUTE, &mut Path::new(config, seed));
    (stats, call)
}

#[test]
fn of_ten_per_cent_lost_one_copy_leaves_less_than_one() {
    for seed in 1..=10 {
        let (stats, call) = minute(lossy(0.10), 1, true, seed);
        let (concealed, delay) = (share(stats.concealed, stats.played), call.delay(50_000 * MS));
        println!("seed {seed}: {concealed:.4} concealed, {delay:?}, {stats:?}");
        assert!((200..400).contains(&stats.lost), "seed {seed}: {stats:?}");
        assert!(concealed <= 0.01, "seed {seed}: {concealed}");
        assert!(stats.recovered > 4_000 * MS, "seed {seed}: {stats:?}");
        assert!(delay <= 75 * MS, "seed {seed}: {delay:?}");
    }
}

#[test]
fn of_twenty_per_cent_lost_two_copies_leave_less_than_two() {
    for seed in 1..=10 {
        for coarse in [true, false] {
            let (stats, call) = minute(lossy(0.20), 2, coarse, seed);
            let concealed = share(stats.concealed, stats.played);
            let delay = call.delay(50_000 * MS);
            println!("seed {seed}, {coarse}: {concealed:.4} concealed, {delay:?}, {stats:?}");
            assert!(concealed <= 0.02, "seed {seed}: {concealed}");
            assert!(delay <= 90 * MS, "seed {seed}: {delay:?}");
        }
    }
}

#[test]
fn jitter_and_losses_together_are_outlived() {
    let config = PathConfig { jitter: 30 * MS, jitter_reorders: true, ..lossy(0.10) };
    for seed in 1..=10 {
        let (stats, call) = minute(config.clone(), 2, true, seed);
        let (concealed, delay) = (share(stats.concealed, stats.played), call.delay(50_000 * MS));
        println!("seed {seed}: {concealed:.4} concealed, {delay:?}, {stats:?}");
        assert!(concealed <= 0.01, "seed {seed}: {concealed}");
        assert!(delay <= 100 * MS, "seed {seed}: {delay:?}");
    }
}

#[test]
fn of_a_burst_the_copies_save_the_end() {
    let bursts = Some(Bursts { mean: 5.0, share: 0.05 });
    let config = PathConfig { bursts, loss: 0.0, ..lossy(0.0) };
    let (mut with, mut without) = (Duration::ZERO, Duration::ZERO);
    for seed in 1..=10 {
        with += minute(config.clone(), 2, true, seed).0.concealed;
        without += minute(config.clone(), 0, false, seed).0.concealed;
    }
    println!("{with:?} concealed with two copies, {without:?} without");
    // Two of five, and what fades out of a long one is not much longer with than without.
    assert!(with < without.mul_f64(0.7), "{with:?}, {without:?}");
}

#[test]
fn waiting_for_copies_is_learnt_and_forgotten() {
    let mut call = Call::new(false);
    call.copies = 2;
    let mut path = Path::new(lossy(0.0), 5);
    call.run_over(20_000 * MS, &mut path);
    let before = call.delay(10_000 * MS);
    path.set_config(call.start + 20_000 * MS, lossy(0.15));
    call.run_over(50_000 * MS, &mut path);
    let during = call.delay(20_000 * MS);
    path.set_config(call.start + 50_000 * MS, lossy(0.0));
    call.run_over(80_000 * MS, &mut path);
    let after = call.delay(10_000 * MS);
    println!("seed 5: {before:?}, {during:?}, {after:?}");
    assert!(during >= before + 25 * MS && during <= before + 55 * MS);
    assert!(after <= before + 5 * MS);
    assert_eq!(steps(&call.sound[70 * 48_000..]), 0);
}

#[test]
fn copies_are_no_arrivals_and_their_originals_stay_lost() {
    let mut call = Call::new(false);
    call.copies = 1;
    let mut count = 0;
    let stats = call.run(10_000 * MS, &mut |_| {
        count += 1;
        (count % 10 != 0).then_some(30 * MS)
    });
    // Of the first loss nothing was known; all others are waited for.
    assert_eq!((stats.packets, stats.lost, stats.discarded), (450, 49, 0));
    assert!(stats.concealed <= 20 * MS, "{stats:?}");
    assert_eq!(stats.recovered, 49 * 20 * MS);
    assert!(call.delay(5_000 * MS) <= 45 * MS, "{:?}", call.delay(5_000 * MS));
}

#[test]
fn copies_that_lie_change_nothing() {
    let mut call = Call::new(false);
    call.run(5_000 * MS, &mut |_| Some(30 * MS));
    let now = call.start + 5_000 * MS;
    let mut random = fastrand::Rng::with_seed(8);
    for _ in 0..5_000 {
        let mut lie = RtpPacket { redundant: true, ..call.packet(random.u64(..300)) };
        match random.u8(..4) {
            0 => lie.sequence = random.u16(..),
            1 => lie.timestamp = random.u32(..),
            2 => lie.timestamp = lie.timestamp.wrapping_add(random.u32(..9_000)),
            _ => (lie.sequence, lie.timestamp) = (random.u16(..), random.u32(..)),
        }
        call.buffer.push(now, lie);
    }
    let stats = call.run(10_000 * MS, &mut |_| Some(30 * MS));
    assert_eq!((stats.lost, stats.concealed, stats.recovered), (0, Duration::ZERO, Duration::ZERO));
    assert_eq!(steps(&call.sound), 0);
}

#[test]
fn copies_before_anything_else_are_harmless() {
    let mut call = Call::new(false);
    for index in 0..20 {
        let copy = RtpPacket { redundant: true, ..call.packet(index) };
        call.buffer.push(Instant::now(), copy);
    }
    assert_eq!(call.buffer.stats(), VoiceStats::default());
}
