//! TURN over TCP and TLS, which the library does not speak.
//!
//! The library is told of such a server under an address that nobody has ([`stand_in`]), as of one
//! that speaks UDP. What it sends there from one of its sockets goes through a [`Tunnel`], a stream
//! to the real server, and what comes out of that is received from the same address. No socket of
//! the machine is involved, so nobody else can put anything in or learn of it; to the peer a
//! candidate looks like any other relayed one.
//!
//! Everything runs on the task of the connection, whenever it sends or waits for datagrams: a
//! tunnel ends with the socket that it belongs to. A stream that ends does not come back, for its
//! allocation is gone with it (RFC 8656 §3.2): the link looks for new paths when it notices, which
//! binds new sockets.

mod framing;
mod socket;
mod stream;

use std::{
    collections::VecDeque,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) use self::socket::TunnellingSocket;
use self::{
    framing::{Deframer, frame},
    stream::connect,
};

/// Bytes that wait for a slow stream: a quarter of a second of a good picture. When there are more,
/// the oldest datagrams go, for what is late is of no use; whoever needs an answer asks again.
const MAX_WAITING: usize = 64 * 1024;
/// Bytes that are handed to a stream at once.
const BATCH: usize = 16 * 1024;
/// Read from a stream at once, bytes.
const READ: usize = 16 * 1024;

/// A server that is reached by a stream.
#[derive(Clone)]
pub(super) struct TunnelServer {
    /// What the library calls it.
    pub(super) stand_in: SocketAddr,
    /// Where it is.
    pub(super) address: SocketAddr,
    /// With TLS: whose certificate it has to have.
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// How long it waits for what is better, a relay by UDP.
    pub(super) head_start: Duration,
}

impl fmt::Debug for TunnelServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelServer").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// The address under which the library knows the server of this number: in a block that is reserved
/// and never routed (RFC 1112 §4), or discarded by everybody (RFC 6666).
pub(super) fn stand_in(number: u8, of: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match of {
        SocketAddr::V4(_) => Ipv4Addr::new(240, 0, 0, number).into(),
        SocketAddr::V6(_) => Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, number.into()).into(),
    };
    // The library also tells servers apart by their ports.
    SocketAddr::new(ip, 3_000 + u16::from(number))
}

/// Whether an address can be a [`stand_in`]: a peer that claims to have it does not.
pub(crate) fn is_stand_in(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] >= 240,
        IpAddr::V6(ip) => ip.segments()[..4] == [0x100, 0, 0, 0],
    }
}

/// A stream to a server, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

enum State {
    Connecting(Connecting),
    Open(Box<dyn Stream>),
    Ended,
}

/// What one socket exchanges with one server.
struct Tunnel {
    state: State,
    /// Datagrams to the server.
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    /// Their next ones, as a stream.
    outgoing: BytesMut,
    unflushed: bool,
    incoming: Deframer,
}

impl Tunnel {
    fn new(local: IpAddr, server: &TunnelServer) -> Self {
        Self::through(Box::pin(connect(local, server.clone())))
    }

    fn through(connecting: Connecting) -> Self {
        Self {
            state: State::Connecting(connecting),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            outgoing: BytesMut::new(),
            unflushed: false,
            incoming: Deframer::default(),
        }
    }

    fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes a datagram, and sends what the stream takes at once.
    fn send(&mut self, cx: &mut Context<'_>, datagram: &[u8]) {
        if self.has_ended() {
            return;
        }
        // A question is asked again where datagrams get lost; here it still waits (RFC 8489
        // §6.2.2).
        if self.waiting.iter().any(|waiting| waiting == datagram) {
            return;
        }
        self.waiting_bytes += datagram.len();
        self.waiting.push_back(Bytes::copy_from_slice(datagram));
        while self.waiting_bytes > MAX_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.waiting_bytes -= oldest.len();
        }
        self.write_on(cx);
    }

    /// Goes on with whatever can go on; the next datagram from the server.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        if let State::Connecting(connecting) = &mut self.state {
            match ready!(connecting.as_mut().poll(cx)) {
                Ok(stream) => self.state = State::Open(stream),
                Err(error) => self.end("cannot be reached", &error),
            }
        }
        self.write_on(cx);
        loop {
            let State::Open(stream) = &mut self.state else { return Poll::Pending };
            match self.incoming.next() {
                Ok(Some(datagram)) => return Poll::Ready(datagram),
                Ok(None) => {}
                Err(error) => {
                    self.end("is none", &io::Error::other(error));
                    continue;
                }
            }
            let mut bytes = [0; READ];
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(stream).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => {
                    self.end("has gone", &io::ErrorKind::UnexpectedEof.into());
                }
                Ok(()) => self.incoming.push(buffer.filled()),
                Err(error) => self.end("has gone", &error),
            }
        }
    }

    /// Writes until the stream takes no more, or nothing is left.
    fn write_on(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            self.end("has gone", &error);
        }
    }

    /// Ready when nothing is left to be written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let State::Open(stream) = &mut self.state else { return Poll::Pending };
        loop {
            while self.outgoing.len() < BATCH
                && let Some(datagram) = self.waiting.pop_front()
            {
                self.waiting_bytes -= datagram.len();
                frame(&datagram, &mut self.outgoing);
            }
            if self.outgoing.is_empty() {
                break;
            }
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Something is left to be written, though the stream is there.
    fn is_behind(&self) -> bool {
        let left = !self.outgoing.is_empty() || !self.waiting.is_empty() || self.unflushed;
        left && matches!(self.state, State::Open(_))
    }

    fn end(&mut self, what: &'static str, error: &io::Error) {
        // Without the address; the kind says what to look for.
        tracing::warn!(kind = %error.kind(), "a TURN server {what}: its relay is not used");
        self.state = State::Ended;
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.outgoing.clear();
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Connecting(_) => "connecting",
            State::Open(_) => "open",
            State::Ended => "ended",
        };
        f.debug_tuple("Tunnel").field(&state).finish()
    }
}

#[cfg(test)]
mod tests;
