//! `quartet-cli`: makes join links, and takes part in a call without a window.

mod args;
mod files;
mod join;
mod recorder;
mod report;
mod usage;
mod viewer;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use quartet_proto::{JoinLink, LinkSecret};
use tracing_subscriber::EnvFilter;

use args::{Cli, Command};

/// Without `RUST_LOG`: warnings, on stderr. Those of the WebRTC library may hold addresses.
const LOGGED: &str = "warn,webrtc=off,rtc=off";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    match cli.command {
        Command::New { server } => {
            // From the thread's ChaCha generator, which the system seeds.
            let secret = LinkSecret::from_bytes(rand::random());
            let link = JoinLink { server, secret }.to_web_url();
            match writeln!(io::stdout(), "{link}") {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Command::Join(join) => join::run(*join),
    }
}
