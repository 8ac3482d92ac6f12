//! Whatever a peer reports, the estimate stays within its bounds and nothing grows.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use quartet_core::congestion::{
    CongestionConfig, CongestionController, PacketReport, ProbeId, ReceiverReport,
};

/// Departure and time of the report in ms, arrival in µs; the ways to lie.
#[derive(Debug, Clone)]
struct Lie {
    id: u64,
    departure: u64,
    arrival: Option<Duration>,
    size: usize,
    arrived: bool,
    probe: Option<u32>,
    wait: u64,
}

fn arrival() -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![
        Just(None),
        Just(Some(Duration::MAX)),
        Just(Some(Duration::ZERO)),
        any::<u64>().prop_map(|micros| Some(Duration::from_micros(micros))),
        (0_u64..20_000_000).prop_map(|micros| Some(Duration::from_micros(micros))),
    ]
}

fn lie() -> impl Strategy<Value = Lie> {
    (
        prop_oneof![any::<u64>(), 0_u64..300],
        0_u64..20_000,
        arrival(),
        prop_oneof![Just(0_usize), Just(usize::MAX), 0_usize..1_500],
        any::<bool>(),
        proptest::option::of(0_u32..4),
        prop_oneof![Just(0_u64), 0_u64..200, 0_u64..60_000],
    )
        .prop_map(|(id, departure, arrival, size, arrived, probe, wait)| Lie {
            id,
            departure,
            arrival,
            size,
            arrived,
            probe,
            wait,
        })
}

fn check(controller: &CongestionController, config: CongestionConfig) {
    let estimate = controller.estimate();
    let bounds = config.floor_bps..=config.ceiling_bps;
    assert!(bounds.contains(&estimate.bitrate_bps), "{estimate:?}");
    assert!(bounds.contains(&estimate.settled_bps), "{estimate:?}");
    assert!((0.0..=1.0).contains(&estimate.loss), "{estimate:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_report_moves_an_estimate_out_of_its_bounds(
        lies in proptest::collection::vec(lie(), 1..400),
        batch in 1_usize..40,
        fractions in proptest::collection::vec(any::<f32>(), 1..20),
    ) {
        let config = CongestionConfig::default();
        let began = Instant::now();
        let mut now = began;
        let mut controller = CongestionController::new(now, config);
        for (round, lies) in lies.chunks(batch).enumerate() {
            let reports: Vec<_> = lies
                .iter()
                .map(|lie| PacketReport {
                    id: lie.id,
                    departure: began + Duration::from_millis(lie.departure),
                    arrival: lie.arrival,
                    size: lie.size,
                    arrived: lie.arrived,
                    probe: lie.probe.map(ProbeId),
                })
                .collect();
            for lie in lies {
                controller.on_sent(now, lie.size);
            }
            controller.on_reports(now, &reports);
            check(&controller, config);
            now += Duration::from_millis(lies[0].wait);
            if controller.poll_timeout().is_some_and(|at| at <= now) {
                controller.handle_timeout(now);
                assert!(controller.poll_timeout().is_none_or(|at| at > now));
            }
            let fraction_lost = fractions[round % fractions.len()];
            let rtt = Some(Duration::from_millis(lies[0].departure));
            controller.on_receiver_report(now, ReceiverReport { fraction_lost, rtt });
            controller.set_wanted(now, lies[0].id);
            if lies[0].id % 17 == 0 {
                controller.path_changed(now);
            }
            if let Some(probe) = controller.poll_probe() {
                assert!(probe.bytes < 200_000 && probe.packets < 100, "{probe:?}");
            }
            check(&controller, config);
        }
        // All that is kept is bounded: the text of the whole state is.
        let kept = format!("{controller:?}").len();
        assert!(kept < 600_000, "{kept} characters of state");
    }
}

#[test]
fn a_flood_of_reports_is_not_kept() {
    let mut now = Instant::now();
    let mut controller = CongestionController::new(now, CongestionConfig::default());
    let mut size_after = [0; 2];
    for (half, size) in size_after.iter_mut().enumerate() {
        for round in 0..400_u64 {
            let first = (half as u64 * 400 + round) * 500;
            let reports: Vec<_> = (first..first + 500)
                .map(|id| PacketReport {
                    id,
                    departure: now,
                    arrival: Some(Duration::from_micros(id)),
                    size: 1_200,
                    arrived: id % 3 != 0,
                    probe: Some(ProbeId(id as u32 % 3)),
                })
                .collect();
            controller.on_reports(now, &reports);
            now += Duration::from_millis(1);
        }
        *size = format!("{controller:?}").len();
    }
    println!("{size_after:?} characters of state");
    assert!(size_after[1] < size_after[0] * 2);
}

#[test]
fn receiver_reports_alone_are_enough_for_a_call() {
    let mut now = Instant::now();
    let mut controller = CongestionController::new(now, CongestionConfig::default());
    // What is sent beyond 800 kbit/s queues, then is lost.
    let mut round_trip = Duration::from_millis(60);
    let mut highest = 0;
    for second in 0..90 {
        let rate = controller.estimate().bitrate_bps;
        highest = highest.max(rate);
        for packet in 0..50 {
            controller.on_sent(now + Duration::from_millis(packet * 20), rate as usize / 400);
        }
        now += Duration::from_secs(1);
        if controller.poll_timeout().is_some_and(|at| at <= now) {
            controller.handle_timeout(now);
        }
        let over = (rate as f64 / 800_000.0 - 1.0).max(0.0);
        round_trip = Duration::from_millis(60 + (over * 1000.0) as u64);
        let lost = if over > 0.2 { over as f32 / 2.0 } else { 0.02 };
        controller
            .on_receiver_report(now, ReceiverReport { fraction_lost: lost, rtt: Some(round_trip) });
        if second > 40 {
            let rate = controller.estimate().bitrate_bps;
            assert!((500_000..1_000_000).contains(&rate), "{rate} after {second} s");
        }
    }
    assert!(highest < 1_200_000, "{highest}, round trip {round_trip:?}");
}
