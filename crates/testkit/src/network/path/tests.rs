use super::*;

const MS: Duration = Duration::from_millis(1);
/// Of a full packet of ours.
const BYTES: usize = 1250;

/// Sends `count` packets, one every `every`, and gives each one's number and time of arrival since
/// the beginning.
fn send(path: &mut Path<u32>, count: u32, every: Duration) -> Vec<(u32, Duration)> {
    let start = Instant::now();
    let mut arrived = Vec::new();
    let mut drain = |path: &mut Path<u32>, until: Instant| {
        while let Some(at) = path.poll_timeout().filter(|at| *at <= until) {
            while let Some(number) = path.poll(at) {
                arrived.push((number, at - start));
            }
        }
    };
    for number in 0..count {
        let now = start + every * number;
        drain(path, now);
        path.push(now, BYTES, number);
    }
    drain(path, start + every * count + Duration::from_secs(60));
    arrived
}

fn with(change: impl FnOnce(&mut PathConfig)) -> Path<u32> {
    let mut config = PathConfig::default();
    change(&mut config);
    Path::new(config, 7)
}

#[test]
fn a_perfect_path_delivers_at_once_and_in_order() {
    let arrived = send(&mut with(|_| {}), 100, MS);
    let wanted: Vec<_> = (0..100).map(|number| (number, MS * number)).collect();
    assert_eq!(arrived, wanted);
}

#[test]
fn a_line_carries_its_rate_within_one_percent() {
    for rate in [300_000, 500_000, 2_500_000] {
        let mut path = with(|config| config.rate = Some(rate));
        // 10 Mbit/s are offered for 20 seconds.
        let arrived = send(&mut path, 20_000, MS);
        let bits = arrived.iter().filter(|(_, at)| *at <= Duration::from_secs(20)).count();
        let carried = (bits * BYTES * 8) as f64 / 20.0;
        assert!((carried / rate as f64 - 1.0).abs() < 0.01, "{carried} of {rate}");
    }
}

#[test]
fn the_queue_is_bounded_in_time_and_drops_what_comes_last() {
    let mut path = with(|config| {
        config.rate = Some(1_000_000); // 10 ms a packet
        config.queue = 100 * MS;
    });
    let start = Instant::now();
    for number in 0..50 {
        path.push(start, BYTES, number);
        assert!(path.queue_delay(start) <= 110 * MS); // the queue, and the packet that filled it
    }
    assert_eq!(path.counts().dropped, 39);
    let end = start + Duration::from_secs(1);
    let arrived: Vec<_> = std::iter::from_fn(|| path.poll(end)).collect();
    assert_eq!(arrived, (0..11).collect::<Vec<_>>());
    assert_eq!(path.queue_delay(end), Duration::ZERO);
}

#[test]
fn the_delay_comes_after_the_line() {
    let mut path = with(|config| {
        config.rate = Some(1_000_000);
        config.delay = 30 * MS;
    });
    let arrived = send(&mut path, 3, Duration::ZERO);
    let times: Vec<_> = arrived.iter().map(|(_, at)| at.as_micros()).collect();
    assert_eq!(times, [40_000, 50_000, 60_000]);
}

#[test]
fn looking_often_or_seldom_changes_nothing() {
    let config = PathConfig {
        rate: Some(700_000),
        delay: 20 * MS,
        jitter: 10 * MS,
        loss: 0.1,
        ..PathConfig::default()
    };
    let start = Instant::now();
    let mut counts = Vec::new();
    for look_every in [1, 10, 1000] {
        let mut path = Path::new(config.clone(), 3);
        let mut arrived = Vec::new();
        for ms in 0..5000 {
            let now = start + MS * ms;
            if ms % 10 == 0 {
                path.push(now, 500, ms);
            }
            if ms % look_every == 0 {
                arrived.extend(std::iter::from_fn(|| path.poll(now)));
            }
        }
        arrived.extend(std::iter::from_fn(|| path.poll(start + Duration::from_secs(9))));
        counts.push((path.counts(), arrived));
    }
    assert_eq!(counts[0], counts[1]);
    assert_eq!(counts[0], counts[2]);
}

#[test]
fn losses_have_the_share_that_was_asked_for() {
    for loss in [0.02, 0.1, 0.2] {
        let mut path = with(|config| config.loss = loss);
        send(&mut path, 100_000, MS);
        let share = path.counts().lost as f64 / 100_000.0;
        assert!((share - loss).abs() < 0.004, "{share} of {loss}");
    }
}

#[test]
fn bursts_have_their_length_and_their_share() {
    let mut path = with(|config| config.bursts = Some(Bursts { mean: 5.0, share: 0.05 }));
    let arrived = send(&mut path, 400_000, MS);
    let share = path.counts().lost as f64 / 400_000.0;
    assert!((share - 0.05).abs() < 0.003, "{share}");
    let gaps: Vec<_> = arrived
        .windows(2)
        .map(|pair| f64::from(pair[1].0 - pair[0].0 - 1))
        .filter(|gap| *gap > 0.0)
        .collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((mean - 5.0).abs() < 0.3, "{mean}");
}

#[test]
fn jitter_keeps_the_order_unless_it_is_allowed_not_to() {
    for reorders in [false, true] {
        let mut path = with(|config| {
            config.delay = 20 * MS;
            config.jitter = 30 * MS;
            config.jitter_reorders = reorders;
        });
        let arrived = send(&mut path, 1000, MS);
        let in_order = arrived.is_sorted_by_key(|(number, _)| *number);
        assert_eq!(in_order, !reorders);
        for (number, at) in arrived {
            let took = at - MS * number;
            assert!(took >= 20 * MS && took <= 50 * MS, "{took:?}");
        }
    }
}

#[test]
fn the_asked_share_is_overtaken() {
    let mut path = with(|config| {
        config.delay = 20 * MS;
        config.reorder = 0.05;
        config.reorder_by = 15 * MS;
    });
    let arrived = send(&mut path, 20_000, MS);
    let late = arrived.iter().filter(|(number, at)| *at - MS * *number == 35 * MS).count();
    let share = late as f64 / 20_000.0;
    assert!((share - 0.05).abs() < 0.005, "{share}");
    assert!(!arrived.is_sorted_by_key(|(number, _)| *number));
}

#[test]
fn a_new_rate_holds_for_what_waits_already() {
    let mut path = with(|config| {
        config.rate = Some(1_000_000);
        config.queue = Duration::from_secs(1);
    });
    let start = Instant::now();
    for number in 0..20 {
        path.push(start, BYTES, number);
    }
    // Half of the sixth packet is sent, then the line carries a tenth.
    let change = start + 55 * MS;
    path.set_config(change, PathConfig { rate: Some(100_000), ..path.config().clone() });
    assert_eq!(path.counts().delivered, 0);
    let in_time = std::iter::from_fn(|| path.poll(change)).count();
    assert_eq!(in_time, 5);
    assert_eq!(path.poll_timeout(), Some(change + 50 * MS));
    assert_eq!(path.queue_delay(change), 1450 * MS);
}

#[test]
fn without_a_limit_nothing_waits_any_longer() {
    let mut path = with(|config| {
        config.rate = Some(10_000);
        config.queue = Duration::from_secs(9);
    });
    let start = Instant::now();
    path.push(start, BYTES, 1);
    path.push(start, BYTES, 2);
    path.set_config(start, PathConfig::default());
    assert_eq!([path.poll(start), path.poll(start)], [Some(1), Some(2)]);
}

#[test]
fn a_cut_swallows_what_waits_and_comes_but_not_what_flies() {
    let mut path = with(|config| {
        config.rate = Some(1_000_000);
        config.delay = 50 * MS;
    });
    let start = Instant::now();
    for number in 0..5 {
        path.push(start, BYTES, number);
    }
    path.set_config(start + 15 * MS, PathConfig { cut: true, ..path.config().clone() });
    path.push(start + 16 * MS, BYTES, 9);
    let later = start + Duration::from_secs(1);
    assert_eq!([path.poll(later), path.poll(later)], [Some(0), None]);
    assert_eq!((path.counts().cut, path.poll_timeout()), (5, None));
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let config = PathConfig {
        loss: 0.1,
        jitter: 20 * MS,
        jitter_reorders: true,
        bursts: Some(Bursts { mean: 3.0, share: 0.1 }),
        ..PathConfig::default()
    };
    let run = |seed| send(&mut Path::new(config.clone(), seed), 2000, MS);
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
