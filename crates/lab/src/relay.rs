//! A STUN and TURN server (coturn) in a namespace of its own.

use std::{
    net::{SocketAddr, TcpStream},
    process::Stdio,
    time::Duration,
};

use quartet_harness::{Child, wait_until};
use quartet_testkit::network::Servers;
use tempfile::TempDir;

use crate::namespace::Host;

/// STUN's and TURN's own (RFC 8489 §18.6).
const PORT: u16 = 3478;
const USER: &str = "quartet";
const CREDENTIAL: &str = "secret";
/// What it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that participants are told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// As RTCPeerConnection has it.
    pub url: String,
    /// Who may use it, and with what credential.
    pub login: Option<(String, String)>,
}

impl IceServer {
    /// As our programs' command lines have it.
    #[must_use]
    pub fn argument(&self) -> String {
        match (&self.login, self.url.split_once(':')) {
            (Some((user, credential)), Some((scheme, rest))) => {
                format!("{scheme}:{user}:{credential}@{rest}")
            }
            _ => self.url.clone(),
        }
    }
}

/// A running coturn; ends with its value.
#[derive(Debug)]
pub(crate) struct Relay {
    _server: Child,
    /// Of its users and its log.
    _folder: TempDir,
}

impl Relay {
    pub(crate) fn start(host: &Host) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = host.command("turnserver");
        command
            .arg("-n")
            .arg(format!("--listening-ip={}", host.address))
            .arg(format!("--relay-ip={}", host.address))
            .arg(format!("--listening-port={PORT}"))
            .arg(format!("--userdb={}", folder.path().join("users.sqlite").display()))
            .arg(format!("--log-file={}", folder.path().join("log").display()))
            .args(["--lt-cred-mech", "--realm=quartet.lab"])
            .arg(format!("--user={USER}:{CREDENTIAL}"))
            .args(["--no-cli", "--no-tls", "--no-dtls"])
            .args(["--simple-log", "--pidfile=", "--relay-threads=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let server = Child::start("turnserver (of the package coturn)", &mut command)?;
        let address = SocketAddr::from((host.address, PORT));
        wait_until("the relay", PATIENCE, || {
            Ok(host.within(|| TcpStream::connect(address))?.ok().map(drop))
        })?;
        Ok(Self { _server: server, _folder: folder })
    }
}

/// What participants are told of a relay there.
pub(crate) fn ice_servers(servers: Servers, host: &Host) -> Vec<IceServer> {
    let at = format!("{}:{PORT}", host.address);
    let login = || Some((USER.to_owned(), CREDENTIAL.to_owned()));
    let stun = IceServer { url: format!("stun:{at}"), login: None };
    match servers {
        Servers::None => Vec::new(),
        Servers::Stun => vec![stun],
        Servers::Turn => vec![
            stun,
            IceServer { url: format!("turn:{at}"), login: login() },
            IceServer { url: format!("turn:{at}?transport=tcp"), login: login() },
        ],
    }
}
