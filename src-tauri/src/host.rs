//! The signalling server inside the app: started with the first call begun here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use quartet_proto::{InvalidLink, ServerUrl};
use quartet_server::{Server, ServerConfig, StartError};

/// Tried first, so that a person can open it in a firewall; any free one is as good.
const PREFERRED_PORT: u16 = 47_800;
/// `IP:PORT` that the server listens on instead; for tests and for machines with many addresses.
const LISTEN_VARIABLE: &str = "QUARTET_LISTEN";

/// Why there is no server in this app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// What [`LISTEN_VARIABLE`] says is not an address and a port.
    #[error("{LISTEN_VARIABLE} is not IP:PORT")]
    Variable,
    /// The system gave no port.
    #[error("the call's own server does not start: {0}")]
    Start(#[from] StartError),
    /// The server's own address makes no link.
    #[error("the call's own server has no usable address: {0}")]
    Address(#[from] InvalidLink),
}

/// The server of this app, once there is one.
#[derive(Debug, Default)]
pub(crate) struct Host {
    running: Option<(Server, ServerUrl)>,
}

impl Host {
    /// Starts the server, or names the one that runs.
    ///
    /// Call it inside the runtime.
    pub(crate) fn url(&mut self) -> Result<ServerUrl, HostError> {
        if let Some((_, url)) = &self.running {
            return Ok(url.clone());
        }
        let server = start()?;
        let url = ServerUrl::parse(&server.url())?;
        self.running = Some((server, url.clone()));
        Ok(url)
    }

    /// That server is this one.
    pub(crate) fn is(&self, url: &ServerUrl) -> bool {
        self.running.as_ref().is_some_and(|(_, own)| own == url)
    }

    /// Ends it, politely.
    pub(crate) async fn stop(&mut self) {
        if let Some((server, _)) = self.running.take() {
            server.stop().await;
        }
    }
}

fn start() -> Result<Server, HostError> {
    let open = |listen| Server::start(ServerConfig::at(listen));
    if let Ok(text) = std::env::var(LISTEN_VARIABLE) {
        return Ok(open(text.parse().map_err(|_| HostError::Variable)?)?);
    }
    let address = own_address();
    match open(SocketAddr::new(address, PREFERRED_PORT)) {
        Ok(server) => Ok(server),
        Err(_) => Ok(open(SocketAddr::new(address, 0))?),
    }
}

/// The address by which others on the network reach this machine: a private IPv4 address before a
/// public one, and loopback when there is no network, so that a call on one machine still works.
fn own_address() -> IpAddr {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<Ipv4Addr> = interfaces
        .iter()
        .filter_map(|interface| match interface.ip() {
            IpAddr::V4(ip) if !ip.is_loopback() && !ip.is_link_local() => Some(ip),
            _ => None,
        })
        .collect();
    addresses.sort_by_key(|ip| !ip.is_private());
    addresses.first().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ip| IpAddr::V4(*ip))
}
