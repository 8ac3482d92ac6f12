//! What is repaired, and what that does to what one sees.

use std::time::Duration;

use quartet_testkit::network::{Bursts, PathConfig};

use crate::call::{Call, Coding, Outcome};

const MS: Duration = Duration::from_millis(1);
const SEEDS: std::ops::Range<u64> = 0..24;

fn call(coding: Coding, round_trip: Duration, path: PathConfig) -> Call {
    let path = PathConfig { delay: round_trip / 2, ..path };
    let length = Duration::from_secs(30);
    Call { coding, there: path.clone(), back: path, length, cut: length..length }
}

/// 30 s over paths of this round trip, the same both ways, each under its own seed.
fn over(coding: Coding, round_trip: Duration, path: PathConfig) -> Vec<Outcome> {
    let call = call(coding, round_trip, path);
    SEEDS.map(|seed| call.run(seed)).collect()
}

fn losing(loss: f64) -> PathConfig {
    PathConfig { loss, ..PathConfig::default() }
}

fn mean(outcomes: &[Outcome], of: impl Fn(&Outcome) -> f64) -> f64 {
    outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64
}

fn longest(outcomes: &[Outcome]) -> Duration {
    outcomes.iter().map(|outcome| outcome.longest).max().unwrap_or_default()
}

#[test]
fn without_loss_nothing_waits_and_nothing_is_asked_for() {
    for coding in [Coding::Layers, Coding::OneLayer, Coding::Plain] {
        for outcome in over(coding, 50 * MS, PathConfig::default()) {
            assert_eq!((outcome.freezes, outcome.key_frames, outcome.asked), (0, 1, 0.0));
            assert!(outcome.fps > 29.9 && outcome.p95 < 30 * MS, "{outcome:?}");
        }
    }
}

#[test]
fn jitter_and_reordering_are_no_losses() {
    let path = PathConfig { jitter: 30 * MS, jitter_reorders: true, ..PathConfig::default() };
    for outcome in over(Coding::Layers, 50 * MS, path) {
        assert_eq!((outcome.freezes, outcome.key_frames), (0, 1));
        assert!(outcome.fps > 29.8 && outcome.p95 < 90 * MS, "{outcome:?}");
        // It is known after a while for how long packets are overtaken.
        assert!(outcome.asked < 0.05, "{outcome:?}");
    }
}

#[test]
fn at_ten_percent_loss_each_way_nothing_is_seen_of_it() {
    for coding in [Coding::Layers, Coding::OneLayer, Coding::Plain] {
        let outcomes = over(coding, 50 * MS, losing(0.1));
        assert!(mean(&outcomes, |outcome| outcome.fps) > 29.6);
        let freezes: u64 = outcomes.iter().map(|outcome| outcome.freezes).sum();
        assert_eq!(freezes, 0, "in {} calls", outcomes.len());
    }
}

#[test]
fn at_twenty_percent_loss_each_way_pictures_go_on() {
    for coding in [Coding::Layers, Coding::OneLayer, Coding::Plain] {
        let outcomes = over(coding, 50 * MS, losing(0.2));
        assert!(outcomes.iter().all(|outcome| outcome.fps >= 28.0));
        assert!(outcomes.iter().all(|outcome| outcome.frozen <= 0.01));
        // What is asked for stays in proportion to what is lost.
        assert!(mean(&outcomes, |outcome| outcome.asked) < 0.6);
    }
}

#[test]
fn bursts_of_loss_freeze_nothing_for_long() {
    let bursts = Some(Bursts { mean: 5.0, share: 0.05 });
    let outcomes = over(Coding::Layers, 50 * MS, PathConfig { bursts, ..PathConfig::default() });
    assert!(longest(&outcomes) <= 300 * MS, "{:?}", longest(&outcomes));
    assert!(mean(&outcomes, |outcome| outcome.frozen) <= 0.015);
    assert!(mean(&outcomes, |outcome| outcome.fps) > 29.5);
}

#[test]
fn short_and_long_paths_are_repaired_too() {
    for (round_trip, fps, frozen) in [(4, 28.0, 0.001), (10, 28.0, 0.001), (150, 26.0, 0.02)] {
        let outcomes = over(Coding::Layers, round_trip * MS, losing(0.1));
        let mean_fps = mean(&outcomes, |outcome| outcome.fps);
        let mean_frozen = mean(&outcomes, |outcome| outcome.frozen);
        println!("{round_trip} ms: {mean_fps:.2} fps, frozen {mean_frozen:.4}");
        assert!(mean_fps >= fps && mean_frozen <= frozen);
    }
}

#[test]
fn the_first_picture_comes_soon_also_over_a_bad_path() {
    for outcome in over(Coding::Layers, 50 * MS, losing(0.2)) {
        assert!(outcome.first < 1_500 * MS, "{outcome:?}");
    }
}

#[test]
fn after_a_cut_pictures_are_back_after_two_round_trips() {
    let mut call = call(Coding::Layers, 50 * MS, PathConfig::default());
    call.cut = 10_000 * MS..12_000 * MS;
    for seed in SEEDS {
        let outcome = call.run(seed);
        // The packet that shows the gap, the request, the key frame and its packets.
        assert!(outcome.back_at < 12_000 * MS + 250 * MS, "{outcome:?}");
    }
}
