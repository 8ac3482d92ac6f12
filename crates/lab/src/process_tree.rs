//! What a process and all that come from it take, from /proc (proc_pid_stat(5)).

mod watch;

pub use watch::{Usage, UsageWatch};

use std::{collections::HashMap, fs, process::Command};

/// The kernel's counters are in hundredths of a second (`USER_HZ`, fixed on Linux).
const TICKS_PER_SECOND: f64 = 100.0;

/// A process and all that come from it, itself first.
#[must_use]
pub fn family(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((id, stat)) = id.and_then(|id| Some((id, Stat::of(id)?))) {
            children.entry(stat.parent).or_default().push(id);
        }
    }
    let mut family = vec![root];
    let mut next = 0;
    while let Some(id) = family.get(next) {
        family.extend(children.remove(id).unwrap_or_default());
        next += 1;
    }
    family
}

/// Seconds of CPU that a family has taken so far, with what its dead took.
#[must_use]
pub fn cpu_seconds(root: u32) -> f64 {
    family(root).into_iter().filter_map(Stat::of).map(|stat| stat.cpu_seconds).sum()
}

/// Proportional set size of a family, in MB.
#[must_use]
pub fn memory_mb(root: u32) -> f64 {
    let kilobytes = |id| {
        let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    family(root).into_iter().filter_map(kilobytes).sum::<f64>() * 1024.0 / 1e6
}

/// Seconds that all cores together were busy since the machine was started.
#[must_use]
pub fn machine_busy_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq (proc_stat(5)).
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|&field| ticks.get(field));
    busy.sum::<f64>() / TICKS_PER_SECOND
}

/// Kills a process that may have ended already.
pub(crate) fn kill(id: u32) {
    // Fails only when it is gone.
    let _ = Command::new("kill").args(["-KILL", &id.to_string()]).output();
}

struct Stat {
    parent: u32,
    cpu_seconds: f64,
}

impl Stat {
    fn of(id: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The program's name is in parentheses and may hold anything.
        let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_whitespace().collect();
        let parent = fields.get(1)?.parse().ok()?;
        // utime, stime, and those of waited-for children: fields 14 to 17 of the line.
        let ticks: f64 = fields.get(11..15)?.iter().filter_map(|f| f.parse::<f64>().ok()).sum();
        Some(Self { parent, cpu_seconds: ticks / TICKS_PER_SECOND })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_no_trouble() {
        let line = "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 2 0 0 100 50 25 25 20 0 1 0 100 0 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.parent, stat.cpu_seconds), (3, 2.0));
        assert!(Stat::parse("7 (a) S").is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_child_is_of_the_family() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(family(std::process::id()).contains(&child.id()));
        kill(child.id());
        child.wait().unwrap();
        assert!(machine_busy_seconds() > 0.0);
    }
}
