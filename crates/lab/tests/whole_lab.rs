//! The whole laboratory once: namespaces, the router, real participants, their figures.

#![cfg(target_os = "linux")]

use quartet_harness::Programs;
use quartet_lab::{namespace, quartet::QuartetCall, run, stop};
use quartet_testkit::network::{Direction, Scenario};

const SCENARIO: &str = "
about = 'a narrow line that loses a little'
seconds = 6
warm_up_s = 1
people = 2

[all]
up = { rate_kbit_s = 1000, delay_ms = 20, loss_percent = 2 }

[[person.bob.step]]
at_s = 5
down = { cut = true }

[goals]
fps = 1
longest_freeze_ms = 4000
[[goals.path]]
of = 'ann'
direction = 'up'
from_s = 1
to_s = 6
use_percent = 5
";

#[test]
fn pictures_move_over_a_shaped_path() {
    if let Some(missing) = namespace::missing() {
        eprintln!("left out: {missing}");
        return;
    }
    namespace::remove_leftovers();
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet-lab")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let scenario = Scenario::parse("whole-lab", SCENARIO).unwrap();
    let mut hosts = Vec::new();
    let report = run::run(&scenario, |network| {
        hosts = network.hosts().cloned().collect();
        Ok(Box::new(QuartetCall::start(network, &scenario, &programs, folder.path())?))
    })
    .unwrap();
    report.print();
    assert!(report.connected && !stop::requested());

    assert_eq!(report.figures.streams.len(), 2);
    for stream in &report.figures.streams {
        assert!(stream.pictures.fps > 1.0, "{stream:?}");
        // The delay of the path is in it, and it is real.
        assert!(stream.pictures.latency_p50_ms.is_some_and(|ms| ms > 20.0), "{stream:?}");
        assert!(stream.first_picture_ms.is_some(), "{stream:?}");
    }
    for person in &report.figures.people {
        assert!(person.cpu_cores > 0.0 && person.memory_mb > 1.0, "{person:?}");
    }
    let path = |of: &str, direction| {
        let mut paths = report.traffic.paths.iter();
        paths.find(|path| path.of == of && path.direction == direction).unwrap()
    };
    for of in ["ann", "bob"] {
        let up = path(of, Direction::Up);
        assert!(up.lost > 0 && up.delivered > 20 * up.lost, "{} of {}", up.lost, up.delivered);
    }
    assert!(path("bob", Direction::Down).cut > 0, "the step was not done");
    assert_eq!(path("ann", Direction::Down).cut, 0);
    assert!(report.goals.iter().all(|goal| goal.met), "{:?}", report.goals);

    // Nothing is left over.
    let left = std::fs::read_dir("/run/netns").unwrap().flatten().filter(|entry| {
        hosts.iter().any(|host| entry.file_name().to_string_lossy() == host.namespace)
    });
    assert_eq!(left.count(), 0);
}
