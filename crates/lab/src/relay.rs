//! A STUN and TURN server (coturn) in a namespace of its own. As docs/server.md sets one up, it
//! shares a secret with the signalling server, which makes everybody credentials that end.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};

use quartet_harness::{Child, wait_until};
use quartet_proto::PeerId;
use quartet_testkit::{network::Servers, turn};
use tempfile::TempDir;

use crate::namespace::Host;

/// STUN's and TURN's own (RFC 8489 §18.6).
const PORT: u16 = 3478;
const SECRET: &str = "what only the servers of the laboratory know";
/// How long credentials last: longer than any scenario.
const TTL: Duration = Duration::from_secs(2 * 60 * 60);
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

/// A running coturn; ends with its value.
#[derive(Debug)]
pub(crate) struct Relay {
    _server: Child,
    urls: Vec<String>,
    /// Of its users, its log and the secret.
    folder: TempDir,
}

impl Relay {
    pub(crate) fn start(host: &Host) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(secret_in(folder.path()), SECRET)?;
        let mut command = host.command("turnserver");
        command
            .arg("-n")
            .arg(format!("--listening-ip={}", host.address))
            .arg(format!("--relay-ip={}", host.address))
            .arg(format!("--listening-port={PORT}"))
            .arg(format!("--userdb={}", folder.path().join("users.sqlite").display()))
            .arg(format!("--log-file={}", folder.path().join("log").display()))
            .args(["--use-auth-secret", "--realm=quartet.lab"])
            .arg(format!("--static-auth-secret={SECRET}"))
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
        Ok(Self { _server: server, urls: turn_urls(host), folder })
    }

    /// Its addresses.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The file with the secret.
    pub(crate) fn secret_file(&self) -> PathBuf {
        secret_in(self.folder.path())
    }
}

fn secret_in(folder: &Path) -> PathBuf {
    folder.join("secret")
}

fn turn_urls(host: &Host) -> Vec<String> {
    let at = format!("{}:{PORT}", host.address);
    vec![format!("turn:{at}"), format!("turn:{at}?transport=tcp")]
}

/// What participants are told of a relay there, when nobody hands out credentials.
pub(crate) fn ice_servers(servers: Servers, host: &Host) -> Vec<IceServer> {
    let stun = IceServer { url: format!("stun:{}:{PORT}", host.address), login: None };
    match servers {
        Servers::None => Vec::new(),
        Servers::Stun => vec![stun],
        Servers::Turn => {
            let issued = turn::credentials(SECRET, turn_urls(host), TTL)
                .issue(SystemTime::now(), PeerId::from_u64(0));
            let login = issued.username.zip(issued.credential);
            let relays = issued.urls.into_iter();
            let relays = relays.map(|url| IceServer { url, login: login.clone() });
            [stun].into_iter().chain(relays).collect()
        }
    }
}
