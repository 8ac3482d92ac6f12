//! The laboratory's scenarios with the congestion control alone.

use std::{fs, path::Path, time::Duration};

use quartet_testkit::network::{Direction, PathConfig, Person, Scenario};

use crate::simulation::{Record, Setup, run};

const SEEDS: u64 = 20;
/// The picture that is sent when a scenario sets no limit, bit/s: the ladder's best.
const BEST_PICTURE: f64 = 2_500_000.0;

/// Both halves of the way as one.
fn joined(up: &PathConfig, down: &PathConfig) -> PathConfig {
    let narrow = match (up.rate, down.rate) {
        (Some(a), Some(b)) if a < b => up,
        (Some(_), None) => up,
        _ => down,
    };
    PathConfig {
        rate: narrow.rate,
        queue: narrow.queue,
        delay: up.delay + down.delay,
        jitter: up.jitter + down.jitter,
        jitter_reorders: up.jitter_reorders || down.jitter_reorders,
        loss: 1.0 - (1.0 - up.loss) * (1.0 - down.loss),
        bursts: up.bursts.or(down.bursts),
        reorder: up.reorder.max(down.reorder),
        reorder_by: up.reorder_by.max(down.reorder_by),
        cut: up.cut || down.cut,
    }
}

/// How the way from one to the other is, and when it becomes so.
fn way(from: &Person, to: &Person) -> Vec<(Duration, PathConfig)> {
    let mut times: Vec<_> = from.steps.iter().chain(&to.steps).map(|step| step.at).collect();
    times.push(Duration::ZERO);
    times.sort();
    times.dedup();
    let at = |at| joined(from.path_at(Direction::Up, at), to.path_at(Direction::Down, at));
    times.into_iter().map(|time| (time, at(time))).collect()
}

fn call(scenario: &Scenario, from: &Person, to: &Person, seed: u64) -> Record {
    let mut setup = Setup::new(PathConfig::default(), seed);
    setup.there = way(from, to);
    setup.back = way(to, from);
    let picture = scenario.max_kbit_s.map_or(BEST_PICTURE, |most| f64::from(most) * 1e3);
    setup.picture = vec![(Duration::ZERO, picture)];
    setup.wanted = vec![(Duration::ZERO, picture * 1.2 + 100e3)];
    run(setup, scenario.duration.as_secs_f64())
}

/// What of the scenario's goals the congestion control answers for.
fn check(scenario: &Scenario, from: &Person, to: &Person, record: &Record) -> Vec<String> {
    let mut bad = Vec::new();
    let mut hold = |good: bool, what: String| {
        println!("{} {}→{} seed {}: {what}", scenario.name, from.name, to.name, record.seed);
        if !good {
            bad.push(format!("{} seed {}: {what}", scenario.name, record.seed));
        }
    };
    for goal in scenario.goals.path.iter().filter(|goal| {
        goal.of
            == match goal.direction {
                Direction::Up => from.name.as_str(),
                Direction::Down => to.name.as_str(),
            }
    }) {
        let (start, end) = (goal.from_s, goal.to_s.min(scenario.duration.as_secs_f64() - 0.01));
        let delivered = record.delivered(start, end) / 1e3;
        if let Some(most) = goal.queue_ms {
            let queue = record.longest_queue(start, end);
            hold(queue <= most, format!("queue {queue:.0} ms from {start} s"));
        }
        if let Some(least) = goal.kbit_s {
            hold(delivered >= least, format!("{delivered:.0} kbit/s from {start} s"));
        }
        if let Some(least) = goal.use_percent {
            let person = if goal.direction == Direction::Up { from } else { to };
            let at = Duration::from_secs_f64(start);
            let rate = person.path_at(goal.direction, at).rate.unwrap_or(u64::MAX) as f64 / 1e3;
            let used = delivered / rate * 100.0;
            hold(used >= least, format!("{used:.0} % used from {start} s"));
        }
    }
    let whole = from.steps.is_empty() && to.steps.is_empty();
    if whole && scenario.goals.fps.is_some_and(|fps| fps >= 25.0) {
        // 360p with its repair and a voice: more than enough for all but the wildest jitter.
        let duration = scenario.duration.as_secs_f64();
        let (least, mean) = (record.least_settled(6.0, duration), record.estimate(6.0, duration));
        hold(least >= 400e3, format!("at least {least:.0} bit/s"));
        hold(mean >= 750e3, format!("on average {mean:.0} bit/s"));
    }
    bad
}

#[test]
fn the_scenarios_of_the_laboratory_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/scenarios");
    let (mut bad, mut held) = (Vec::new(), 0);
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "toml")) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let scenario = Scenario::parse(name, &fs::read_to_string(file).unwrap()).unwrap();
        if scenario.only_by_name || scenario.people.iter().any(|person| person.udp_blocked) {
            continue; // an hour is for memory; over TCP somebody else controls
        }
        let (ann, bob) = (&scenario.people[0], &scenario.people[1]);
        for seed in 1..=SEEDS {
            for (from, to) in [(ann, bob), (bob, ann)] {
                let record = call(&scenario, from, to, seed);
                bad.extend(check(&scenario, from, to, &record));
            }
        }
        held += 1;
    }
    assert!(held > 8, "only {held} scenarios were found");
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
