//! What must hold on each kind of path, over many seeds.

use std::time::Duration;

use quartet_testkit::network::{Bursts, PathConfig};

use crate::simulation::{Record, Setup, run, run_all};

const SEEDS: u64 = 20;

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A line of so many kbit/s, 50 ms there and back, with a usual queue.
fn line(kbit: u64) -> PathConfig {
    PathConfig { rate: Some(kbit * 1000), delay: millis(25), ..PathConfig::default() }
}

/// Runs the call with each seed and feedback interval; `goal` gives what it found and whether that
/// is good enough.
fn each(seconds: f64, setup: impl Fn(u64) -> Setup, goal: impl Fn(&Record) -> Vec<(String, bool)>) {
    let mut bad = String::new();
    for seed in 1..=SEEDS {
        for feedback in [50, 100] {
            let mut setup = setup(seed);
            setup.feedback = millis(feedback);
            let record = run(setup, seconds);
            let found = goal(&record);
            if found.iter().any(|(_, good)| !good) {
                println!("{}", record.table(0.0, seconds, 0.5));
            }
            for (what, good) in found {
                println!(
                    "seed {seed}, feedback {feedback} ms: {what}{}",
                    if good { "" } else { " BAD" }
                );
                if !good {
                    bad += &format!("seed {seed}, feedback {feedback} ms: {what}\n");
                }
            }
        }
    }
    assert!(bad.is_empty(), "{bad}");
}

fn at_least(what: &str, value: f64, least: f64) -> (String, bool) {
    (format!("{what} {value:.3}"), value >= least)
}

fn at_most(what: &str, value: f64, most: f64) -> (String, bool) {
    (format!("{what} {value:.3}"), value <= most)
}

#[test]
fn an_open_line_is_found_within_three_seconds() {
    let open = |seed| Setup::new(PathConfig { rate: None, ..line(0) }, seed);
    let wide = |seed| Setup::new(line(8_000), seed);
    let goal = |record: &Record| {
        vec![
            at_most("2 Mbit/s after s", record.reaches(2e6).unwrap_or(99.0), 2.0),
            at_least("delivered 3..8 s", record.delivered(3.0, 8.0), 2.1e6),
        ]
    };
    each(8.0, open, goal);
    each(8.0, wide, goal);
}

#[test]
fn a_line_that_narrows_and_widens_is_followed() {
    for queue in [200, 1000] {
        let line = |kbit| PathConfig { queue: millis(queue), ..line(kbit) };
        let setup =
            |seed| Setup::new(line(2500), seed).then(20.0, line(500)).then(45.0, line(2500));
        each(65.0, setup, |record| {
            vec![
                at_least("used before", record.delivered(5.0, 20.0) / 2.5e6, 0.85),
                // What a probe and a large picture make at once is in it.
                at_most("queue ms after 2 s", record.longest_queue(22.0, 45.0), 110.0),
                at_least("used of the narrow line", record.delivered(23.0, 45.0) / 5e5, 0.88),
                at_least("used 5 s after", record.delivered(50.0, 65.0) / 2.5e6, 0.83),
                at_most("80 % after s", record.reaches_after(45.0, 2e6), 5.0),
            ]
        });
    }
}

#[test]
fn loss_of_the_line_itself_is_not_congestion() {
    for loss in [0.1, 0.2] {
        let setup = |seed| Setup::new(PathConfig { loss, ..line(2500) }, seed);
        each(40.0, setup, |record| {
            vec![
                at_least("estimate", record.estimate(5.0, 40.0), 1.5e6),
                at_least("least settled", record.least_settled(5.0, 40.0), 1.0e6),
                at_most("queue ms", record.longest_queue(5.0, 40.0), 180.0),
            ]
        });
        let setup = |seed| Setup::new(PathConfig { loss, rate: None, ..line(0) }, seed);
        each(40.0, setup, |record| {
            vec![at_least("least on an open line", record.least_settled(5.0, 40.0), 1.5e6)]
        });
    }
}

#[test]
fn loss_that_sets_in_is_tried_once() {
    let setup =
        |seed| Setup::new(line(2500), seed).then(15.0, PathConfig { loss: 0.15, ..line(2500) });
    each(40.0, setup, |record| {
        vec![
            at_least("least", record.least_settled(15.0, 40.0), 0.9e6),
            at_least("later", record.estimate(20.0, 40.0), 1.5e6),
        ]
    });
}

#[test]
fn bursts_of_loss_are_borne() {
    let bursts = Some(Bursts { mean: 5.0, share: 0.05 });
    let setup = |seed| Setup::new(PathConfig { bursts, ..line(2500) }, seed);
    each(40.0, setup, |record| {
        vec![
            at_least("estimate", record.estimate(5.0, 40.0), 1.6e6),
            at_least("least settled", record.least_settled(5.0, 40.0), 1.0e6),
        ]
    });
}

#[test]
fn a_short_queue_that_drops_is_kept_from_dropping() {
    for queue in [30, 50] {
        let setup = |seed| Setup::new(PathConfig { queue: millis(queue), ..line(1000) }, seed);
        each(40.0, setup, |record| {
            vec![
                at_most("dropped", record.dropped(5.0, 40.0), 0.03),
                at_least("used", record.delivered(5.0, 40.0) / 1e6, 0.8),
            ]
        });
    }
}

#[test]
fn jitter_is_not_congestion() {
    for jitter_reorders in [false, true] {
        let setup = |seed| {
            Setup::new(PathConfig { jitter: millis(30), jitter_reorders, ..line(2500) }, seed)
        };
        each(40.0, setup, |record| {
            vec![
                at_least("estimate", record.estimate(6.0, 40.0), 1.6e6),
                at_least("least settled", record.least_settled(6.0, 40.0), 1.0e6),
                at_most("queue ms", record.longest_queue(6.0, 40.0), 210.0),
            ]
        });
    }
}

#[test]
fn after_a_cut_the_rate_is_back_at_once() {
    let cut = PathConfig { cut: true, ..line(2500) };
    let setup = |seed| {
        let mut setup = Setup::new(line(2500), seed).then(10.0, cut.clone()).then(16.0, line(2500));
        setup.back.push((Duration::from_secs(10), cut.clone()));
        setup.back.push((Duration::from_secs(16), PathConfig { rate: None, ..line(0) }));
        setup
    };
    each(20.0, setup, |record| {
        vec![
            at_most("while cut", record.estimate(15.0, 16.0), 100e3),
            at_least("never nothing", record.least_estimate(10.0, 16.0), 30e3),
            at_most("1 Mbit/s after s", record.reaches_after(16.0, 1e6), 0.8),
            at_most("loss that is told", record.told_loss(16.5, 20.0), 0.1),
        ]
    });
}

#[test]
fn a_pause_of_the_picture_costs_nothing() {
    let setup = |seed| {
        let mut setup = Setup::new(line(2500), seed);
        setup.picture = vec![
            (Duration::ZERO, 2.5e6),
            (Duration::from_secs(10), 0.0),
            (Duration::from_secs(25), 2.5e6),
        ];
        setup
    };
    each(35.0, setup, |record| {
        vec![
            at_least("while paused", record.least_estimate(11.0, 25.0), 1.2e6),
            at_least("delivered", record.delivered(27.0, 35.0), 1.9e6),
        ]
    });
}

#[test]
fn a_link_that_is_still_keeps_its_estimate() {
    let setup = |seed| {
        let mut setup = Setup::new(line(2500), seed);
        setup.still = Some((Duration::from_secs(8), Duration::from_secs(16)));
        setup
    };
    each(20.0, setup, |record| {
        vec![
            at_least("while still", record.least_estimate(8.0, 16.0), 1.0e6),
            at_least("delivered", record.delivered(16.5, 20.0), 1.8e6),
        ]
    });
}

#[test]
fn a_small_picture_becomes_large_within_two_seconds() {
    let setup = |seed| {
        let mut setup = Setup::new(line(3500), seed);
        setup.picture = vec![(Duration::ZERO, 1.5e5), (Duration::from_secs(20), 2.5e6)];
        setup.wanted = vec![(Duration::ZERO, 2.5e5), (Duration::from_secs(20), 2.8e6)];
        setup
    };
    each(30.0, setup, |record| {
        vec![
            at_most("nothing unused is claimed", record.estimate(10.0, 20.0), 0.9e6),
            at_most("2 Mbit/s after s", record.reaches_after(20.0, 2e6), 2.0),
        ]
    });
}

#[test]
fn lost_feedback_is_not_lost_media() {
    let setup = |seed| {
        let mut setup = Setup::new(line(2500), seed);
        setup.back[0].1.loss = 0.3;
        setup
    };
    each(30.0, setup, |record| {
        vec![
            at_most("loss that is told", record.told_loss(3.0, 30.0), 0.12),
            at_least("estimate", record.estimate(6.0, 30.0), 1.6e6),
            at_least("least settled", record.least_settled(6.0, 30.0), 1.0e6),
        ]
    });
}

#[test]
fn a_narrow_line_carries_a_voice_and_a_little_picture() {
    for kbit in [150, 300] {
        let setup = |seed| Setup::new(PathConfig { queue: millis(500), ..line(kbit) }, seed);
        each(30.0, setup, |record| {
            vec![
                at_least("used", record.delivered(5.0, 30.0) / kbit as f64 / 1e3, 0.8),
                at_most("queue ms", record.longest_queue(5.0, 30.0), 150.0),
            ]
        });
    }
}

#[test]
fn calls_on_one_line_share_it() {
    let (mut bad, mut least) = (String::new(), 0.0);
    for seed in 1..=SEEDS {
        let setups = (0..3).map(|call| Setup::new(line(2500), seed * 10 + call)).collect();
        let records = run_all(setups, 60.0);
        let rates: Vec<_> = records.iter().map(|record| record.delivered(20.0, 60.0)).collect();
        let queue = records[0].longest_queue(10.0, 60.0);
        println!("seed {seed}: {rates:.0?}, queue {queue:.0} ms");
        let sum: f64 = rates.iter().sum();
        let small = rates.iter().copied().fold(f64::INFINITY, f64::min);
        least += small / SEEDS as f64;
        // Strangers to each other; the links of one call are shared by `Uplink` besides.
        if sum < 0.8 * 2.5e6 || small < 60e3 || queue > 230.0 {
            bad += &format!("seed {seed}: {rates:.0?}, queue {queue:.0} ms\n");
        }
    }
    assert!(bad.is_empty(), "{bad}");
    assert!(least > 350e3, "the smallest of three has {least:.0} bit/s on average");
}
