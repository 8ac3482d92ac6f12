//! One run of one scenario: the network, the participants, the steps at their times, the report.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quartet_testkit::network::{Scenario, Step};

use crate::{
    figures::{RunFigures, Window},
    network::Network,
    report::Report,
    stop,
};

/// Until everybody is connected to everybody; the scenario begins without that after it.
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);

/// A call of one kind of participants in a scenario's network.
pub trait Call {
    /// Waits until everybody is connected to everybody; false when that has not come by then.
    ///
    /// # Errors
    ///
    /// When a participant has failed, or at Ctrl-C.
    fn wait_until_connected(&mut self, deadline: Duration) -> anyhow::Result<bool>;

    /// Ends it, and gives the figures of the window.
    ///
    /// # Errors
    ///
    /// When a participant has failed or has said nothing.
    fn finish(self: Box<Self>, window: Window) -> anyhow::Result<RunFigures>;
}

/// Runs a scenario once, with the participants that `start` starts in its network.
///
/// # Errors
///
/// When the network cannot be built, participants fail, or at Ctrl-C; everything is taken down.
pub fn run(
    scenario: &Scenario,
    start: impl FnOnce(&Network) -> anyhow::Result<Box<dyn Call>>,
) -> anyhow::Result<Report> {
    let load_before = load_average();
    let mut network = Network::build(scenario)?;
    let mut call = start(&network)?;
    let connected = call.wait_until_connected(CONNECT_DEADLINE)?;
    let (zero, zero_unix) = (Instant::now(), unix_now());
    for (number, step) in timeline(scenario) {
        stop::sleep_until(zero + step.at)?;
        network.apply(number, step)?;
    }
    stop::sleep_until(zero + scenario.duration)?;
    let window = Window {
        zero: zero_unix,
        from: zero_unix + scenario.warm_up.as_secs_f64(),
        to: zero_unix + scenario.duration.as_secs_f64(),
    };
    let figures = call.finish(window)?;
    let traffic = network.finish()?;
    Ok(Report::new(scenario, connected, load_before, figures, traffic))
}

/// All steps with the number of whose they are, in the order of time.
fn timeline(scenario: &Scenario) -> Vec<(usize, &Step)> {
    let people = scenario.people.iter().enumerate();
    let mut steps: Vec<_> = people
        .flat_map(|(number, person)| person.steps.iter().map(move |step| (number, step)))
        .collect();
    steps.sort_by_key(|(_, step)| step.at);
    steps
}

fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Of the last minute, in programs that want to run.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or_default()
}
