//! What the tests run on: three servers with one Redis.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use quartet_proto::{ClientMessage, ErrorCode, ServerMessage};
use quartet_server::{ClusterConfig, Server, ServerConfig};
use tokio::runtime::Runtime;

use crate::{
    client::{Client, PATIENCE, room},
    program::Program,
    redis::Redis,
};

const NODES: usize = 3;
/// Nobody is in it.
const EMPTY: u8 = 255;

pub(crate) struct Site {
    nodes: Vec<Server>,
    next: AtomicUsize,
    pub(crate) redis: Redis,
    /// Theirs: the tests' own stands still while they wait for the nodes.
    runtime: Option<Runtime>,
}

pub(crate) fn start() -> Site {
    let redis = Redis::start();
    let url = redis.url();
    let (nodes, runtime) = thread::spawn(move || {
        let runtime = Runtime::new().unwrap();
        let nodes = runtime.block_on(async {
            let nodes: Vec<Server> = (0..NODES).map(|n| node(&url, n)).collect();
            for node in &nodes {
                joins_work(node.local_addr()).await;
            }
            nodes
        });
        (nodes, runtime)
    })
    .join()
    .unwrap();
    Site { nodes, next: AtomicUsize::new(0), redis, runtime: Some(runtime) }
}

fn node(redis: &str, number: usize) -> Server {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let cluster = ClusterConfig { redis: redis.parse().unwrap(), node: format!("n{number}") };
    Server::start(ServerConfig { cluster: Some(cluster), ..ServerConfig::at(listen) }).unwrap()
}

/// Waits until a node lets people into rooms.
pub(crate) async fn joins_work(address: SocketAddr) {
    let start = std::time::Instant::now();
    let mut client = Client::greeted(address).await;
    loop {
        client.send(ClientMessage::Watch { room: room(EMPTY) }).await;
        match client.next().await {
            ServerMessage::Roster { .. } => return,
            ServerMessage::Error { code: ErrorCode::Unavailable, .. } => {
                assert!(start.elapsed() < PATIENCE, "nobody gets in");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Site {
    /// Of one node after the other.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.node(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Of a certain one.
    pub(crate) fn node(&self, number: usize) -> SocketAddr {
        self.nodes[number % self.nodes.len()].local_addr()
    }

    pub(crate) async fn stop(mut self) {
        for node in std::mem::take(&mut self.nodes) {
            node.stop().await;
        }
    }
}

/// Programs of their own, for what should not share memory with the test.
pub(crate) struct Programs {
    nodes: Vec<Program>,
    // After the nodes.
    _redis: Redis,
}

pub(crate) fn start_programs(arguments: &[&str]) -> Programs {
    let redis = Redis::start();
    let start = |_| Program::run(Program::command(arguments).env("QUARTET_REDIS", redis.url()));
    let nodes: Vec<Program> = (0..NODES).map(start).collect();
    let addresses: Vec<_> = nodes.iter().map(Program::address).collect();
    // Not on the test's own runtime, which is inside of this.
    let ready = thread::spawn(move || {
        let runtime = Runtime::new().unwrap();
        addresses.into_iter().for_each(|address| runtime.block_on(joins_work(address)));
    });
    ready.join().unwrap();
    Programs { nodes, _redis: redis }
}

impl Programs {
    pub(crate) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Of a certain one.
    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        self.nodes[number % self.nodes.len()].address()
    }

    /// Bytes that all of them have.
    pub(crate) fn memory(&self) -> u64 {
        self.nodes.iter().map(Program::memory).sum()
    }

    /// Ends them in an orderly way; gives what they have logged.
    pub(crate) fn end(self) -> Vec<String> {
        self.nodes.iter().for_each(|node| node.signal("TERM"));
        let ended = self.nodes.into_iter().map(|node| {
            let (status, log) = node.ended();
            assert!(status.success());
            log
        });
        ended.collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.nodes.clear();
        // Not waited for: that is not allowed inside the test's own.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
