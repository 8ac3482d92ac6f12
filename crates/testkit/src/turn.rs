//! A real coturn on 127.0.0.1, as a STUN and TURN server for tests.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use quartet_proto::IceServer;

/// The one user it knows.
pub const USER: &str = "quartet";
/// And the password.
pub const CREDENTIAL: &str = "secret";

/// A running `turnserver`; ends with its value.
#[derive(Debug)]
pub struct TurnServer {
    process: Child,
    address: SocketAddr,
    /// Of its users and its log.
    _folder: tempfile::TempDir,
}

impl TurnServer {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it cannot be started: a test has no use for less.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // coturn cannot be told to take any free port; ours is free a moment before.
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = free.local_addr().expect("its number");
        drop(free);
        let process = Command::new("turnserver")
            .args(["-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1"])
            .arg(format!("--listening-port={}", address.port()))
            .arg(format!("--userdb={}", folder.path().join("users.sqlite").display()))
            .arg(format!("--log-file={}", folder.path().join("log").display()))
            .args(["--lt-cred-mech", "--realm=quartet.test"])
            .arg(format!("--user={USER}:{CREDENTIAL}"))
            .args(["--no-cli", "--no-tcp", "--no-tls", "--no-dtls", "--allow-loopback-peers"])
            .args(["--simple-log", "--pidfile=", "--relay-threads=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("turnserver cannot be started: install the package coturn");
        let server = Self { process, address, _folder: folder };
        server.wait_until_it_answers();
        server
    }

    fn wait_until_it_answers(&self) {
        // A binding request (RFC 8489 §5).
        let mut request = [0u8; 20];
        request[1] = 1;
        request[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let patience = Some(Duration::from_millis(100));
        socket.set_read_timeout(patience).expect("a time limit");
        socket.connect(self.address).expect("an address");
        let start = Instant::now();
        let mut response = [0u8; 200];
        loop {
            assert!(start.elapsed() < Duration::from_secs(20), "coturn does not answer");
            let asked = Instant::now();
            let _ = socket.send(&request);
            if socket.recv(&mut response).is_ok() {
                return;
            }
            // A refused port answers at once.
            std::thread::sleep(Duration::from_millis(50).saturating_sub(asked.elapsed()));
        }
    }

    /// `127.0.0.1:PORT`, by UDP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// It as a relay.
    #[must_use]
    pub fn turn(&self) -> IceServer {
        IceServer {
            urls: vec![format!("turn:{}?transport=udp", self.address)],
            username: Some(USER.to_owned()),
            credential: Some(CREDENTIAL.to_owned()),
        }
    }

    /// It as one who tells addresses.
    #[must_use]
    pub fn stun(&self) -> IceServer {
        IceServer { urls: vec![format!("stun:{}", self.address)], username: None, credential: None }
    }
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
