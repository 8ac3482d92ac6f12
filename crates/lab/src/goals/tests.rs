use quartet_testkit::network::Direction;

use super::*;
use crate::{
    figures::{PictureFigures, VoiceFigures, Window},
    router::{PathTraffic, Sample},
};

fn stream(from: &str, to: &str, fps: f64) -> StreamFigures {
    let second = |t: f64| SecondFigures {
        t,
        // After 10 s one loses a tenth of its bits.
        fps,
        height: 360,
        kbps: if t >= 10.0 && from == "ann" { 450.0 } else { 500.0 },
        latency_p95_ms: Some(50.0),
        concealed: 0.0,
    };
    StreamFigures {
        from: from.to_owned(),
        to: to.to_owned(),
        video_kbps: 500.0,
        pictures: PictureFigures { fps, height: 360, frozen_s: 0.5, ..PictureFigures::default() },
        shown_p50_ms: None,
        shown_p95_ms: None,
        voice: VoiceFigures { concealed: 0.01, concealed_worst_second: 0.2 },
        seconds: (0..20).map(f64::from).map(second).collect(),
        ..StreamFigures::default()
    }
}

fn figures(streams: Vec<StreamFigures>, memory: Vec<(f64, f64)>) -> RunFigures {
    let person = PersonFigures {
        name: "ann".to_owned(),
        cpu_cores: 0.2,
        memory_mb: 70.0,
        encoder_cores: None,
        memory,
    };
    RunFigures {
        program: "quartet".to_owned(),
        scenario: "test".to_owned(),
        window: Window { zero: 1000.0, from: 1000.0, to: 1020.0 },
        people: vec![person],
        streams,
        others_cores: 0.0,
    }
}

/// 250 kbit/s of 500, and a queue of 300 ms in its first second.
fn traffic() -> Traffic {
    let samples = (1..=200).map(|tenth| Sample {
        at: 1000.0 + f64::from(tenth) / 10.0,
        seconds: 0.1,
        queue_ms: if tenth <= 10 { 300.0 } else { 20.0 },
        bytes: 3125,
        missing: 0,
        rate: 500_000.0,
    });
    let path = PathTraffic {
        of: "bob".to_owned(),
        direction: Direction::Down,
        pushed: 200,
        delivered: 200,
        dropped: 0,
        lost: 0,
        cut: 0,
        samples: samples.collect(),
    };
    Traffic {
        paths: vec![path],
        stopped: 0,
        packets: 200,
        late_packets: 0,
        worst_lateness_ms: 0.0,
        cpu_cores: 0.0,
    }
}

fn met(goals: &Goals, figures: &RunFigures) -> Vec<bool> {
    judge(goals, figures, &traffic()).iter().map(|it| it.met).collect()
}

#[test]
fn what_is_not_asked_for_is_not_judged() {
    let figures = figures(vec![stream("ann", "bob", 3.0)], Vec::new());
    assert!(judge(&Goals::default(), &figures, &traffic()).is_empty());
}

#[test]
fn the_worst_stream_counts_unless_it_is_excepted() {
    let streams = vec![stream("ann", "bob", 30.0), stream("bob", "ann", 27.9)];
    let figures = figures(streams, Vec::new());
    let mut goals = Goals { fps: Some(28.0), ..Goals::default() };
    let judged = judge(&goals, &figures, &traffic());
    assert!(!judged[0].met && judged[0].reached.contains("27.900 fps (bob → ann)"), "{judged:?}");
    goals.except = vec!["ann".to_owned()];
    assert_eq!(met(&goals, &figures), [true]);
}

#[test]
fn limits_at_their_edge_are_met_and_what_is_missing_is_not() {
    let figures = figures(vec![stream("ann", "bob", 28.0)], Vec::new());
    let goals = Goals {
        fps: Some(28.0),
        frozen_percent: Some(2.5),
        concealed_percent: Some(1.0),
        concealed_second_percent: Some(2.0),
        p95_ms: Some(150.0), // the figures have none
        cpu: Some(0.2),
        memory_mb: Some(69.9),
        ..Goals::default()
    };
    assert_eq!(met(&goals, &figures), [true, true, false, true, false, true, false]);
}

#[test]
fn without_any_stream_nothing_is_met() {
    let goals = Goals { fps: Some(1.0), freezes: Some(0), ..Goals::default() };
    assert_eq!(met(&goals, &figures(Vec::new(), Vec::new())), [false, false]);
}

#[test]
fn a_path_is_judged_in_its_span_only() {
    let goal = |from_s, use_percent| PathGoal {
        of: "bob".to_owned(),
        direction: Direction::Down,
        from_s,
        to_s: 20.0,
        queue_ms: Some(100.0),
        use_percent: Some(use_percent),
        kbit_s: Some(249.0),
    };
    let figures = figures(Vec::new(), Vec::new());
    let of = |goal| met(&Goals { path: vec![goal], ..Goals::default() }, &figures);
    assert_eq!(of(goal(0.0, 85.0)), [false, false, true]);
    assert_eq!(of(goal(1.0, 49.9)), [true, true, true]);
}

#[test]
fn others_are_unchanged_or_not() {
    let goal = |but: &str| Goals {
        unchanged: Some(Unchanged {
            but: but.to_owned(),
            before_s: [0.0, 10.0],
            after_s: [10.0, 20.0],
            percent: 5.0,
        }),
        ..Goals::default()
    };
    let streams = vec![stream("ann", "bob", 30.0), stream("bob", "cat", 30.0)];
    let figures = figures(streams, Vec::new());
    assert_eq!(met(&goal("cat"), &figures), [true, false]);
    assert_eq!(met(&goal("ann"), &figures), [true, true]);
}

#[test]
fn growth_of_the_memory_leaves_the_first_minute_out() {
    let memory = |last| {
        (0..=400).map(f64::from).map(move |t| {
            (
                t,
                if t < 60.0 {
                    50.0
                } else if t < 300.0 {
                    70.0
                } else {
                    last
                },
            )
        })
    };
    let goals = Goals { memory_growth_percent: Some(5.0), ..Goals::default() };
    let of = |last| met(&goals, &figures(Vec::new(), memory(last).collect()));
    assert_eq!((of(73.0), of(74.0)), (vec![true], vec![false]));
}
