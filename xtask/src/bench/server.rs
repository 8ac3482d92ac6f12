//! `cargo xtask bench server`: what a socket and a message cost `quartet-server`, beside the same
//! relay made with socket.io. One load generator for both (`crates/server/examples/load`), one
//! after the other, each server on a processor of its own.

use std::{net::SocketAddr, process::Command};

use anyhow::{Context as _, ensure};
use quartet_harness::SignallingServer;
use serde_json::Value;

use super::{IDLE, machine};
use crate::{
    setup,
    shell::{cargo, command, output, step, target},
};

const SOCKETS: u32 = 10_000;
/// Descriptors of a server or generator: one for each socket, and some.
const DESCRIPTORS: u32 = SOCKETS + 1000;
/// The aims, on one core.
const MOST_BYTES_PER_SOCKET: f64 = 8.0 * 1024.0;
const MOST_P99_MS: f64 = 20.0;
const LEAST_TIMES_SOCKET_IO: f64 = 5.0;

/// Builds, measures both and prints.
pub(crate) fn run() -> anyhow::Result<()> {
    ensure!(cfg!(target_os = "linux"), "what a process takes is read from /proc: Linux only");
    let tools = setup::to_build()?;
    let load_before = machine::load_average();
    step("Building the server with optimisation (minutes the first time)", || {
        let build = ["build", "--locked", "--release", "-p", "quartet-server"];
        crate::shell::run(cargo(&build).args(["--bin", "quartet-server", "--example", "load"]))
    })?;
    let busy = machine::busy_now()?;

    let ours = step("Measuring quartet-server", || {
        let program = target().join("release/quartet-server").display().to_string();
        let most = SOCKETS.to_string();
        let mut server = alone(&program, SERVER_PROCESSOR);
        server
            .args(["--listen", "127.0.0.1:0", "--max-connections", &most])
            .env("RUST_LOG", "warn");
        measure(server, "quartet")
    })?;
    let theirs = step("Measuring socket.io", || {
        let (node, modules) = tools.socket_io()?;
        let mut server = alone(&node, SERVER_PROCESSOR);
        server.arg(RELAY).env("NODE_PATH", modules).env("NODE_ENV", "production");
        measure(server, "socket-io")
    })?;

    println!("\n{}", machine::description(load_before, busy));
    if busy.is_none_or(|busy| busy.cores > IDLE) {
        println!("\n**Not an idle machine, or none that tells: take delays as too high.**");
    }
    print(&ours, &theirs);
    Ok(())
}

/// Relative to the project's folder, where every command runs.
const RELAY: &str = "xtask/src/bench/socket_io_relay.cjs";
/// The servers' processor, and the generator's.
const SERVER_PROCESSOR: &str = "0";
const GENERATOR_PROCESSOR: &str = "1";

/// A program with a processor of its own and enough descriptors.
fn alone(program: &str, processor: &str) -> Command {
    let limit = format!(r#"ulimit -n {DESCRIPTORS} && exec taskset -c {processor} "$0" "$@""#);
    let mut shell = command("sh", &["-c", &limit]);
    shell.arg(program);
    shell
}

fn measure(mut server: Command, dialect: &str) -> anyhow::Result<Value> {
    let mut server = SignallingServer::from_command(&mut server)?;
    let address = server.url().strip_prefix("http://").context("the server's url")?;
    let address: SocketAddr = address.parse()?;
    let load = target().join("release/examples/load").display().to_string();
    let mut load = alone(&load, GENERATOR_PROCESSOR);
    load.args(["--dialect", dialect, "--server", &address.to_string()]);
    load.args(["--sockets", &SOCKETS.to_string(), "--pid", &server.child().id().to_string()]);
    let text = output(&mut load).context("the load generator failed")?;
    Ok(serde_json::from_str(&text)?)
}

fn print(ours: &Value, theirs: &Value) {
    let of = |figures: &Value, name: &str| figures[name].as_f64().unwrap_or(f64::NAN);
    println!("\n{SOCKETS} sockets, four in each room; each server on one core:");
    println!("\n| | quartet-server | socket.io {} | |", setup::SOCKET_IO_VERSION);
    println!("|---|---|---|---|");
    let row = |what: &str, name: &str, digits: usize, more_is_better: bool| {
        let (our, their) = (of(ours, name), of(theirs, name));
        let times = if more_is_better { our / their } else { their / our };
        println!("| {what} | {our:.digits$} | {their:.digits$} | {times:.1} × |");
    };
    println!(
        "| sockets held | {} | {} | |",
        of(ours, "sockets") - of(ours, "lost"),
        of(theirs, "sockets") - of(theirs, "lost")
    );
    row("memory of a socket in a room (bytes)", "memory_per_socket", 0, false);
    row("joins a second", "joins_per_second", 0, true);
    row("CPU of a join (µs)", "join_cpu_us", 0, false);
    row("CPU of holding all sockets (cores)", "idle_cores", 3, false);
    row("CPU of a message, at 5,000 a second (µs)", "relay_cpu_us", 1, false);
    row("its delay, median (ms)", "p50_ms", 2, false);
    row("its delay, 99 % (ms)", "p99_ms", 2, false);
    let per_core = |figures| 1e6 / of(figures, "relay_cpu_us");
    let times = per_core(ours) / per_core(theirs);
    println!(
        "| messages a second for a core, by that CPU | {:.0} | {:.0} | {times:.1} × |",
        per_core(ours),
        per_core(theirs)
    );
    println!(
        "| messages a second as fast as the generator takes them (cores) | {:.0} ({:.2}) | \
        {:.0} ({:.2}) | |",
        of(ours, "most_per_second"),
        of(ours, "most_cores"),
        of(theirs, "most_per_second"),
        of(theirs, "most_cores")
    );

    let judged = |met: bool| if met { "met" } else { "MISSED" };
    println!(
        "\nAims: {MOST_BYTES_PER_SOCKET:.0} bytes a socket {}, p99 under {MOST_P99_MS} ms {}, \
         {LEAST_TIMES_SOCKET_IO} × socket.io for each core {}.",
        judged(of(ours, "memory_per_socket") <= MOST_BYTES_PER_SOCKET),
        judged(of(ours, "p99_ms") < MOST_P99_MS),
        judged(times >= LEAST_TIMES_SOCKET_IO),
    );
}
