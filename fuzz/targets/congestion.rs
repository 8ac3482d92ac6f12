//! Congestion control: any feedback of a peer's, however it contradicts itself.

#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use quartet_core::congestion::{
    CongestionConfig, CongestionController, PacketReport, ReceiverReport,
};

#[derive(Debug, Arbitrary)]
enum Step {
    /// Packets leave.
    Send {
        count: u8,
        size: u16,
    },
    /// Feedback on some of them, in any order, at any time of the receiver's clock.
    Feedback(Vec<(u16, Option<u32>)>),
    Report {
        fraction_lost: f32,
        rtt_ms: Option<u16>,
    },
    Wanted(u32),
    Pause {
        milliseconds: u16,
    },
}

fuzz_target!(|steps: Vec<Step>| {
    let config = CongestionConfig::default();
    let mut now = Instant::now();
    let mut controller = CongestionController::new(now, config);
    let mut sent: Vec<(Instant, usize)> = Vec::new();
    for step in steps.into_iter().take(1_000) {
        match step {
            Step::Send { count, size } => {
                for _ in 0..count {
                    controller.on_sent(now, size.into());
                    sent.push((now, size.into()));
                    now += Duration::from_millis(1);
                }
            }
            Step::Feedback(packets) => {
                let report = |&(back, arrival): &(u16, Option<u32>)| {
                    let id = sent.len().checked_sub(1 + usize::from(back))?;
                    let (departure, size) = sent[id];
                    Some(PacketReport {
                        id: id as u64,
                        departure,
                        arrival: arrival.map(|at| Duration::from_micros(at.into())),
                        size,
                        arrived: arrival.is_some(),
                        probe: None,
                    })
                };
                let reports: Vec<_> = packets.iter().filter_map(report).collect();
                controller.on_reports(now, &reports);
            }
            Step::Report { fraction_lost, rtt_ms } => {
                let rtt = rtt_ms.map(|ms| Duration::from_millis(ms.into()));
                controller.on_receiver_report(now, ReceiverReport { fraction_lost, rtt });
            }
            Step::Wanted(wanted_bps) => controller.set_wanted(now, wanted_bps.into()),
            Step::Pause { milliseconds } => now += Duration::from_millis(milliseconds.into()),
        }
        if controller.poll_timeout().is_some_and(|at| at <= now) {
            controller.handle_timeout(now);
            assert!(controller.poll_timeout().is_none_or(|at| at > now), "it would spin");
        }
        while let Some(probe) = controller.poll_probe() {
            assert!(probe.bytes > 0 && probe.rate_bps > 0);
        }
        let estimate = controller.estimate();
        assert!((1..=config.ceiling_bps).contains(&estimate.bitrate_bps), "{estimate:?}");
        assert!((0.0..=1.0).contains(&estimate.loss), "{estimate:?}");
    }
});
