//! The program as a process of its own, and what it logs.

#![allow(dead_code, reason = "not every test uses everything")]

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_quartet-server");

pub(crate) struct Program {
    child: Child,
    /// Its first line.
    pub(crate) line: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts it on loopback and waits for its first line.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::run(&mut Self::command(arguments))
    }

    /// It, before it starts: it logs as much as it can.
    pub(crate) fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        command.env("RUST_LOG", "quartet_server=trace");
        command
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::<Mutex<String>>::default();
        let (stderr, written) = (child.stderr.take().unwrap(), Arc::clone(&log));
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = written.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, line, log, reader: Some(reader) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let listening: serde_json::Value = serde_json::from_str(&self.line).unwrap();
        let url = listening["url"].as_str().unwrap();
        url.split_once("://").unwrap().1.parse().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    /// Ends it at once, without a goodbye.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether this stands in its log.
    pub(crate) fn said_so_far(&self, words: &str) -> bool {
        self.log.lock().unwrap().contains(words)
    }

    /// Waits for its end, and gives all that it logged.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let log = self.log.lock().unwrap().clone();
        (status, log)
    }

    /// Bytes of memory that it has.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
