//! A running server: the listener, the actor that owns the hub, and their orderly end.
//!
//! Every task is counted by one [`TaskTracker`]. Two tokens end them: `leaving` asks (nothing new
//! is taken, everybody is told, what is queued goes out), `abort` insists.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use ipnet::IpNet;
use quartet_proto::{ErrorCode, IceServer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, oneshot},
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use crate::{
    Census, Command, ConnId, Hub, HubConfig, Input, Limits, News, Node, Output, TlsError, TlsFiles,
    TurnCredentials,
    client_address::{Peer, TrustedProxies},
    http,
    metrics::Metrics,
    outbox::{Outbox, Overflow},
    places::Places,
    relay::sockets::{RelayOptions, RelaySockets},
    source_limiter::{Source, SourceLimiter},
    tls::Tls,
};
#[cfg(feature = "redis")]
use crate::{Cluster, ClusterConfig, NodeId, backbone};

/// Of whoever collects figures there are few.
const METRICS_CONNECTIONS: usize = 8;

/// For the head of a request, and for the pause before it: whoever only stays, or says what it wants
/// byte by byte, holds a place that others wait for.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// From accepting a connection to its end, or to its being a WebSocket. The page and what belongs to
/// it are some 60 KiB: a line of 20 kbit/s brings them in that time, and a slower one holds no call.
const HTTP_DEADLINE: Duration = Duration::from_secs(30);
/// Connections that the system may keep waiting for us.
const BACKLOG: u32 = 1024;
/// Bytes that the system may hold for a client that does not read. Enough for a round trip of
/// 100 ms at 10 Mbit/s, which signalling never needs.
const SOCKET_SEND_BUFFER: u32 = 128 * 1024;
/// Inputs on their way to the hub. When full, the sockets are not read: their senders wait.
const HUB_QUEUE: usize = 256;
/// Commands for what the nodes share on their way there. When full, the next ones are dropped, as if
/// it were away.
const COMMAND_QUEUE: usize = 4096;
/// Pause after the system refused a connection, as it does when it is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long [`Server::stop`] waits for goodbyes to be read; longer than a socket lingers.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// How long it then waits for tasks that were told to end at once.
const ABORT_DEADLINE: Duration = Duration::from_secs(1);

/// Where a server listens and what it offers.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address; port 0 takes any free one.
    pub listen: SocketAddr,
    /// STUN and TURN servers for everybody who joins.
    pub ice_servers: Vec<IceServer>,
    /// A TURN server of one's own, with credentials that end.
    pub turn: Option<TurnCredentials>,
    /// A STUN and TURN server that this one runs itself, instead of that one.
    pub relay: Option<RelayOptions>,
    /// How much it takes.
    pub limits: Limits,
    /// Proxies whose `X-Forwarded-For` says where a client is.
    pub trusted_proxies: Vec<IpNet>,
    /// For `https`; without it, the server speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Where it also listens, with nothing but `/metrics`, for whoever asks.
    pub metrics_listen: Option<SocketAddr>,
    /// Whom the rooms are shared with, if with anybody.
    #[cfg(feature = "redis")]
    pub cluster: Option<ClusterConfig>,
}

impl ServerConfig {
    /// A server at that address, with nothing to offer beside itself.
    #[must_use]
    pub fn at(listen: SocketAddr) -> Self {
        Self {
            listen,
            ice_servers: Vec::new(),
            turn: None,
            relay: None,
            limits: Limits::default(),
            trusted_proxies: Vec::new(),
            tls: None,
            metrics_listen: None,
            #[cfg(feature = "redis")]
            cluster: None,
        }
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, not ours, or not allowed.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate is of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A running server. Dropping it ends it at once, without goodbyes.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    relay_addr: Option<SocketAddr>,
    tls: Option<Arc<Tls>>,
    tasks: TaskTracker,
    draining: CancellationToken,
    leaving: CancellationToken,
    abort: CancellationToken,
}

impl Server {
    /// Listens and serves, on tasks of the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(config: ServerConfig) -> Result<Self, StartError> {
        let limits = config.limits;
        let relay = config.relay.map(open_relay).transpose()?;
        let relay_addr = relay.as_ref().map(RelaySockets::local_addr);
        let mut ice_servers = config.ice_servers;
        ice_servers.extend(relay.as_ref().map(RelaySockets::stun));
        let hub = HubConfig {
            ice_servers,
            turn: relay.as_ref().map(|it| it.credentials().clone()).or(config.turn),
            max_connections: limits.connections,
            max_rooms: limits.rooms,
            room_life: limits.room_life,
        };
        let tls = config.tls.map(Tls::open).transpose()?.map(Arc::new);
        let (listener, local_addr) = listen(config.listen)?;
        let for_metrics = config.metrics_listen.map(listen).transpose()?;
        let metrics_addr = for_metrics.as_ref().map(|(_, address)| *address);
        let tasks = TaskTracker::new();
        let (draining, leaving, abort) = Default::default();
        let (events, inbox) = mpsc::channel(HUB_QUEUE);
        let door = Door {
            events,
            metrics: Arc::default(),
            limiter: SourceLimiter::new(limits),
            proxies: Arc::new(TrustedProxies::new(config.trusted_proxies)),
            next_conn: Arc::default(),
            tasks: tasks.clone(),
            draining,
            is_cut_off: Arc::default(),
            has_warned: Arc::default(),
            abort,
        };
        let server = Self {
            local_addr,
            metrics_addr,
            relay_addr,
            tls: tls.clone(),
            tasks,
            draining: door.draining.clone(),
            leaving,
            abort: door.abort.clone(),
        };
        let (draining, leaving) = (server.draining.clone(), server.leaving.clone());
        let metrics = Arc::clone(&door.metrics);
        let (commands, orders) = mpsc::channel(COMMAND_QUEUE);
        #[cfg(not(feature = "redis"))]
        drop(orders);
        #[cfg(feature = "redis")]
        let node = match config.cluster {
            Some(ClusterConfig { redis, node }) => {
                // Until it is there.
                door.is_cut_off.store(true, Ordering::Relaxed);
                let own = NodeId::new(&node, rand::random());
                server.spawn(backbone::run(redis, own.clone(), orders, door.events.clone()));
                Node::Among(Box::new(Cluster::new(Instant::now(), own, hub)))
            }
            None => Node::Alone(Box::new(Hub::new(hub))),
        };
        #[cfg(not(feature = "redis"))]
        let node = Node::Alone(Box::new(Hub::new(hub)));
        if let Some(relay) = relay {
            // It goes on while calls do, also when nobody new is taken.
            let (leaving, metrics) = (leaving.clone(), Arc::clone(&metrics));
            server.spawn(async move {
                leaving.run_until_cancelled(relay.run(metrics)).await;
            });
        }
        let voices = Voices { commands, metrics, is_cut_off: Arc::clone(&door.is_cut_off) };
        server.spawn(run_node(node, inbox, voices, draining, leaving.clone()));
        if let Some((listener, _)) = for_metrics {
            let routes = http::metrics_routes(door.clone());
            let entrance = Entrance { routes, tls: None, places: METRICS_CONNECTIONS };
            server.spawn(accept(listener, door.clone(), entrance, leaving.clone()));
        }
        if let Some(tls) = tls.clone() {
            let leaving = leaving.clone();
            server.spawn(async move {
                leaving.run_until_cancelled(tls.watch()).await;
            });
        }
        let routes = http::routes(door.clone());
        let entrance = Entrance { routes, tls, places: limits.http_connections };
        server.spawn(accept(listener, door, entrance, leaving));
        info!(port = local_addr.port(), "listening");
        Ok(server)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.abort.clone().run_until_cancelled_owned(task));
    }

    /// Says at `/readyz` that newcomers should go elsewhere, and makes no new rooms; calls go on.
    pub fn drain(&self) {
        info!("draining");
        self.draining.cancel();
    }

    /// Reads the certificate again now, as it does by itself when the files have changed.
    pub fn reload_certificate(&self) {
        if let Some(tls) = &self.tls {
            tls.reload();
        }
    }

    /// Where it listens for those who want figures.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Where its relay listens, with the port that it got.
    #[must_use]
    pub fn relay_addr(&self) -> Option<SocketAddr> {
        self.relay_addr
    }

    /// Where it listens, with the port that it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Its origin for links, as far as it knows: `http://ADDRESS:PORT`, or with `https`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.local_addr)
    }

    /// Takes nothing new, tells everybody, closes, and waits until nothing of it runs any more:
    /// three seconds at the most.
    pub async fn stop(self) {
        info!("stopping");
        self.tasks.close();
        self.draining.cancel();
        self.leaving.cancel();
        if time::timeout(STOP_DEADLINE, self.tasks.wait()).await.is_err() {
            warn!(tasks = self.tasks.len(), "some are still busy: cutting them off");
            self.abort.cancel();
            if time::timeout(ABORT_DEADLINE, self.tasks.wait()).await.is_err() {
                warn!(tasks = self.tasks.len(), "did not end");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not `leaving`: whether a goodbye still got out would be a matter of luck.
        self.abort.cancel();
    }
}

/// What happens at the sockets, for the hub's task.
#[derive(Debug)]
pub(crate) enum Event {
    /// Somebody is there, to be reached through this.
    Connected(ConnId, Outbox),
    /// Their address has joined too often to join again.
    Refused(ConnId),
    /// They brought something.
    Input(ConnId, Input),
    /// From what the nodes share.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "there is nothing to share"))]
    News(News),
    /// Somebody wants figures.
    Census(oneshot::Sender<Census>),
}

/// What a new socket needs.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limiter: SourceLimiter,
    pub(crate) proxies: Arc<TrustedProxies>,
    pub(crate) draining: CancellationToken,
    /// What the nodes share is away: nobody new gets in.
    pub(crate) is_cut_off: Arc<AtomicBool>,
    /// A proxy that is not named was seen, and the log says so.
    pub(crate) has_warned: Arc<AtomicBool>,
    pub(crate) tasks: TaskTracker,
    pub(crate) abort: CancellationToken,
    next_conn: Arc<AtomicU64>,
}

impl Door {
    pub(crate) fn next_conn(&self) -> ConnId {
        ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed))
    }
}

fn open_relay(options: RelayOptions) -> Result<RelaySockets, StartError> {
    let address = options.listen;
    RelaySockets::open(options).map_err(|source| StartError::Listen { address, source })
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restart must not wait for the old connections' last minutes. On Windows the option
        // would let another program take the same port.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // What it accepts inherits this.
        socket.set_send_buffer_size(SOCKET_SEND_BUFFER)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let local_addr = listener.local_addr()?;
        Ok((listener, local_addr))
    };
    listener().map_err(|source| StartError::Listen { address, source })
}

/// What is behind a listener.
struct Entrance {
    routes: axum::Router,
    tls: Option<Arc<Tls>>,
    /// HTTP connections at once.
    places: usize,
}

async fn accept(listener: TcpListener, door: Door, entrance: Entrance, leaving: CancellationToken) {
    let Entrance { routes, tls, places } = entrance;
    let places = Places::new(places);
    loop {
        let accepted = leaving.run_until_cancelled(listener.accept()).await;
        match accepted {
            None => return,
            Some(Ok((stream, address))) => {
                let peer = Peer(address.ip());
                // What proxies of ours bring is everybody's.
                let trusted = door.proxies.trusts(address.ip().to_canonical());
                let source = Source::of(address.ip()).filter(|_| !trusted);
                let Some(own_place) = door.limiter.http(Instant::now(), source) else {
                    Metrics::count(&door.metrics.http_refused);
                    continue;
                };
                let (place, made_room) = places.take().await;
                if made_room {
                    Metrics::count(&door.metrics.http_displaced);
                }
                let routes = routes.clone().layer(axum::Extension(peer));
                // Boxed: of a future that is handed on, each of those around it keeps two copies.
                let request = Box::pin(serve(stream, tls.clone(), routes, leaving.clone()));
                let request = place.ended().run_until_cancelled_owned(request);
                let request = door.abort.clone().run_until_cancelled_owned(async move {
                    let _ended_or_late = time::timeout(HTTP_DEADLINE, request).await;
                    drop((place, own_place));
                });
                door.tasks.spawn(request);
            }
            Some(Err(error)) => {
                debug!(%error, "could not accept");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    tls: Option<Arc<Tls>>,
    routes: axum::Router,
    leaving: CancellationToken,
) {
    if stream.set_nodelay(true).is_err() {
        return; // gone already
    }
    let Some(tls) = tls else { return serve_http(stream, routes, leaving).await };
    match time::timeout(HEAD_DEADLINE, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => serve_http(stream, routes, leaving).await,
        Ok(Err(error)) => debug!(%error, "TLS"),
        Err(_) => debug!("a TLS handshake took too long"),
    }
}

/// Requests of one connection. One may make a WebSocket of it: then that goes on elsewhere.
async fn serve_http<S>(stream: S, routes: axum::Router, leaving: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .with_upgrades();
    let mut request = std::pin::pin!(request);
    let ended = tokio::select! {
        ended = request.as_mut() => ended,
        () = leaving.cancelled() => {
            request.as_mut().graceful_shutdown();
            request.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "HTTP");
    }
}

/// Where it goes that is said to no client.
struct Voices {
    commands: mpsc::Sender<Command>,
    metrics: Arc<Metrics>,
    is_cut_off: Arc<AtomicBool>,
}

/// Owns the hub: the only one to call it, one input at a time.
async fn run_node(
    mut node: Node,
    mut inbox: mpsc::Receiver<Event>,
    voices: Voices,
    draining: CancellationToken,
    leaving: CancellationToken,
) {
    let mut outboxes = HashMap::new();
    let mut is_open = true;
    loop {
        let wake = node.poll_timeout();
        tokio::select! {
            // What has come is heard before anybody is called silent.
            biased;
            () = leaving.cancelled() => break,
            () = draining.cancelled(), if is_open => {
                is_open = false;
                node.hub_mut().close_to_new_rooms();
            }
            Some(event) = inbox.recv() => {
                let begin = Instant::now();
                node.hub_mut().set_clock(begin, SystemTime::now());
                take(&mut node, &mut outboxes, &voices, event);
                deliver(&mut node, &mut outboxes, &voices);
                let micros = begin.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
                voices.metrics.busy_micros.fetch_add(micros, Ordering::Relaxed);
            }
            () = sleep_until(wake) => node.hub_mut().set_clock(Instant::now(), SystemTime::now()),
        }
        node.handle_timeout(Instant::now());
        deliver(&mut node, &mut outboxes, &voices);
    }
    node.shut_down(Instant::now());
    deliver(&mut node, &mut outboxes, &voices);
}

fn take(node: &mut Node, outboxes: &mut HashMap<ConnId, Outbox>, voices: &Voices, event: Event) {
    let now = Instant::now();
    match event {
        Event::Connected(conn, outbox) => {
            outboxes.insert(conn, outbox);
            node.handle(now, conn, Input::Connected);
        }
        Event::Input(conn, input) => {
            if input == Input::Disconnected {
                outboxes.remove(&conn);
            }
            node.handle(now, conn, input);
        }
        Event::Refused(conn) => {
            let message = Hub::refusal(ErrorCode::AddressLimited, None);
            voices.metrics.sent(&message);
            // Of one that does not read, the next message tells.
            let _ = outboxes.get(&conn).map(|outbox| outbox.push(&message));
        }
        Event::News(news) => {
            match news {
                News::Up => voices.is_cut_off.store(false, Ordering::Relaxed),
                News::Down => voices.is_cut_off.store(true, Ordering::Relaxed),
                _ => {}
            }
            node.handle_news(now, news);
        }
        // Who asked may have given up.
        Event::Census(answer) => drop(answer.send(node.hub_mut().census())),
    }
}

fn deliver(node: &mut Node, outboxes: &mut HashMap<ConnId, Outbox>, voices: &Voices) {
    let Voices { commands, metrics, .. } = voices;
    while let Some(output) = node.poll() {
        match output {
            Output::Send(conn, message) => {
                metrics.sent(&message);
                if let Some(outbox) = outboxes.get(&conn)
                    && let Err(Overflow) = outbox.push(&message)
                {
                    info!(conn = conn.0, "does not read: cut off");
                    Metrics::count(&metrics.cut_off);
                    if let Some(outbox) = outboxes.remove(&conn) {
                        outbox.cut();
                    }
                    node.handle(Instant::now(), conn, Input::Disconnected);
                }
            }
            Output::Close(conn) => {
                // The socket's task sends what is queued, then closes.
                outboxes.remove(&conn);
            }
        }
    }
    while let Some(command) = node.poll_command() {
        // Full or closed: as if it were away. The node asks again.
        let _ = commands.try_send(command);
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => time::sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}
