//! A Redis of the test's own, on a socket in a folder of its own.

use std::{
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// It starts in milliseconds; a busy machine takes longer.
const START_LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Redis {
    folder: TempDir,
    process: Child,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = run(&folder);
        Self { folder, process }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.path().join("socket").display())
    }

    /// Ends it at once, with all that it knew.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }

    /// After [`Self::kill`]: an empty one in the same place.
    pub(crate) fn start_again(&mut self) {
        self.process = run(&self.folder);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(folder: &TempDir) -> Child {
    let socket = folder.path().join("socket");
    let mut command = Command::new("redis-server");
    command
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
        .arg(&socket)
        .arg("--dir")
        .arg(folder.path());
    started(&mut command, || UnixStream::connect(&socket).is_ok())
}

pub(crate) fn started(command: &mut Command, is_there: impl Fn() -> bool) -> Child {
    let process = command
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed (`cargo xtask setup`)");
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < START_LIMIT, "redis-server does not start");
        thread::sleep(Duration::from_millis(5));
    }
    process
}
