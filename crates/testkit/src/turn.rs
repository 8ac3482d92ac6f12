//! A real coturn on 127.0.0.1, as a STUN and TURN server for tests: by UDP, TCP and TLS.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use quartet_proto::IceServer;
use quartet_server::TurnCredentials;

/// The one user it knows.
pub const USER: &str = "quartet";
/// And the password.
pub const CREDENTIAL: &str = "secret";

/// A running `turnserver`; ends with its value.
#[derive(Debug)]
pub struct TurnServer {
    process: Child,
    address: SocketAddr,
    tls: SocketAddr,
    certificate: Vec<u8>,
    /// Of its users, its certificate and its log.
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
        Self::start_with(&["--lt-cred-mech".to_owned(), format!("--user={USER}:{CREDENTIAL}")])
    }

    /// Starts one that knows no users, but whoever has a credential that was made with this secret
    /// and has not ended (`use-auth-secret`).
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start_with_secret(secret: &str) -> Self {
        let secret = format!("--static-auth-secret={secret}");
        Self::start_with(&["--use-auth-secret".to_owned(), secret])
    }

    fn start_with(authentication: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
        let own = own.expect("a certificate");
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, own.cert.pem()).expect("a file");
        std::fs::write(&key, own.signing_key.serialize_pem()).expect("a file");
        // coturn cannot be told to take any free port; these are free a moment before.
        let (address, tls) = (free(), free());
        let process = Command::new("turnserver")
            .args(["-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1"])
            .arg(format!("--listening-port={}", address.port()))
            .arg(format!("--tls-listening-port={}", tls.port()))
            .arg(format!("--cert={}", certificate.display()))
            .arg(format!("--pkey={}", key.display()))
            .arg(format!("--userdb={}", folder.path().join("users.sqlite").display()))
            .arg(format!("--log-file={}", folder.path().join("log").display()))
            .arg("--realm=quartet.test")
            .args(authentication)
            .args(["--no-cli", "--no-dtls", "--allow-loopback-peers"])
            .args(["--simple-log", "--pidfile=", "--relay-threads=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("turnserver cannot be started: install the package coturn");
        let certificate = own.cert.der().to_vec();
        let server = Self { process, address, tls, certificate, _folder: folder };
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
            let streams =
                || [self.address, self.tls].iter().all(|at| TcpStream::connect(at).is_ok());
            if socket.recv(&mut response).is_ok() && streams() {
                return;
            }
            // A refused port answers at once.
            std::thread::sleep(Duration::from_millis(50).saturating_sub(asked.elapsed()));
        }
    }

    /// `127.0.0.1:PORT`, by UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// It as a relay.
    #[must_use]
    pub fn turn(&self) -> IceServer {
        known_to(format!("turn:{}?transport=udp", self.address))
    }

    /// It as a relay that is reached by TCP.
    #[must_use]
    pub fn turn_tcp(&self) -> IceServer {
        known_to(format!("turn:{}?transport=tcp", self.address))
    }

    /// It as a relay that is reached by TLS, with its own [`Self::certificate`].
    #[must_use]
    pub fn turn_tls(&self) -> IceServer {
        known_to(format!("turns:{}?transport=tcp", self.tls))
    }

    /// In DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Stops it, as a crash would.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// It as one who tells addresses.
    #[must_use]
    pub fn stun(&self) -> IceServer {
        IceServer { urls: vec![format!("stun:{}", self.address)], username: None, credential: None }
    }
}

/// What makes credentials for a server with that secret.
#[must_use]
pub fn credentials(secret: &str, urls: Vec<String>, ttl: Duration) -> TurnCredentials {
    TurnCredentials::new(secret, urls, ttl)
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// By the one user.
fn known_to(url: String) -> IceServer {
    let (username, credential) = (Some(USER.to_owned()), Some(CREDENTIAL.to_owned()));
    IceServer { urls: vec![url], username, credential }
}

/// An address that is free by UDP and TCP.
fn free() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = udp.local_addr().expect("its number");
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
