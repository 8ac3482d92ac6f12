//! `quartet-server`: the signalling server on its own.

mod relay_args;

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use clap::Parser;
use ipnet::IpNet;
use quartet_proto::IceServer;
#[cfg(feature = "redis")]
use quartet_server::{ClusterConfig, InvalidRedisUrl, RedisUrl};
use quartet_server::{
    Limits, ROOM_LIFE, Server, ServerConfig, StartError, TURN_TTL, TlsFiles, TurnCredentials,
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

    #[command(flatten)]
    relay: relay_args::RelayArgs,

    /// The certificate in PEM, with those up to its authority; read again when it changes, and at
    /// SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Its private key in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// A proxy, or a network of them, whose X-Forwarded-For says where clients are; may be given
    /// several times.
    #[arg(long = "trusted-proxy", value_name = "ADDRESS[/BITS]", value_parser = network)]
    trusted_proxies: Vec<IpNet>,

    /// Where to answer `GET /metrics` for whoever asks; at --listen, only this machine is answered.
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,

    /// Seconds between SIGTERM and the goodbye: `/readyz` says no, calls go on, no new ones begin. A
    /// second signal ends them.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    drain: u64,

    /// How the log is written, on standard error; `json` is an object a line.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    log_format: LogFormat,

    #[command(flatten)]
    limits: LimitArgs,

    #[cfg(feature = "redis")]
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Several servers that share their rooms: any of them serves everybody.
#[cfg(feature = "redis")]
#[derive(Debug, clap::Args)]
struct ClusterArgs {
    /// The Redis that they have in common. One with a password goes into QUARTET_REDIS in the
    /// environment, for arguments can be read by everybody on this machine.
    #[arg(long, value_name = "redis[s]://[USER@]HOST[:PORT][/DB]")]
    redis: Option<String>,

    /// A file with its password.
    #[arg(long, value_name = "FILE")]
    redis_password_file: Option<PathBuf>,

    /// The certificate, in PEM, of whoever vouches for Redis'; those that the system trusts if not
    /// given.
    #[arg(long, value_name = "FILE")]
    redis_ca: Option<PathBuf>,

    /// This server's name among them, for logs.
    #[arg(long, value_name = "NAME", default_value = "quartet")]
    node: String,
}

#[cfg(feature = "redis")]
impl ClusterArgs {
    fn read(self) -> Result<Option<ClusterConfig>, Failure> {
        let from_environment = || std::env::var("QUARTET_REDIS").ok();
        let shown = self.redis.is_some();
        let Some(url) = self.redis.or_else(from_environment) else { return Ok(None) };
        let mut redis: RedisUrl = url.parse()?;
        if shown && redis.has_password() {
            return Err(Failure::ShownPassword);
        }
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| Failure::RedisFile { path, source }
        };
        if let Some(path) = self.redis_password_file {
            let password = fs::read_to_string(&path).map_err(unreadable(&path))?;
            redis = redis.with_password(password.trim())?;
        }
        if let Some(path) = self.redis_ca {
            let certificate = fs::read(&path).map_err(unreadable(&path))?;
            redis = redis.with_ca(certificate)?;
        }
        Ok(Some(ClusterConfig { redis, node: self.node }))
    }
}

/// How much it takes; see docs/server.md.
#[derive(Debug, clap::Args)]
struct LimitArgs {
    /// WebSockets at once; each takes a file descriptor.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_connections: usize,

    /// Rooms at once; half as many as WebSockets if not given.
    #[arg(long, value_name = "N")]
    max_rooms: Option<usize>,

    /// Hours after which the people in a room make it anew, which they do by themselves.
    #[arg(long, value_name = "HOURS", default_value_t = ROOM_LIFE.as_secs() / 3600,
        value_parser = clap::value_parser!(u64).range(1..=MAX_ROOM_HOURS))]
    max_room_hours: u64,

    /// WebSockets at once from one address (IPv6: one network of 64 bits).
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections_per_address)]
    max_connections_per_address: u32,

    /// Joins a minute from one address.
    #[arg(long, value_name = "N", default_value_t = Limits::default().joins_per_minute)]
    max_joins_per_minute: u32,
}

/// A month: longer is no limit any more.
const MAX_ROOM_HOURS: u64 = 31 * 24;
/// HTTP connections at once, of a server that has a machine for itself.
const HTTP_CONNECTIONS: usize = 500;
/// Descriptors beside those of connections: standard streams, listeners, the runtime, Redis, and
/// WebSockets that are being refused (64 at once).
const OTHER_FILES: u64 = 128;

impl LimitArgs {
    /// As many connections as asked for, or as there may be open files.
    fn limits(&self, more_files: u64) -> Limits {
        let wanted = (self.max_connections + HTTP_CONNECTIONS) as u64 + OTHER_FILES + more_files;
        let files = allow_files(wanted);
        let mut limits = Limits {
            connections: self.max_connections,
            rooms: self.max_rooms.unwrap_or(self.max_connections.div_ceil(2)),
            room_life: Duration::from_hours(self.max_room_hours),
            http_connections: HTTP_CONNECTIONS,
            connections_per_address: self.max_connections_per_address,
            joins_per_minute: self.max_joins_per_minute,
            ..Limits::default()
        };
        if files < wanted {
            let rest = usize::try_from(files.saturating_sub(OTHER_FILES + more_files))
                .unwrap_or(usize::MAX);
            // One in eight for HTTP, as in the usual limits.
            limits.http_connections = (rest / 8).clamp(1, HTTP_CONNECTIONS);
            limits.connections = rest.saturating_sub(limits.http_connections);
            let connections = limits.connections;
            tracing::warn!(
                files,
                connections,
                "the limit of open files allows no more connections"
            );
        }
        limits
    }
}

/// Raises the limit of open files, if it has to be and can be; gives back what it is then.
#[cfg(unix)]
fn allow_files(wanted: u64) -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    if soft >= wanted {
        return soft;
    }
    let raised = wanted.min(hard);
    if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft }
}

/// There is no such limit.
#[cfg(not(unix))]
fn allow_files(wanted: u64) -> u64 {
    wanted
}

/// A network, or an address as one of its own.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "write an address, or ADDRESS/BITS".to_owned())
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
        let text = fs::read_to_string(&path).map_err(unreadable)?;
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
    #[error("{0}")]
    Relay(&'static str),
    #[error("cannot read the TURN secret in {path}: {source}")]
    TurnSecret { path: PathBuf, source: io::Error },
    #[cfg(feature = "redis")]
    #[error("the Redis cannot be used: {0}")]
    Redis(#[from] InvalidRedisUrl),
    #[cfg(feature = "redis")]
    #[error(
        "everybody on this machine can read the arguments: give the password in QUARTET_REDIS or \
         --redis-password-file"
    )]
    ShownPassword,
    #[cfg(feature = "redis")]
    #[error("cannot read {path}: {source}")]
    RedisFile { path: PathBuf, source: io::Error },
    #[error("cannot listen to signals, or write: {0}")]
    System(#[from] io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,quartet_server=info,stun_types=off"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match args.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quartet-server: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    // Before the first word: whoever reads it may send a signal at once.
    let mut signals = EndSignals::new()?;
    let ttl = Duration::from_secs(args.turn.turn_ttl);
    let relay_files = args.relay.files();
    let relay = args.relay.read(ttl).map_err(Failure::Relay)?;
    let server = Server::start(ServerConfig {
        ice_servers: args.ice_servers,
        turn: args.turn.read()?,
        #[cfg(feature = "redis")]
        cluster: args.cluster.read()?,
        limits: args.limits.limits(relay_files),
        relay,
        trusted_proxies: args.trusted_proxies,
        tls: args
            .tls_cert
            .zip(args.tls_key)
            .map(|(certificate, key)| TlsFiles { certificate, key }),
        metrics_listen: args.metrics_listen,
        ..ServerConfig::at(args.listen)
    })?;
    let listening = serde_json::json!({ "event": "listening", "url": server.url() });
    writeln!(io::stdout(), "{listening}")?;
    let reloading = reload_at_signal(&server)?;
    let serving = async {
        signals.recv().await;
        server.drain();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(args.drain)) => {}
            () = signals.recv() => {}
        }
    };
    tokio::select! {
        () = serving => {}
        () = reloading => {}
    }
    server.stop().await;
    Ok(())
}

/// Has the certificate read again at each SIGHUP, for ever.
#[cfg(unix)]
fn reload_at_signal(server: &Server) -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            server.reload_certificate();
        }
        std::future::pending().await
    })
}

/// There is no such signal.
#[cfg(not(unix))]
fn reload_at_signal(_: &Server) -> io::Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}

/// Ctrl-C, and where there is one SIGTERM.
#[cfg(unix)]
struct EndSignals(tokio::signal::unix::Signal, tokio::signal::unix::Signal);

#[cfg(unix)]
impl EndSignals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

/// Ctrl-C, and the ways in which Windows ends a program.
#[cfg(windows)]
struct EndSignals(
    tokio::signal::windows::CtrlC,
    tokio::signal::windows::CtrlClose,
    tokio::signal::windows::CtrlShutdown,
);

#[cfg(windows)]
impl EndSignals {
    fn new() -> io::Result<Self> {
        use tokio::signal::windows;
        Ok(Self(windows::ctrl_c()?, windows::ctrl_close()?, windows::ctrl_shutdown()?))
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
            _ = self.2.recv() => {}
        }
    }
}
