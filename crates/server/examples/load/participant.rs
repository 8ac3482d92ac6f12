//! One socket of many: joins, keeps itself alive, sends when asked, and passes on what goes round.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use quartet_proto::limits::PING_INTERVAL;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::spawn_local,
    time::{Instant, interval_at, timeout},
};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tungstenite::{Message, protocol::WebSocketConfig};

use crate::dialect::{Dialect, Heard};

/// From opening to the answer to the join.
const JOIN_LIMIT: Duration = Duration::from_secs(30);
/// Candidates that may wait in one participant; the steady part asks for one every few seconds.
const ASKED: usize = 64;
/// The library's own would be 128 KiB for each.
const BUFFER_BYTES: usize = 2048;

/// What all participants have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    dialect: Dialect,
    server: SocketAddr,
    start: Instant,
    /// Of candidates that go one way, in microseconds.
    pub(crate) delays: RefCell<Vec<u32>>,
    /// Candidates that came and went on.
    pub(crate) rounds: Cell<u64>,
    /// Sockets that ended.
    pub(crate) lost: Cell<u64>,
}

impl Shared {
    pub(crate) fn new(dialect: Dialect, server: SocketAddr) -> Self {
        Self {
            dialect,
            server,
            start: Instant::now(),
            delays: RefCell::default(),
            rounds: Cell::new(0),
            lost: Cell::new(0),
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// A candidate to the next in the room.
    Once,
    /// One that everybody passes on.
    Round,
}

#[derive(Debug)]
pub(crate) struct Participant {
    asked: mpsc::Sender<Sending>,
}

type Socket = WebSocketStream<TcpStream>;

impl Participant {
    /// Says on `ready` when it is in its room, or why it is not.
    pub(crate) fn start(
        number: usize,
        shared: Rc<Shared>,
        ready: mpsc::Sender<Result<(), String>>,
    ) -> Self {
        let (asked, to_send) = mpsc::channel(ASKED);
        spawn_local(async move {
            let joined = timeout(JOIN_LIMIT, join(number, &shared)).await;
            let joined = joined.unwrap_or_else(|_| Err("not in time".into()));
            match joined {
                Ok(socket) => {
                    let _ = ready.send(Ok(())).await;
                    drop(ready);
                    let ended = stay(number, socket, &shared, to_send).await;
                    shared.lost.set(shared.lost.get() + 1);
                    eprintln!("participant {number}: {ended:?}");
                }
                Err(error) => {
                    let _ = ready.send(Err(format!("participant {number}: {error}"))).await;
                }
            }
        });
        Self { asked }
    }

    /// Lost when too much is waiting: the server is slower than asked, as the figures show then.
    pub(crate) fn ask(&self, what: Sending) {
        let _ = self.asked.try_send(what);
    }
}

async fn join(number: usize, shared: &Shared) -> Result<Socket, Box<dyn std::error::Error>> {
    let dialect = shared.dialect;
    let stream = TcpStream::connect(shared.server).await?;
    stream.set_nodelay(true)?;
    let url = format!("ws://{}{}", shared.server, dialect.path());
    let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(0);
    let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await?;
    let mut step = if dialect.server_opens() { Heard::Other } else { Heard::Opened };
    loop {
        match step {
            Heard::Opened => socket.send(Message::text(dialect.hello())).await?,
            Heard::Greeted => socket.send(Message::text(dialect.join(number))).await?,
            Heard::Joined => return Ok(socket),
            Heard::Refused(why) => return Err(why.into()),
            Heard::Ping | Heard::Candidate { .. } | Heard::Other => {}
        }
        step = match socket.next().await.ok_or("closed")?? {
            Message::Text(text) => dialect.read(&text),
            _ => Heard::Other,
        };
    }
}

async fn stay(
    number: usize,
    mut socket: Socket,
    shared: &Shared,
    mut to_send: mpsc::Receiver<Sending>,
) -> Result<(), tungstenite::Error> {
    let dialect = shared.dialect;
    let once = dialect.candidate(number, false);
    let round = dialect.candidate(number, true);
    // Spread out, as people come.
    let first = PING_INTERVAL.mul_f64(fastrand::f64());
    let mut pings = interval_at(Instant::now() + first, PING_INTERVAL);
    loop {
        let text = tokio::select! {
            came = socket.next() => match came {
                Some(Ok(Message::Text(text))) => match dialect.read(&text) {
                    Heard::Candidate { sent, round: false } => {
                        let delay = shared.micros().saturating_sub(sent);
                        shared.delays.borrow_mut().push(u32::try_from(delay).unwrap_or(u32::MAX));
                        continue;
                    }
                    Heard::Candidate { round: true, .. } => {
                        shared.rounds.set(shared.rounds.get() + 1);
                        stamped(&round, shared)
                    }
                    Heard::Ping => dialect.pong().to_owned(),
                    _ => continue,
                },
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(error),
            },
            Some(what) = to_send.recv() => match what {
                Sending::Once => stamped(&once, shared),
                Sending::Round => stamped(&round, shared),
            },
            _ = pings.tick(), if dialect.ping().is_some() => {
                dialect.ping().unwrap_or_default().to_owned()
            }
        };
        socket.send(Message::text(text)).await?;
    }
}

fn stamped((before, after): &(String, String), shared: &Shared) -> String {
    format!("{before}{}{after}", shared.micros())
}
