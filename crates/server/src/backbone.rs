//! What nodes have in common: Redis, with a lease for each room and a channel for each node.
//!
//! One task. It carries out the cluster's [`Command`]s in their order, many at a time, and hands the
//! cluster what it answers and what comes in on this node's channel. A connection that fails, or on
//! which nothing comes for a while, is made anew, again and again; meanwhile the cluster knows that
//! Redis is away, and commands are dropped: it repeats what matters.

use std::{fmt, str::FromStr, time::Duration};

use futures_util::StreamExt as _;
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo as _, Pipeline, RedisError,
    TlsCertificates, Value, aio, from_redis_value,
};
use tokio::{
    sync::mpsc,
    time::{self, MissedTickBehavior},
};
use tracing::{debug, info, warn};

use crate::{Command, LEASE, News, NodeId, server::Event};

/// Commands that are sent together.
const BATCH: usize = 256;
/// To connect, and to an answer. Redis takes far less; a lease must not end meanwhile.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// From a failure to the next try: nobody joins meanwhile, and Redis is not to be overrun.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// A word to oneself, to see that messages come in.
const ECHO_INTERVAL: Duration = Duration::from_secs(1);
/// Without any message for so long, the channel is dead.
const ECHO_LIMIT: Duration = Duration::from_secs(3);

/// Makes a room its caller's unless it is another's, and says whose it is.
const CLAIM: &str = "local owner = redis.call('GET', KEYS[1]) \
    if owner and owner ~= ARGV[1] then return owner end \
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return ARGV[1]";
/// Gives a room up if it is its caller's.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
    return redis.call('DEL', KEYS[1]) end return 0";

/// Where Redis is, with its password if there is one: never shown.
#[derive(Clone)]
pub struct RedisUrl {
    client: Client,
    /// Of whoever vouches for its certificate, in PEM, where the system does not know them.
    ca: Option<Vec<u8>>,
}

/// Why a Redis cannot be used. It does not quote what was given.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRedisUrl {
    /// The text is no [`RedisUrl`].
    #[error(
        "write redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], rediss:// for TLS, or redis+unix:///PATH"
    )]
    Form,
    /// There is a certificate, and no TLS that it would be for.
    #[error("this certificate is of no use: it has to be PEM, and the address rediss://")]
    Certificate,
}

impl RedisUrl {
    /// Whether a password is in it.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.client.get_connection_info().redis_settings().password().is_some()
    }

    /// The same with this password.
    pub fn with_password(self, password: &str) -> Result<Self, InvalidRedisUrl> {
        let info = self.client.get_connection_info().clone();
        let settings = info.redis_settings().clone().set_password(password);
        Self::build(info.set_redis_settings(settings), self.ca)
    }

    /// The same, trusting whom this certificate vouches for, and nobody else.
    pub fn with_ca(self, pem: Vec<u8>) -> Result<Self, InvalidRedisUrl> {
        Self::build(self.client.get_connection_info().clone(), Some(pem))
    }

    fn build(info: ConnectionInfo, ca: Option<Vec<u8>>) -> Result<Self, InvalidRedisUrl> {
        // Redis would show the library's name among its clients; the user needs a right for that.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_redis_settings(settings);
        let client = match &ca {
            Some(pem) => {
                let root_cert = Some(pem.clone());
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
                    .map_err(|_| InvalidRedisUrl::Certificate)?
            }
            None => Client::open(info).map_err(|_| InvalidRedisUrl::Form)?,
        };
        Ok(Self { client, ca })
    }
}

impl FromStr for RedisUrl {
    type Err = InvalidRedisUrl;

    fn from_str(text: &str) -> Result<Self, InvalidRedisUrl> {
        let info = text.into_connection_info().map_err(|_| InvalidRedisUrl::Form)?;
        Self::build(info, None)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(…)")
    }
}

/// One of several servers, which share their rooms.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The Redis that all of them use.
    pub redis: RedisUrl,
    /// This server's name among them, for people who look into Redis or logs.
    pub node: String,
}

/// Serves the cluster until it drops its end of `commands`; what is queued then is still sent.
pub(crate) async fn run(
    redis: RedisUrl,
    own: NodeId,
    mut commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
) {
    // The library takes the process' own, and there is none yet, or the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    loop {
        let ended = serve(&redis.client, &own, &mut commands, &events).await;
        match ended {
            Ok(()) => return,
            // Its text may have addresses in it.
            Err(error) => warn!(kind = error.category(), "Redis is away"),
        }
        if events.send(Event::News(News::Down)).await.is_err() {
            return;
        }
        let retry = time::sleep(RECONNECT_PAUSE);
        let dropped = async { while commands.recv().await.is_some() {} };
        tokio::select! {
            () = retry => {}
            () = dropped => return,
        }
    }
}

/// One connection, from its beginning to its end. `Ok` when the cluster has stopped.
async fn serve(
    client: &Client,
    own: &NodeId,
    commands: &mut mpsc::Receiver<Command>,
    events: &mpsc::Sender<Event>,
) -> Result<(), RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT));
    let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let subscribed = time::timeout(ANSWER_LIMIT, async {
        let mut channel = client.get_async_pubsub().await?;
        channel.subscribe(channel_of(own)).await?;
        Ok::<_, RedisError>(channel)
    });
    let channel = subscribed.await.map_err(|_| silent())??;
    info!(node = %own, "Redis is there");
    // Before anything that could come in.
    if events.send(Event::News(News::Up)).await.is_err() {
        return Ok(());
    }
    tokio::select! {
        ended = carry_out(connection, own, commands, events) => ended,
        ended = listen(channel, events) => ended,
    }
}

async fn listen(channel: aio::PubSub, events: &mpsc::Sender<Event>) -> Result<(), RedisError> {
    let mut messages = channel.into_on_message();
    loop {
        let next = time::timeout(ECHO_LIMIT, messages.next()).await;
        let message = next.map_err(|_| silent())?.ok_or_else(silent)?;
        let bytes = message.get_payload_bytes();
        if bytes.is_empty() {
            continue; // the echo
        }
        match serde_json::from_slice(bytes) {
            Ok(envelope) => tell(events, News::Received(envelope)).await,
            Err(error) => warn!(kind = ?error.classify(), "a node speaks another version"),
        }
    }
}

/// Nobody listens any more once the cluster has stopped; its last words are still carried out.
async fn tell(events: &mpsc::Sender<Event>, news: News) {
    let _ = events.send(Event::News(news)).await;
}

async fn carry_out(
    mut connection: aio::MultiplexedConnection,
    own: &NodeId,
    commands: &mut mpsc::Receiver<Command>,
    events: &mpsc::Sender<Event>,
) -> Result<(), RedisError> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut echo = time::interval(ECHO_INTERVAL);
    echo.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut pipeline = redis::pipe();
        tokio::select! {
            count = commands.recv_many(&mut batch, BATCH) => if count == 0 { return Ok(()) },
            _ = echo.tick() => {
                pipeline.cmd("PUBLISH").arg(channel_of(own)).arg("").ignore();
            }
        }
        for command in &batch {
            add(&mut pipeline, own, command);
        }
        let answers: Vec<Value> = pipeline.query_async(&mut connection).await?;
        let mut answers = answers.into_iter();
        for command in batch.drain(..) {
            if let Some(news) = news(command, &mut answers)? {
                tell(events, news).await;
            }
        }
    }
}

/// What is asked of Redis: one answer for each claim and renewed room, none for the rest.
fn add(pipeline: &mut Pipeline, own: &NodeId, command: &Command) {
    let claim = |pipeline: &mut Pipeline, room| {
        let lease = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
        pipeline.cmd("EVAL").arg(CLAIM).arg(1).arg(key_of(room)).arg(own.as_str()).arg(lease);
    };
    match command {
        Command::Claim { room, .. } => claim(pipeline, *room),
        Command::Renew { rooms, .. } => rooms.iter().for_each(|room| claim(pipeline, *room)),
        Command::Release { room } => {
            let key = key_of(*room);
            pipeline.cmd("EVAL").arg(RELEASE).arg(1).arg(key).arg(own.as_str()).ignore();
        }
        Command::Publish { to, envelope } => {
            let text = serde_json::to_vec(envelope).expect("our messages are JSON");
            pipeline.cmd("PUBLISH").arg(channel_of(to)).arg(text).ignore();
        }
    }
}

fn news(
    command: Command,
    answers: &mut impl Iterator<Item = Value>,
) -> Result<Option<News>, RedisError> {
    let mut owner = || -> Result<NodeId, RedisError> {
        let answer = answers.next().ok_or_else(silent)?;
        Ok(from_redis_value::<String>(answer)?.into())
    };
    Ok(match command {
        Command::Claim { room, asked } => Some(News::Claimed { room, owner: owner()?, asked }),
        Command::Renew { rooms, asked } => {
            let owners = rooms.into_iter().map(|room| Ok((room, owner()?)));
            let owners = owners.collect::<Result<Vec<_>, RedisError>>()?;
            debug!(rooms = owners.len(), "renewed");
            Some(News::Renewed { owners, asked })
        }
        Command::Release { .. } | Command::Publish { .. } => None,
    })
}

fn channel_of(node: &NodeId) -> String {
    format!("quartet:node:{node}")
}

fn key_of(room: quartet_proto::RoomId) -> String {
    format!("quartet:room:{}", String::from(room))
}

fn silent() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
