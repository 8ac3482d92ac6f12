//! One Chromium with one page: a process tree with a profile of its own.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

pub use quartet_harness::CHROMIUM as PROGRAM;
use quartet_harness::{CHROMIUM_FLAGS, Child};
use tempfile::TempDir;

use crate::process_tree;

/// After being asked to end, before being killed.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Who may use the camera tells its addresses; without this a page on a file would not.
const TELLS_ADDRESSES: &str = "--disable-features=WebRtcHideLocalIpsWithMdns";

/// Whether it is installed.
#[must_use]
pub fn is_there() -> bool {
    Path::new(PROGRAM).is_file()
}

/// A running Chromium, ended when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    profile: TempDir,
}

impl Browser {
    /// Opens `address` with `clip` and `tone` as camera and microphone. `command` makes the command
    /// that runs a program where this participant is: in a network namespace, for instance.
    pub fn open(
        name: &str,
        address: &str,
        clip: &Path,
        tone: &Path,
        command: impl FnOnce(&Path) -> Command,
    ) -> anyhow::Result<Self> {
        let profile = tempfile::Builder::new().prefix("quartet-lab-chromium-").tempdir()?;
        let log = fs::File::create(profile.path().join("stderr"))?;
        let mut command = command(Path::new(PROGRAM));
        command
            .args(CHROMIUM_FLAGS)
            .arg(TELLS_ADDRESSES)
            .arg(format!("--user-data-dir={}", profile.path().join("data").display()))
            .arg(format!("--use-file-for-fake-video-capture={}", clip.display()))
            .arg(format!("--use-file-for-fake-audio-capture={}", tone.display()))
            .arg(address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = Child::start(&format!("Chromium of {name}"), &mut command)?;
        Ok(Self { child, profile })
    }

    /// The process from which all of its processes come.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it complained about, for messages.
    #[must_use]
    pub fn complaints(&self) -> String {
        fs::read_to_string(self.profile.path().join("stderr")).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers end with it; those that do not are known by then.
        let family = process_tree::family(self.id());
        let ended =
            self.child.terminate().and_then(|()| self.child.wait(LAST_WORDS).map(|_| ())).is_ok();
        if !ended {
            for id in family {
                process_tree::kill(id);
            }
        }
    }
}
