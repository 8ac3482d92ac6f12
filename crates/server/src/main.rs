//! `quartet-server`: the signalling server on its own.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use clap::Parser;
use quartet_proto::IceServer;
#[cfg(feature = "redis")]
use quartet_server::{ClusterConfig, InvalidRedisUrl, RedisUrl};
use quartet_server::{
    MAX_CONNECTIONS, Server, ServerConfig, StartError, TURN_TTL, TurnCredentials,
};
use tracing_subscriber::EnvFilter;

/// Introduces the people of Quartet calls to each other. Picture and sound do not pass through it.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Address and port to listen on; port 0 takes any free one. For more than this machine, put a
    /// proxy with TLS in front of it.
    #[arg(long, default_value = "127.0.0.1:8460")]
    listen: SocketAddr,

    /// A STUN or TURN server for everybody who joins; may be given several times. In USER and
    /// CREDENTIAL, %XX stands for the byte XX.
    #[arg(
        long = "ice-server",
        value_name = "stun:HOST[:PORT] | turn:USER:CREDENTIAL@HOST[:PORT][?transport=udp|tcp]"
    )]
    ice_servers: Vec<IceServer>,

    #[command(flatten)]
    turn: TurnArgs,

    /// Connections at once; there may be half as many rooms. Each needs a file descriptor: allow
    /// the process 200 more than this (`ulimit -n`).
    #[arg(long, value_name = "N", default_value_t = MAX_CONNECTIONS)]
    max_connections: usize,

    #[cfg(feature = "redis")]
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Several servers that share their rooms: any of them serves everybody.
#[cfg(feature = "redis")]
#[derive(Debug, clap::Args)]
struct ClusterArgs {
    /// The Redis that they have in common. With a password in it, better given as QUARTET_REDIS in
    /// the environment.
    #[arg(long, value_name = "redis[s]://[USER:PASSWORD@]HOST[:PORT][/DB]")]
    redis: Option<RedisUrl>,

    /// This server's name among them, for logs.
    #[arg(long, value_name = "NAME", default_value = "quartet")]
    node: String,
}

#[cfg(feature = "redis")]
impl ClusterArgs {
    fn read(self) -> Result<Option<ClusterConfig>, Failure> {
        let from_environment = || std::env::var("QUARTET_REDIS").ok().map(|url| url.parse());
        let redis = self.redis.map(Ok).or_else(from_environment).transpose()?;
        Ok(redis.map(|redis| ClusterConfig { redis, node: self.node }))
    }
}

/// A TURN server with which a secret is shared: everybody who joins gets credentials of their own,
/// which end, and new ones in good time.
#[derive(Debug, clap::Args)]
struct TurnArgs {
    /// A way to reach the TURN server; may be given several times.
    #[arg(
        long = "turn-url",
        value_name = "turn[s]:HOST[:PORT][?transport=udp|tcp]",
        requires = "turn_secret_file"
    )]
    turn_urls: Vec<TurnUrl>,

    /// The file with the secret, coturn's `static-auth-secret`.
    #[arg(long, value_name = "FILE", requires = "turn_urls")]
    turn_secret_file: Option<PathBuf>,

    /// Seconds until credentials end; half of it before, they are replaced.
    #[arg(long, value_name = "SECONDS", default_value_t = TURN_TTL.as_secs(),
        value_parser = clap::value_parser!(u64).range(MIN_TURN_TTL..=MAX_TURN_TTL))]
    turn_ttl: u64,
}

/// Clocks of two machines may differ by some seconds, and a call begins within some more.
const MIN_TURN_TTL: u64 = 60;
/// A week: longer is no limit any more.
const MAX_TURN_TTL: u64 = 7 * 24 * 60 * 60;

impl TurnArgs {
    fn read(self) -> Result<Option<TurnCredentials>, Failure> {
        let Some(path) = self.turn_secret_file else { return Ok(None) };
        let unreadable = |source| Failure::TurnSecret { path: path.clone(), source };
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let secret = text.trim();
        if secret.is_empty() {
            return Err(unreadable(io::ErrorKind::UnexpectedEof.into()));
        }
        let urls = self.turn_urls.into_iter().map(|url| url.0).collect();
        Ok(Some(TurnCredentials::new(secret, urls, Duration::from_secs(self.turn_ttl))))
    }
}

/// `turn:` or `turns:` without a login.
#[derive(Debug, Clone)]
struct TurnUrl(String);

impl FromStr for TurnUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The form with a login knows what a host and a transport are; this one lends it one.
        let form = "write turn:HOST[:PORT][?transport=udp|tcp], or turns: for TLS";
        let (scheme, place) = text.split_once(':').ok_or(form)?;
        if !matches!(scheme, "turn" | "turns") || place.contains('@') {
            return Err(form);
        }
        format!("{scheme}:user:credential@{place}").parse::<IceServer>().map_err(|_| form)?;
        Ok(Self(text.to_owned()))
    }
}

/// Why it ended with a failure.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot read the TURN secret in {path}: {source}")]
    TurnSecret { path: PathBuf, source: io::Error },
    #[cfg(feature = "redis")]
    #[error("QUARTET_REDIS: {0}")]
    Redis(#[from] InvalidRedisUrl),
    #[error("cannot listen to signals, or write: {0}")]
    System(#[from] io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,quartet_server=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quartet-server: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    // Before the first word: whoever reads it may send a signal at once.
    let end = end_signal()?;
    let server = Server::start(ServerConfig {
        ice_servers: args.ice_servers,
        turn: args.turn.read()?,
        max_connections: args.max_connections,
        #[cfg(feature = "redis")]
        cluster: args.cluster.read()?,
        ..ServerConfig::at(args.listen)
    })?;
    let listening = serde_json::json!({ "event": "listening", "url": server.url() });
    writeln!(io::stdout(), "{listening}")?;
    end.await;
    server.stop().await;
    Ok(())
}

/// Resolves at Ctrl-C, and where there is one at SIGTERM.
#[cfg(unix)]
fn end_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves at Ctrl-C, and at the ways in which Windows ends a program.
#[cfg(windows)]
fn end_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows;
    let mut interrupt = windows::ctrl_c()?;
    let mut close = windows::ctrl_close()?;
    let mut shutdown = windows::ctrl_shutdown()?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    })
}
