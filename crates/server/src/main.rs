//! `quartet-server`: the signalling server on its own.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    process::ExitCode,
};

use clap::Parser;
use quartet_proto::IceServer;
use quartet_server::{Server, ServerConfig, StartError};
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
}

/// Why it ended with a failure.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Start(#[from] StartError),
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
    let server =
        Server::start(ServerConfig { listen: args.listen, ice_servers: args.ice_servers })?;
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
