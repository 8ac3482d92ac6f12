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
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use quartet_proto::IceServer;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Semaphore, mpsc},
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

#[cfg(feature = "redis")]
use crate::{Cluster, ClusterConfig, NodeId, backbone};
use crate::{
    Command, ConnId, Hub, HubConfig, Input, MAX_CONNECTIONS, News, Node, Output, TurnCredentials,
    http,
    outbox::{Outbox, Overflow},
};

/// HTTP connections that are served at once; the next ones wait in the listener's queue. Together with
/// [`crate::MAX_CONNECTIONS`] below the usual limit of 1024 descriptors.
const MAX_HTTP_CONNECTIONS: usize = 100;
/// For the head of a request, and for the pause before it: whoever only stays, or says what it wants
/// byte by byte, holds a place that others wait for.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// From accepting a connection to its end, or to its being a WebSocket. The page and what belongs to
/// it are some 60 KiB: a line of 20 kbit/s brings them in that time, and a slower one holds no call.
const HTTP_DEADLINE: Duration = Duration::from_secs(30);
/// Connections that the system may keep waiting for us.
const BACKLOG: u32 = 256;
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
    /// [`MAX_CONNECTIONS`] unless chosen otherwise. There may be half as many rooms.
    pub max_connections: usize,
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
            max_connections: MAX_CONNECTIONS,
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
}

/// A running server. Dropping it ends it at once, without goodbyes.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    tasks: TaskTracker,
    leaving: CancellationToken,
    abort: CancellationToken,
}

impl Server {
    /// Listens and serves, on tasks of the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(config: ServerConfig) -> Result<Self, StartError> {
        let hub = HubConfig {
            ice_servers: config.ice_servers,
            turn: config.turn,
            max_connections: config.max_connections,
            max_rooms: config.max_connections / 2,
        };
        let address = config.listen;
        let refused = |source| StartError::Listen { address, source };
        let listener = listen(address).map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        let tasks = TaskTracker::new();
        let leaving = CancellationToken::new();
        let abort = CancellationToken::new();
        let (events, inbox) = mpsc::channel(HUB_QUEUE);
        let door =
            Door { events, next_conn: Arc::default(), tasks: tasks.clone(), abort: abort.clone() };
        let (commands, orders) = mpsc::channel(COMMAND_QUEUE);
        #[cfg(not(feature = "redis"))]
        drop(orders);
        #[cfg(feature = "redis")]
        let node = match config.cluster {
            Some(ClusterConfig { redis, node }) => {
                let own = NodeId::new(&node, rand::random());
                let backbone = backbone::run(redis, own.clone(), orders, door.events.clone());
                tasks.spawn(abort.clone().run_until_cancelled_owned(backbone));
                Node::Among(Box::new(Cluster::new(Instant::now(), own, hub)))
            }
            None => Node::Alone(Box::new(Hub::new(hub))),
        };
        #[cfg(not(feature = "redis"))]
        let node = Node::Alone(Box::new(Hub::new(hub)));
        let node = run_node(node, inbox, commands, leaving.clone());
        tasks.spawn(abort.clone().run_until_cancelled_owned(node));
        tasks.spawn(abort.clone().run_until_cancelled_owned(accept(
            listener,
            door,
            leaving.clone(),
        )));
        info!(port = local_addr.port(), "listening");
        Ok(Self { local_addr, tasks, leaving, abort })
    }

    /// Where it listens, with the port that it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Its origin for links, as far as it knows: `http://ADDRESS:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.local_addr)
    }

    /// Takes nothing new, tells everybody, closes, and waits until nothing of it runs any more:
    /// three seconds at the most.
    pub async fn stop(self) {
        info!("stopping");
        self.tasks.close();
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
    /// They brought something.
    Input(ConnId, Input),
    /// From what the nodes share.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "there is nothing to share"))]
    News(News),
}

/// What a new socket needs.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) tasks: TaskTracker,
    pub(crate) abort: CancellationToken,
    next_conn: Arc<AtomicU64>,
}

impl Door {
    pub(crate) fn next_conn(&self) -> ConnId {
        ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed))
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the old connections' last minutes. On Windows the option would
    // let another program take the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // What it accepts inherits this.
    socket.set_send_buffer_size(SOCKET_SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, door: Door, leaving: CancellationToken) {
    let tasks = door.tasks.clone();
    let abort = door.abort.clone();
    let routes = http::routes(door);
    let places = Arc::new(Semaphore::new(MAX_HTTP_CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
            (listener.accept().await, place)
        };
        let Some((accepted, place)) = leaving.run_until_cancelled(next).await else { return };
        match accepted {
            Ok((stream, _)) => {
                let request = serve_http(stream, routes.clone(), leaving.clone());
                let request = abort.clone().run_until_cancelled_owned(async move {
                    let _ended_or_late = time::timeout(HTTP_DEADLINE, request).await;
                    drop(place);
                });
                tasks.spawn(request);
            }
            Err(error) => {
                debug!(%error, "could not accept");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Requests of one connection. One may make a WebSocket of it: then that goes on elsewhere.
async fn serve_http(stream: TcpStream, routes: axum::Router, leaving: CancellationToken) {
    if stream.set_nodelay(true).is_err() {
        return; // gone already
    }
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

/// Owns the hub: the only one to call it, one input at a time.
async fn run_node(
    mut node: Node,
    mut inbox: mpsc::Receiver<Event>,
    commands: mpsc::Sender<Command>,
    leaving: CancellationToken,
) {
    let mut outboxes = HashMap::new();
    loop {
        let wake = node.poll_timeout();
        tokio::select! {
            // What has come is heard before anybody is called silent.
            biased;
            () = leaving.cancelled() => break,
            Some(event) = inbox.recv() => {
                node.hub_mut().set_clock(Instant::now(), SystemTime::now());
                take(&mut node, &mut outboxes, event);
            }
            () = sleep_until(wake) => node.hub_mut().set_clock(Instant::now(), SystemTime::now()),
        }
        node.handle_timeout(Instant::now());
        deliver(&mut node, &mut outboxes, &commands);
    }
    node.shut_down(Instant::now());
    deliver(&mut node, &mut outboxes, &commands);
}

fn take(node: &mut Node, outboxes: &mut HashMap<ConnId, Outbox>, event: Event) {
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
        Event::News(news) => node.handle_news(now, news),
    }
}

fn deliver(
    node: &mut Node,
    outboxes: &mut HashMap<ConnId, Outbox>,
    commands: &mpsc::Sender<Command>,
) {
    while let Some(output) = node.poll() {
        match output {
            Output::Send(conn, message) => {
                if let Some(outbox) = outboxes.get(&conn)
                    && let Err(Overflow) = outbox.push(&message)
                {
                    info!(conn = conn.0, "does not read: cut off");
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
