//! What this process has used.

use serde::Serialize;

/// What this process has used; `None` where the system does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// Processor time so far, user and system, in seconds.
    pub(crate) cpu_s: Option<f64>,
    /// Memory present now, in MB of 10⁶ bytes (elsewhere than on Linux: the most there was).
    pub(crate) rss_mb: Option<f64>,
    /// Threads now.
    pub(crate) threads: Option<u32>,
}

/// From procfs, whose clock ticks are 10 ms on every Linux (`USER_HZ`, proc(5)).
#[cfg(target_os = "linux")]
pub(crate) fn usage() -> Usage {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u32>().ok()
    };
    Usage {
        cpu_s: cpu_ticks(&stat).map(|ticks| ticks as f64 / 100.0),
        rss_mb: field("VmRSS:").map(|kib| (u64::from(kib) * 128 / 125) as f64 / 1000.0),
        threads: field("Threads:"),
    }
}

/// The 14th and 15th field; the second, the program's name, may itself hold blanks and brackets.
#[cfg(target_os = "linux")]
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn usage() -> Usage {
    use nix::sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike as _,
    };
    let Ok(used) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Usage::default();
    };
    let micros = (used.user_time() + used.system_time()).num_microseconds();
    // macOS counts bytes, the BSDs KiB.
    let unit = if cfg!(target_os = "macos") { 1.0 } else { 1024.0 };
    Usage {
        cpu_s: Some(micros as f64 / 1e6),
        rss_mb: Some(used.max_rss() as f64 * unit / 1e6),
        threads: None,
    }
}

#[cfg(not(unix))]
pub(crate) fn usage() -> Usage {
    Usage::default()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_may_look_like_fields() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 4";
        assert_eq!(cpu_ticks(stat), Some(300));
    }

    #[test]
    fn this_process_has_memory_and_a_thread() {
        let usage = usage();
        assert!(usage.cpu_s.is_some());
        assert!(usage.rss_mb.is_some_and(|mb| mb > 1.0));
        assert!(usage.threads.is_some_and(|threads| threads >= 1));
    }
}
