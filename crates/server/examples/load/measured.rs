//! What a process takes, and how figures are summed up.

use std::{fs, io, time::Duration};

#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
}

/// At one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Time on a processor since its start, all threads.
    pub(crate) cpu: Duration,
    /// Resident bytes.
    pub(crate) memory: u64,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    pub(crate) fn look(&self) -> io::Result<Look> {
        // Nanoseconds, where /proc/PID/stat has hundredths of a second. Threads that have ended are
        // not in it; neither server ends any while it is loaded.
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += number(text.split_whitespace().next())?;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = number(resident.and_then(|text| text.split_whitespace().next()))?;
        Ok(Look { cpu: Duration::from_nanos(nanos), memory: kibibytes * 1024 })
    }
}

fn number(text: Option<&str>) -> io::Result<u64> {
    text.and_then(|text| text.parse().ok()).ok_or_else(|| io::Error::other("/proc has changed"))
}

pub(crate) fn micros_each(cpu: Duration, count: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / count.max(1) as f64
}

/// Of microseconds in rising order, in milliseconds.
pub(crate) fn percentile(sorted: &[u32], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some(f64::from(sorted[(last as f64 * share).round() as usize]) / 1000.0)
}
