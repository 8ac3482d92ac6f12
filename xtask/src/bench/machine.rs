//! What is measured on, and how busy it is with other things.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::shell::{command, output};

/// The kernel's counters in /proc/stat are in hundredths of a second (`USER_HZ`, fixed on Linux).
const TICKS_PER_SECOND: f64 = 100.0;
/// Long enough for ticks of 10 ms to show a hundredth of a core.
const LOOK: Duration = Duration::from_secs(3);

/// How long all cores together were busy since the machine was started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) at: Instant,
    pub(super) busy_s: f64,
}

/// How busy the machine is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Busy {
    pub(super) cores: f64,
}

impl Load {
    /// `None` where the system does not tell (not Linux).
    pub(super) fn now() -> Option<Self> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let at = Instant::now();
        // user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)).
        let ticks: Vec<f64> = text
            .lines()
            .next()?
            .split_whitespace()
            .skip(1)
            .filter_map(|n| n.parse().ok())
            .collect();
        let [user, nice, system, _idle, _iowait, irq, softirq, ..] = ticks.as_slice() else {
            return None;
        };
        Some(Self { at, busy_s: (user + nice + system + irq + softirq) / TICKS_PER_SECOND })
    }
}

/// Looks for some seconds.
pub(super) fn busy_now() -> anyhow::Result<Option<Busy>> {
    let before = Load::now();
    if before.is_none() {
        return Ok(None);
    }
    thread::sleep(LOOK);
    Ok(super::others(before, Load::now(), 0.0).map(|cores| Busy { cores }))
}

/// The load average of the last minute, five and fifteen.
pub(super) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    if words.is_empty() { "unknown".to_owned() } else { words.join(" ") }
}

/// One paragraph for the top of the results.
pub(super) fn description(load_average: String, busy: Option<Busy>) -> String {
    let said = |program: &str, arguments: &[&str]| {
        output(&mut command(program, arguments)).unwrap_or_default().trim().to_owned()
    };
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let busy = busy.map_or_else(|| "?".to_owned(), |busy| format!("{:.2}", busy.cores));
    format!(
        "Measured {} on {} ({cores} cores), {}. Load average before the start: {load_average}; \
        in use by others just before the measuring: {busy} cores.",
        said("date", &["+%Y-%m-%d %H:%M"]),
        cpu_model().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        said("rustc", &["--version"]),
    )
}

fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
