//! The sockets of a relay: one task that owns the rules, and a reader for each relayed end and for
//! each client that comes by TCP.
//!
//! Nothing waits for a slow receiver: what a socket or a client's queue does not take at once is
//! dropped, as on any full line. Readers of relayed ends drop what the task cannot keep up with;
//! readers of streams wait, which slows their sender down.

mod stream;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket},
    ops::RangeInclusive,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::FutureExt as _;
use quartet_proto::IceServer;
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time,
};
use tracing::{error, info, warn};

use self::stream::{Place, Streams};
use super::{
    Client, Output, PeerPolicy, Relay, RelayConfig, RelayLimits, Transport,
    limits::{MAX_DATAGRAM, PEER_QUEUE},
};
use crate::{TurnCredentials, metrics::Metrics};

/// Ports that are tried for a relayed end before the client is told that there is none.
const TRIES: usize = 16;
/// Pause after the system refused to receive or to accept.
const PAUSE: Duration = Duration::from_millis(100);
/// And after the rules have failed, which they never should.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// A relay that a server runs itself.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Where clients reach it, by UDP and TCP; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Its address as the internet sees it, where that differs from the one it listens on.
    pub address: Option<IpAddr>,
    /// The ports of relayed ends.
    pub ports: RangeInclusive<u16>,
    /// Whom it relays to.
    pub peers: PeerPolicy,
    /// How much it gives.
    pub limits: RelayLimits,
    /// How long credentials are good for.
    pub ttl: Duration,
}

impl RelayOptions {
    /// As RFC 8656 §7.2 has it.
    pub const PORTS: RangeInclusive<u16> = 49_152..=65_535;

    /// A relay there, for peers on the internet.
    #[must_use]
    pub fn at(listen: SocketAddr) -> Self {
        Self {
            listen,
            address: None,
            ports: Self::PORTS,
            peers: PeerPolicy::Public,
            limits: RelayLimits::default(),
            ttl: crate::TURN_TTL,
        }
    }
}

/// What happens at the readers.
#[derive(Debug)]
enum Event {
    /// A datagram came to a relayed end.
    FromPeer {
        port: u16,
        peer: SocketAddr,
        datagram: Vec<u8>,
    },
    /// A message came by a stream.
    FromStream {
        client: SocketAddr,
        message: Vec<u8>,
    },
    StreamEnded {
        client: SocketAddr,
        serial: u64,
    },
}

/// A relay that listens, and does not run yet.
pub(crate) struct RelaySockets {
    options: RelayOptions,
    address: IpAddr,
    udp: UdpSocket,
    tcp: TcpListener,
    local: SocketAddr,
    credentials: TurnCredentials,
}

impl RelaySockets {
    /// Listens.
    ///
    /// # Errors
    ///
    /// When the address is taken, or not ours.
    pub(crate) fn open(options: RelayOptions) -> io::Result<Self> {
        let (udp, tcp) = bind_both(options.listen)?;
        let local = udp.local_addr()?;
        let address = options.address.unwrap_or(local.ip());
        let at = SocketAddr::new(address, local.port());
        let urls = vec![format!("turn:{at}?transport=udp"), format!("turn:{at}?transport=tcp")];
        // It lives as long as the allocations that it is for.
        let secret: [u8; 32] = rand::random();
        let credentials = TurnCredentials::new(secret, urls, options.ttl);
        Ok(Self { options, address, udp, tcp, local, credentials })
    }

    /// Makes what it takes.
    pub(crate) fn credentials(&self) -> &TurnCredentials {
        &self.credentials
    }

    /// It as one who tells addresses.
    pub(crate) fn stun(&self) -> IceServer {
        let at = SocketAddr::new(self.address, self.local.port());
        IceServer { urls: vec![format!("stun:{at}")], username: None, credential: None }
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Relays until the task is ended. Should the rules fail it begins anew, without allocations:
    /// clients make others.
    pub(crate) async fn run(self, metrics: Arc<Metrics>) {
        info!(port = self.local.port(), "relaying");
        loop {
            let mut service = Service::new(&self, &metrics);
            if AssertUnwindSafe(service.run()).catch_unwind().await.is_err() {
                error!("the relay has failed and begins anew: please report what is above");
            }
            drop(service);
            time::sleep(RESTART_PAUSE).await;
        }
    }
}

/// The same port by UDP and TCP.
fn bind_both(listen: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = if listen.port() == 0 { TRIES } else { 1 };
    loop {
        tries -= 1;
        let udp = StdUdpSocket::bind(listen)?;
        match std::net::TcpListener::bind(udp.local_addr()?) {
            Ok(tcp) => {
                udp.set_nonblocking(true)?;
                tcp.set_nonblocking(true)?;
                return Ok((UdpSocket::from_std(udp)?, TcpListener::from_std(tcp)?));
            }
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// A relayed end; its reader ends with it.
struct RelayedEnd {
    socket: Arc<UdpSocket>,
    reader: AbortHandle,
}

impl Drop for RelayedEnd {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// What runs.
struct Service<'a> {
    sockets: &'a RelaySockets,
    metrics: &'a Metrics,
    relay: Relay,
    ends: HashMap<u16, RelayedEnd>,
    streams: Streams,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
    /// All of them end with the service.
    readers: JoinSet<()>,
}

impl<'a> Service<'a> {
    fn new(sockets: &'a RelaySockets, metrics: &'a Metrics) -> Self {
        let (events, inbox) = mpsc::channel(PEER_QUEUE);
        let config = RelayConfig {
            credentials: sockets.credentials.clone(),
            address: sockets.address,
            peers: sockets.options.peers,
            limits: sockets.options.limits,
            nonce_key: rand::random(),
        };
        Self {
            sockets,
            metrics,
            relay: Relay::new(Instant::now(), config),
            ends: HashMap::new(),
            streams: Streams::new(sockets.options.limits),
            events,
            inbox,
            readers: JoinSet::new(),
        }
    }

    async fn run(&mut self) {
        let mut buffer = vec![0; MAX_DATAGRAM + 1];
        loop {
            let wake = self.relay.poll_timeout();
            tokio::select! {
                received = self.sockets.udp.recv_from(&mut buffer) => match received {
                    Ok((length, address)) if length <= MAX_DATAGRAM => {
                        let client = Client { address, transport: Transport::Udp };
                        let datagram = &buffer[..length];
                        self.relay.from_client(Instant::now(), SystemTime::now(), client, datagram);
                    }
                    Ok(_) => {}
                    Err(error) => pause_after(&error).await,
                },
                Some(event) = self.inbox.recv() => self.take(event),
                accepted = self.sockets.tcp.accept() => match accepted {
                    Ok((stream, client)) => {
                        let admitted = self.streams.admit(Instant::now(), client);
                        if let Some((serial, queue)) = admitted {
                            let place = Place { client, serial, queue };
                            let events = self.events.clone();
                            self.readers.spawn(stream::run(stream, place, events));
                        }
                    }
                    Err(_) => time::sleep(PAUSE).await,
                },
                () = time::sleep_until(wake.into()) => {
                    let now = Instant::now();
                    self.relay.handle_timeout(now);
                    let relay = &self.relay;
                    self.streams.drop_idle(now, |client| relay.serves(client));
                }
                // Those that have ended are forgotten.
                Some(_) = self.readers.join_next() => {}
            }
            self.carry_out().await;
            *self.metrics.relay.lock() = Some(self.relay.figures());
        }
    }

    fn take(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::FromPeer { port, peer, datagram } => {
                self.relay.from_peer(now, port, peer, &datagram);
            }
            Event::FromStream { client: address, message } => {
                let client = Client { address, transport: Transport::Tcp };
                self.relay.from_client(now, SystemTime::now(), client, &message);
            }
            Event::StreamEnded { client: address, serial } => {
                if self.streams.ended(address, serial) {
                    self.relay.client_gone(Client { address, transport: Transport::Tcp });
                }
            }
        }
    }

    async fn carry_out(&mut self) {
        while let Some(output) = self.relay.poll() {
            match output {
                Output::ToClient(Client { address, transport: Transport::Udp }, bytes) => {
                    let _full = self.sockets.udp.try_send_to(&bytes, address);
                }
                Output::ToClient(Client { address, .. }, bytes) => {
                    self.streams.send(address, bytes);
                }
                Output::ToPeer(port, peer, bytes) => {
                    let end = self.ends.get(&port);
                    let _full = end.map(|end| end.socket.try_send_to(&bytes, peer));
                }
                Output::Open(client) => {
                    let port = self.open_end().await;
                    if port.is_none() {
                        warn!("no port is free for a relayed end, or no descriptor");
                    }
                    self.relay.opened(Instant::now(), client, port);
                }
                Output::Close(port) => drop(self.ends.remove(&port)),
            }
        }
    }

    async fn open_end(&mut self) -> Option<u16> {
        let ports = self.sockets.options.ports.clone();
        for _ in 0..TRIES {
            let port = rand::random_range(ports.clone());
            let Ok(socket) = UdpSocket::bind((self.sockets.local.ip(), port)).await else {
                continue;
            };
            // It is at once; asked only so that the first datagram is not held for one too many.
            socket.writable().await.ok()?;
            let socket = Arc::new(socket);
            let events = self.events.clone();
            let reader = self.readers.spawn(read_peers(port, Arc::clone(&socket), events));
            self.ends.insert(port, RelayedEnd { socket, reader });
            return Some(port);
        }
        None
    }
}

/// Not when it is that somebody's port is closed, as Windows says where it was sent from: whoever
/// closes theirs would hold up everybody.
async fn pause_after(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionReset {
        time::sleep(PAUSE).await;
    }
}

async fn read_peers(port: u16, socket: Arc<UdpSocket>, events: mpsc::Sender<Event>) {
    let mut buffer = vec![0; MAX_DATAGRAM + 1];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, peer)) if length <= MAX_DATAGRAM => {
                let datagram = buffer[..length].to_vec();
                let _full = events.try_send(Event::FromPeer { port, peer, datagram });
            }
            Ok(_) => {}
            Err(error) => pause_after(&error).await,
        }
    }
}
