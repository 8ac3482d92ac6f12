//! A real coturn on 127.0.0.1.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use quartet_proto::IceServer;

/// Ends with its value.
pub(crate) struct TurnServer {
    process: Child,
    address: SocketAddr,
    database: std::path::PathBuf,
}

impl TurnServer {
    /// Starts one and waits until it answers.
    pub(crate) fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let database = std::env::temp_dir().join(format!(
            "quartet-turn-{}-{}.sqlite",
            std::process::id(),
            COUNT.fetch_add(1, Relaxed)
        ));
        // coturn cannot be told to take any free port; ours is free a moment before.
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = Command::new("turnserver")
            .args(["-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1"])
            .arg(format!("--listening-port={}", address.port()))
            .arg(format!("--userdb={}", database.display()))
            .args(["--lt-cred-mech", "--user=quartet:secret", "--realm=quartet.test"])
            .args(["--no-cli", "--no-tcp", "--no-tls", "--no-dtls", "--allow-loopback-peers"])
            .args([
                "--verbose",
                "--log-file=/tmp/rtc-turn.log",
                "--simple-log",
                "--pidfile=",
                "--relay-threads=1",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("turnserver cannot be started: install the package coturn");
        let server = Self { process, address, database };
        server.wait_until_it_answers();
        server
    }

    fn wait_until_it_answers(&self) {
        // A binding request (RFC 8489 §5).
        let mut request = [0u8; 20];
        request[1] = 1;
        request[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        socket.connect(self.address).unwrap();
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

    pub(crate) fn turn(&self) -> IceServer {
        IceServer {
            urls: vec![format!("turn:{}?transport=udp", self.address)],
            username: Some("quartet".to_owned()),
            credential: Some("secret".to_owned()),
        }
    }

    pub(crate) fn stun(&self) -> IceServer {
        IceServer { urls: vec![format!("stun:{}", self.address)], username: None, credential: None }
    }
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.database);
    }
}
