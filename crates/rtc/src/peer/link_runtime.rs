//! The runtime of a connection: tokio's, but for three things.
//!
//! Its sockets repeat what a DTLS handshake sends ([`super::handshake`]), and reach TURN servers by
//! TCP and TLS ([`super::tunnel`]).
//!
//! And it keeps what passes a relay from waiting in the library. The task that drives a connection makes one round for each event: it writes, first for the TURN
//! client and then for the connection, and then reads. What the connection writes to a relay, and
//! what it answers to something read from one, is left for the next round, whenever that comes: at
//! the next event, or the next timer a second later. Measured: 2 s to connect through a relay on
//! one machine, nearly all of it in waiting.
//!
//! So, with a relay, this runtime ends each wait of that task by two more rounds.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::task;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
    TokioRuntime,
};

use super::{
    handshake::RepeatingSocket,
    tunnel::{TunnelServer, TunnellingSocket},
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// From a datagram to the connection's answer, and from that to the relay's socket.
const MORE_ROUNDS: u8 = 2;

/// What is known of the relays of a connection, also while it is there.
#[derive(Debug, Default)]
pub(super) struct Relays {
    /// Something may pass one.
    any: AtomicBool,
    /// Those that are not reached by UDP, for sockets that are bound from now on: an older one goes
    /// on with those that it was bound with, whose stand-ins may be other servers' by now.
    tunnels: Mutex<Arc<[TunnelServer]>>,
}

impl Relays {
    /// From now on these. One that was known once may still be in use.
    pub(super) fn set(&self, any: bool, tunnels: Vec<TunnelServer>) {
        self.any.fetch_or(any, Relaxed);
        *self.tunnels.lock() = tunnels.into();
    }

    fn tunnels(&self) -> Arc<[TunnelServer]> {
        Arc::clone(&self.tunnels.lock())
    }
}

/// One for each connection.
#[derive(Debug)]
pub(super) struct LinkRuntime {
    tokio: TokioRuntime,
    relays: Arc<Relays>,
    /// The task that drives the connection: the one that binds its sockets.
    driver: OnceLock<task::Id>,
    rounds: Arc<AtomicU8>,
}

impl LinkRuntime {
    pub(super) fn new(relays: Arc<Relays>) -> Self {
        Self { tokio: TokioRuntime, relays, driver: OnceLock::new(), rounds: Arc::default() }
    }
}

impl Runtime for LinkRuntime {
    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        let sleep = self.tokio.sleep(duration);
        // Others wait too: closing does, for this very task.
        if !self.relays.any.load(Relaxed)
            || self.driver.get().is_none()
            || self.driver.get() != task::try_id().as_ref()
        {
            return sleep;
        }
        Box::pin(Wait {
            sleep: (self.rounds.load(Relaxed) == 0).then_some(sleep),
            rounds: Arc::clone(&self.rounds),
            short: false,
        })
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        if let Some(id) = task::try_id() {
            self.driver.get_or_init(|| id);
        }
        let mut socket = self.tokio.wrap_udp_socket(socket)?;
        let tunnels = self.relays.tunnels();
        if !tunnels.is_empty() {
            socket = Arc::new(TunnellingSocket::new(socket, tunnels));
        }
        Ok(Arc::new(RepeatingSocket::new(socket)))
    }

    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        self.tokio.spawn(future)
    }

    fn wrap_tcp_listener(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.tokio.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote_addr: SocketAddr,
    ) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        self.tokio.connect_tcp(remote_addr)
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        self.tokio.resolve_host(host)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.tokio.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.tokio.block_on(future);
    }

    fn yield_now(&self) -> Boxed<'static, ()> {
        self.tokio.yield_now()
    }
}

/// One wait of the driving task: a real one, or none for a further round.
struct Wait {
    sleep: Option<Boxed<'static, ()>>,
    rounds: Arc<AtomicU8>,
    /// It was one of the further rounds, and came to pass.
    short: bool,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => {
                self.short = true;
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // After a time or an event, of which the latter may come in the place of a further round.
        let left = self.rounds.load(Relaxed).saturating_sub(1);
        let rounds = if self.short { left } else { MORE_ROUNDS };
        self.rounds.store(rounds, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_wait_of_the_driver_is_followed_by_two_rounds() {
        let relays = Arc::<Relays>::default();
        relays.set(true, Vec::new());
        let runtime = Arc::new(LinkRuntime::new(relays));
        let in_task = Arc::clone(&runtime);
        let driver = tokio::spawn(async move {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            in_task.wrap_udp_socket(socket).unwrap();
            let mut waits = Vec::new();
            for _ in 0..6 {
                let start = tokio::time::Instant::now();
                in_task.sleep(Duration::from_secs(1)).await;
                waits.push(start.elapsed().as_secs());
            }
            // An event ends a wait, and a further round.
            drop(in_task.sleep(Duration::from_secs(1)));
            in_task.sleep(Duration::from_secs(1)).await;
            drop(in_task.sleep(Duration::from_secs(1)));
            for _ in 0..3 {
                let start = tokio::time::Instant::now();
                in_task.sleep(Duration::from_secs(1)).await;
                waits.push(start.elapsed().as_secs());
            }
            waits
        });
        assert_eq!(driver.await.unwrap(), [1, 0, 0, 1, 0, 0, 0, 0, 1]);
        // Nobody else is hurried.
        let start = tokio::time::Instant::now();
        runtime.sleep(Duration::from_secs(1)).await;
        assert_eq!(start.elapsed().as_secs(), 1);
    }
}
