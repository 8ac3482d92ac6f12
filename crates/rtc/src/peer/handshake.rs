//! Repeats what a DTLS handshake sends until it is answered.
//!
//! The library waits a whole second before it sends a lost flight again (RFC 6347 §4.2.4.1 allows
//! less), and doubles that: on a line that loses a tenth, every other call takes more than a second
//! to connect. Records carry numbers, so whoever gets one twice drops the second.
//!
//! [`Flights`] is pure; [`RepeatingSocket`] asks it about each datagram, on the task of the
//! connection.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Sleep, sleep_until};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// When a datagram is sent again, after the first time, unless it has been answered. The first is
/// longer than most round trips, so that on a good line nothing is sent twice.
const REPEATS: [Duration; 4] = [
    Duration::from_millis(60),
    Duration::from_millis(150),
    Duration::from_millis(300),
    Duration::from_millis(550),
];
/// Datagrams that wait for an answer: the longest flight has about five.
const MAX_WAITING: usize = 16;
/// Addresses that a handshake is tried with at a time.
const MAX_PEERS: usize = 8;
/// Content types of DTLS (RFC 5246 §6.2.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// The header of a record, bytes (RFC 6347 §4.1).
const RECORD_HEADER: usize = 13;
/// What begins with one of these passes a TURN relay on a channel, behind 4 bytes
/// (RFC 8656 §12.4).
const CHANNEL_DATA: std::ops::RangeInclusive<u8> = 0x40..=0x4f;
const CHANNEL_HEADER: usize = 4;

/// What has been sent of handshakes and waits for an answer.
#[derive(Debug, Default)]
struct Flights {
    peers: Vec<Peer>,
}

#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    /// The highest record number that came from there.
    heard: Option<u64>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    datagram: Bytes,
    sent: Instant,
    repeats: usize,
}

impl Flights {
    /// A datagram is sent; true when it waits for an answer.
    fn sent(&mut self, now: Instant, to: SocketAddr, datagram: &[u8]) -> bool {
        match Record::read(datagram) {
            Some(record) if record.content == HANDSHAKE || record.content == CHANGE_CIPHER_SPEC => {
            }
            _ => return false,
        }
        let known = self.peers.iter().position(|peer| peer.address == to);
        let place = known.unwrap_or_else(|| {
            if self.peers.len() == MAX_PEERS {
                self.peers.remove(0);
            }
            self.peers.push(Peer { address: to, heard: None, waiting: Vec::new() });
            self.peers.len() - 1
        });
        let waiting = &mut self.peers[place].waiting;
        if waiting.len() == MAX_WAITING {
            waiting.remove(0);
        }
        waiting.push(Waiting { datagram: Bytes::copy_from_slice(datagram), sent: now, repeats: 0 });
        true
    }

    /// A datagram has come. A new record says that the peer has got what was sent to it before;
    /// one that is itself a repeat says nothing.
    fn heard(&mut self, from: SocketAddr, datagram: &[u8]) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == from) else { return };
        let Some(record) = Record::read(datagram) else { return };
        if peer.heard.is_none_or(|heard| record.number > heard) {
            peer.heard = Some(record.number);
            peer.waiting.clear();
        }
    }

    /// The next datagram that is to be sent again.
    fn poll(&mut self, now: Instant) -> Option<(SocketAddr, Bytes)> {
        for peer in &mut self.peers {
            let due = peer.waiting.iter().position(|waiting| waiting.due() <= now);
            if let Some(place) = due {
                let waiting = &mut peer.waiting[place];
                waiting.repeats += 1;
                let datagram = waiting.datagram.clone();
                if waiting.repeats == REPEATS.len() {
                    peer.waiting.remove(place);
                }
                return Some((peer.address, datagram));
            }
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.peers.iter().flat_map(|peer| &peer.waiting).map(Waiting::due).min()
    }
}

impl Waiting {
    fn due(&self) -> Instant {
        self.sent + REPEATS[self.repeats]
    }
}

/// The first record of a datagram, as far as it can be read without keys.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    content: u8,
    /// Epoch and sequence number.
    number: u64,
}

impl Record {
    fn read(datagram: &[u8]) -> Option<Self> {
        let channel = datagram.first().is_some_and(|first| CHANNEL_DATA.contains(first));
        let record = datagram.get(if channel { CHANNEL_HEADER } else { 0 }..)?;
        let header = record.first_chunk::<RECORD_HEADER>()?;
        // 254 is the major version of every DTLS.
        let &[content, 254, _, n0, n1, n2, n3, n4, n5, n6, n7, ..] = header else { return None };
        (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&content).then_some(Self {
            content,
            number: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
        })
    }
}

/// A socket that repeats the handshakes that pass it.
#[derive(Debug)]
pub(super) struct RepeatingSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    flights: Flights,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whoever waits for datagrams also waits for the timer.
    receiver: Option<Waker>,
}

impl RepeatingSocket {
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>) -> Self {
        Self { inner, state: Mutex::default() }
    }

    /// Sends again what is due; what the socket does not take at once is left out.
    fn repeat(&self, cx: &mut Context<'_>) {
        let mut state = self.state.lock();
        let State { flights, timer, receiver } = &mut *state;
        if !receiver.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *receiver = Some(cx.waker().clone());
        }
        while let Some(due) = flights.poll_timeout() {
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(due.into())));
            if timer.deadline() != due.into() {
                timer.as_mut().reset(due.into());
            }
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
            while let Some((to, datagram)) = flights.poll(Instant::now()) {
                let transmit = Transmit {
                    destination: to,
                    ecn: None,
                    contents: &datagram,
                    segment_size: None,
                    src_ip: None,
                };
                let _ = self.inner.poll_send(&mut Context::from_waker(Waker::noop()), &transmit);
            }
        }
        *timer = None;
    }
}

impl AsyncUdpSocket for RepeatingSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let sent = self.inner.poll_send(cx, transmit);
        if let Poll::Ready(Ok(_)) = sent
            && !transmit.contents.is_empty()
        {
            let len = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
            let now = Instant::now();
            let mut waits = false;
            for datagram in transmit.contents.chunks(len) {
                if Record::read(datagram).is_some() {
                    let mut state = self.state.lock();
                    waits |= state.flights.sent(now, transmit.destination, datagram);
                }
            }
            if waits && let Some(receiver) = self.state.lock().receiver.take() {
                receiver.wake();
            }
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.repeat(cx);
        let received = self.inner.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = received {
            for (buf, meta) in bufs.iter().zip(meta.iter()).take(count) {
                let Some(datagrams) = buf.get(..meta.len) else { continue };
                for datagram in datagrams.chunks(meta.stride.max(1)) {
                    if Record::read(datagram).is_some() {
                        self.state.lock().flights.heard(meta.addr, datagram);
                    }
                }
            }
        }
        received
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn record(content: u8, epoch: u8, sequence: u8) -> Vec<u8> {
        vec![content, 254, 253, 0, epoch, 0, 0, 0, 0, 0, sequence, 0, 1, 7]
    }

    fn peer(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    /// Everything that is sent again, with the time.
    fn repeats(flights: &mut Flights, start: Instant) -> Vec<(Duration, Bytes)> {
        let mut all = Vec::new();
        while let Some(now) = flights.poll_timeout() {
            while let Some((_, datagram)) = flights.poll(now) {
                all.push((now - start, datagram));
            }
        }
        all
    }

    #[test]
    fn a_flight_is_repeated_a_few_times_without_an_answer() {
        let start = Instant::now();
        let mut flights = Flights::default();
        assert!(flights.sent(start, peer(1), &record(HANDSHAKE, 0, 0)));
        let times: Vec<_> = repeats(&mut flights, start).into_iter().map(|(at, _)| at).collect();
        assert_eq!(times, REPEATS);
    }

    #[test]
    fn an_answer_ends_it_and_a_repeat_of_an_older_one_does_not() {
        let start = Instant::now();
        let mut flights = Flights::default();
        flights.sent(start, peer(1), &record(HANDSHAKE, 0, 0));
        flights.heard(peer(2), &record(HANDSHAKE, 0, 0));
        assert!(flights.poll_timeout().is_some());
        flights.heard(peer(1), &record(HANDSHAKE, 0, 0));
        assert_eq!(flights.poll_timeout(), None);
        flights.sent(start, peer(1), &record(HANDSHAKE, 0, 1));
        flights.sent(start, peer(1), &record(CHANGE_CIPHER_SPEC, 0, 2));
        flights.heard(peer(1), &record(HANDSHAKE, 0, 0));
        assert_eq!(flights.poll(start + 60 * MS).unwrap().1, record(HANDSHAKE, 0, 1));
        assert_eq!(flights.poll(start + 60 * MS).unwrap().1, record(CHANGE_CIPHER_SPEC, 0, 2));
        flights.heard(peer(1), &record(APPLICATION_DATA, 1, 0));
        assert_eq!(repeats(&mut flights, start), []);
    }

    #[test]
    fn what_passes_a_relay_counts_too_and_nothing_but_handshakes_does() {
        let now = Instant::now();
        let mut flights = Flights::default();
        let mut relayed = vec![0x40, 0, 0, 14];
        relayed.extend(record(HANDSHAKE, 0, 0));
        assert!(flights.sent(now, peer(1), &relayed));
        for other in [
            record(APPLICATION_DATA, 1, 0),
            record(21, 1, 0),
            record(0x80, 0, 0),
            vec![],
            vec![0x40, 0],
            vec![HANDSHAKE; 20],
            record(HANDSHAKE, 0, 0)[..12].to_vec(),
        ] {
            assert!(!flights.sent(now, peer(1), &other), "{other:?}");
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let now = Instant::now();
        let mut flights = Flights::default();
        for port in 0..100 {
            for sequence in 0..100 {
                flights.sent(now, peer(port), &record(HANDSHAKE, 0, sequence));
            }
        }
        assert_eq!(flights.peers.len(), MAX_PEERS);
        assert!(flights.peers.iter().all(|peer| peer.waiting.len() == MAX_WAITING));
    }
}
