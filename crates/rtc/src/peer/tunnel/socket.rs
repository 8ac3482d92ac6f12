//! A socket of the library's, some of whose datagrams go through tunnels.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::{Tunnel, TunnelServer};

/// A socket with a tunnel to each server that is reached by a stream, as soon as something is sent
/// there.
#[derive(Debug)]
pub(in crate::peer) struct TunnellingSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    servers: Arc<[TunnelServer]>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tunnels: Vec<(SocketAddr, Tunnel)>,
    /// The tunnels were looked at last: the socket's turn comes first.
    tunnels_last: bool,
    /// Whoever waits for datagrams keeps the tunnels going.
    receiver: Option<Waker>,
}

impl TunnellingSocket {
    pub(in crate::peer) fn new(
        inner: Arc<dyn AsyncUdpSocket>,
        servers: Arc<[TunnelServer]>,
    ) -> Self {
        Self { inner, servers, state: Mutex::default() }
    }

    fn send(&self, cx: &mut Context<'_>, server: &TunnelServer, bytes: &[u8]) -> io::Result<usize> {
        let local = self.inner.local_addr()?.ip();
        let State { tunnels, receiver, .. } = &mut *self.state.lock();
        let known = tunnels.iter().position(|(stand_in, _)| *stand_in == server.stand_in);
        let place = known.unwrap_or_else(|| {
            tunnels.push((server.stand_in, Tunnel::new(local, server)));
            tunnels.len() - 1
        });
        let (_, tunnel) = &mut tunnels[place];
        tunnel.send(cx, bytes);
        // One that has just been made has to be looked at, and so has one that is behind: the task
        // that sends does not wait for it.
        if (known.is_none() || tunnel.is_behind())
            && let Some(receiver) = receiver.take()
        {
            receiver.wake();
        }
        // The library gives the relay up when it cannot send to its server.
        if tunnel.has_ended() { Err(io::ErrorKind::NotConnected.into()) } else { Ok(bytes.len()) }
    }

    fn receive(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Pending;
        };
        let mut state = self.state.lock();
        if !state.receiver.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            state.receiver = Some(cx.waker().clone());
        }
        for (stand_in, tunnel) in &mut state.tunnels {
            while let Poll::Ready(datagram) = tunnel.poll_receive(cx) {
                // A longer one would not have fitted in if it had come by UDP.
                let Some(place) = buf.get_mut(..datagram.len()) else { continue };
                place.copy_from_slice(&datagram);
                *meta = RecvMeta::default();
                meta.addr = *stand_in;
                meta.len = datagram.len();
                meta.stride = datagram.len().max(1);
                return Poll::Ready(Ok(1));
            }
        }
        Poll::Pending
    }
}

impl AsyncUdpSocket for TunnellingSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let server = self.servers.iter().find(|it| it.stand_in == transmit.destination);
        let Some(server) = server else { return self.inner.poll_send(cx, transmit) };
        let len = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        let mut datagrams = transmit.contents.chunks(len);
        let sent = datagrams.try_for_each(|datagram| self.send(cx, server, datagram).map(drop));
        Poll::Ready(sent.map(|()| transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // In turns, so that neither keeps the other from being heard.
        let tunnels_last = {
            let mut state = self.state.lock();
            state.tunnels_last = !state.tunnels_last;
            state.tunnels_last
        };
        if tunnels_last {
            let received = self.inner.poll_recv(cx, bufs, meta);
            if received.is_pending() { self.receive(cx, bufs, meta) } else { received }
        } else {
            let received = self.receive(cx, bufs, meta);
            if received.is_pending() { self.inner.poll_recv(cx, bufs, meta) } else { received }
        }
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}
