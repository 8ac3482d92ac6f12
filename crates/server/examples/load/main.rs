//! Loads a signalling server and says in one JSON line what that costs it: `cargo xtask bench
//! server` runs it against `quartet-server` and against the same relay made with socket.io.
//!
//! One thread. It opens sockets, seats four in each room, holds them, lets them send candidates to
//! each other at a steady rate, and at last as fast as they are passed on. What the server takes
//! for that is read from /proc: Linux only.

mod dialect;
mod measured;
mod participant;

use std::{net::SocketAddr, rc::Rc, time::Duration};

use clap::Parser;
use tokio::{
    sync::mpsc,
    task::LocalSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use self::{
    dialect::Dialect,
    measured::{Process, micros_each, percentile},
    participant::{Participant, Sending, Shared},
};

/// Sockets that are being opened at the same time: fewer than the server's queue of connections.
const OPENING: usize = 64;
/// The steady rate is given out in portions this far apart.
const PORTION: Duration = Duration::from_millis(1);
/// For the answers to what was sent last.
const REST: Duration = Duration::from_secs(1);
/// Candidates on their way at once when going as fast as it goes. Each goes round in its own room.
const ON_THE_WAY: usize = 1000;
/// More would neither fit into the ports of one loopback address nor prove more.
const MAX_SOCKETS: usize = 20_000;

#[derive(Debug, Parser)]
struct Args {
    /// What the server speaks.
    #[arg(long)]
    dialect: Dialect,
    /// Where it listens; loopback only.
    #[arg(long)]
    server: SocketAddr,
    /// Its process.
    #[arg(long)]
    pid: u32,
    #[arg(long, default_value_t = 10_000)]
    sockets: usize,
    /// Candidates a second in the steady part.
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    /// Length of each part.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    if !args.server.ip().is_loopback() || args.sockets > MAX_SOCKETS || args.sockets < 4 {
        return Err("loopback only, and 4 to 20,000 sockets".into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = LocalSet::new().block_on(&runtime, run(&args))?;
    println!("{result}");
    Ok(())
}

async fn run(args: &Args) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let server = Process::new(args.pid);
    let shared = Rc::new(Shared::new(args.dialect, args.server));
    let length = Duration::from_secs(args.seconds);

    // The first sockets also pay for what the server makes once.
    let mut people = join(&shared, 0..4).await?;
    sleep(REST).await;
    let (before, start) = (server.look()?, Instant::now());
    people.extend(join(&shared, 4..args.sockets).await?);
    let (joined, took) = (server.look()?, start.elapsed());
    let joins = args.sockets - 4;

    sleep(REST).await;
    let (before_rest, start) = (server.look()?, Instant::now());
    sleep(length).await;
    let (rested, idle_for) = (server.look()?, start.elapsed());
    let idle = rested.cpu.saturating_sub(before_rest.cpu).as_secs_f64() / idle_for.as_secs_f64();

    let (steady_start, start) = (server.look()?, Instant::now());
    let sent = steadily(&people, args.rate, length).await;
    sleep(REST).await;
    let (steady_end, steady_for) = (server.look()?, start.elapsed());
    let mut delays = shared.delays.take();
    delays.sort_unstable();

    for sender in people.iter().step_by(4).take(ON_THE_WAY) {
        sender.ask(Sending::Round);
    }
    sleep(REST).await;
    let (fast_start, start, round_before) = (server.look()?, Instant::now(), shared.rounds.get());
    sleep(length).await;
    let (fast_end, fast_for) = (server.look()?, start.elapsed());
    let rounds = shared.rounds.get() - round_before;
    let fast_cores =
        fast_end.cpu.saturating_sub(fast_start.cpu).as_secs_f64() / fast_for.as_secs_f64();

    Ok(serde_json::json!({
        "sockets": args.sockets,
        "lost": shared.lost.get(),
        "memory_per_socket": rested.memory.saturating_sub(before.memory) / joins as u64,
        "joins_per_second": joins as f64 / took.as_secs_f64(),
        "join_cpu_us": micros_each(joined.cpu.saturating_sub(before.cpu), joins),
        "idle_cores": idle,
        "sent": sent,
        "passed_on": delays.len(),
        "relay_cpu_us": micros_each(
            steady_end.cpu.saturating_sub(steady_start.cpu)
                .saturating_sub(steady_for.mul_f64(idle)),
            delays.len(),
        ),
        "p50_ms": percentile(&delays, 0.50),
        "p99_ms": percentile(&delays, 0.99),
        "most_per_second": rounds as f64 / fast_for.as_secs_f64(),
        "most_cores": fast_cores,
    }))
}

async fn join(
    shared: &Rc<Shared>,
    numbers: std::ops::Range<usize>,
) -> Result<Vec<Participant>, Box<dyn std::error::Error>> {
    let (ready, mut is_ready) = mpsc::channel(OPENING);
    let mut people = Vec::new();
    let mut waiting = 0;
    for number in numbers {
        if waiting == OPENING {
            is_ready.recv().await.ok_or("nobody joins")??;
            waiting -= 1;
        }
        people.push(Participant::start(number, Rc::clone(shared), ready.clone()));
        waiting += 1;
    }
    for _ in 0..waiting {
        is_ready.recv().await.ok_or("nobody joins")??;
    }
    Ok(people)
}

/// Lets people chosen at random send, so many a second together. Gives how many were asked to.
async fn steadily(people: &[Participant], rate: u32, length: Duration) -> u64 {
    let mut portions = interval(PORTION);
    portions.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < length {
        portions.tick().await;
        // What a late portion missed is made up for: the rate holds.
        let due = (start.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        for _ in sent..due {
            people[fastrand::usize(..people.len())].ask(Sending::Once);
        }
        sent = due;
    }
    sent
}
