//! Clients that come by TCP (RFC 8656 §3.1): where one message ends and the next begins, and who may
//! stay.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time,
};

use super::Event;
use crate::relay::{Client, RelayLimits, Transport, answer, budget, limits::MAX_DATAGRAM};

/// Messages that wait for a slow client: a quarter of a second of a good picture, some 64 KB. When
/// there are more, the next ones are dropped, for what is late is of no use.
const QUEUE: usize = 48;
/// A stream that has no allocation by then is closed: asking for one takes three round trips.
const IDLE: Duration = Duration::from_secs(20);
/// A client that takes nothing for so long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// One that may stay.
struct Entry {
    serial: u64,
    since: Instant,
    queue: mpsc::Sender<Vec<u8>>,
}

/// What a stream's task knows of itself.
pub(super) struct Place {
    pub(super) client: SocketAddr,
    pub(super) serial: u64,
    pub(super) queue: mpsc::Receiver<Vec<u8>>,
}

/// All that are there: no more than there may be allocations, altogether and from one address.
pub(super) struct Streams {
    limits: RelayLimits,
    entries: HashMap<SocketAddr, Entry>,
    next_serial: u64,
}

impl Streams {
    pub(super) fn new(limits: RelayLimits) -> Self {
        Self { limits, entries: HashMap::new(), next_serial: 0 }
    }

    /// A place for a newcomer, if there is one.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        client: SocketAddr,
    ) -> Option<(u64, mpsc::Receiver<Vec<u8>>)> {
        let source = |ip: IpAddr| budget::source(ip);
        let same = |other: &&SocketAddr| source(other.ip()) == source(client.ip());
        let from_there = self.entries.keys().filter(same).count();
        if self.entries.len() >= self.limits.allocations as usize
            || from_there >= self.limits.per_address as usize
        {
            return None;
        }
        let (queue, receiver) = mpsc::channel(QUEUE);
        let serial = self.next_serial;
        self.next_serial += 1;
        self.entries.insert(client, Entry { serial, since: now, queue });
        Some((serial, receiver))
    }

    /// Hands something to a client's stream, if there is room.
    pub(super) fn send(&self, client: SocketAddr, bytes: Vec<u8>) {
        if let Some(entry) = self.entries.get(&client) {
            let _full = entry.queue.try_send(bytes);
        }
    }

    /// A stream's task has ended; false when its place is another one's by now.
    pub(super) fn ended(&mut self, client: SocketAddr, serial: u64) -> bool {
        let current = self.entries.get(&client).is_some_and(|entry| entry.serial == serial);
        if current {
            self.entries.remove(&client);
        }
        current
    }

    /// Closes those that only stay. Their tasks end when their queues do, and say so.
    pub(super) fn drop_idle(&mut self, now: Instant, serves: impl Fn(Client) -> bool) {
        self.entries.retain(|address, entry| {
            let client = Client { address: *address, transport: Transport::Tcp };
            now.saturating_duration_since(entry.since) < IDLE || serves(client)
        });
    }
}

/// Reads and writes until either ends.
pub(super) async fn run(stream: TcpStream, place: Place, events: mpsc::Sender<Event>) {
    let Place { client, serial, queue } = place;
    // A voice does not wait for company; of a stream that is gone already, reading tells.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    tokio::select! {
        _ = read(reader, client, &events) => {}
        _ = write(writer, queue) => {}
    }
    // Fails only when the relay has ended.
    let _ = events.send(Event::StreamEnded { client, serial }).await;
}

async fn read(
    mut stream: OwnedReadHalf,
    client: SocketAddr,
    events: &mpsc::Sender<Event>,
) -> io::Result<()> {
    loop {
        let mut message = vec![0; 4];
        stream.read_exact(&mut message).await?;
        let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
        // STUN's length is without the head; a channel's is padded in a stream (RFC 8656 §12.5).
        let (whole, padding) = match message[0] >> 6 {
            0b00 => (20 + length, 0),
            0b01 => (4 + length, length.next_multiple_of(4) - length),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        if whole > MAX_DATAGRAM {
            return Err(io::ErrorKind::InvalidData.into());
        }
        message.resize(whole + padding, 0);
        stream.read_exact(&mut message[4..]).await?;
        message.truncate(whole);
        // Whoever says something else is lost in this stream, or was never meant to be in it.
        if message[0] >> 6 == 0b00 && answer::whole_message(&message).is_none() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let event = Event::FromStream { client, message };
        events.send(event).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
}

async fn write(mut stream: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(mut bytes) = queue.recv().await {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        time::timeout(WRITE_DEADLINE, stream.write_all(&bytes)).await??;
    }
    Ok(())
}
