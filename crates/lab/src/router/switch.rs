//! What the router does with packets, without any system beneath it: translation, blocking, the
//! sender's path up, the receiver's path down.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use quartet_testkit::network::{AddressKind, Direction, Path, PathConfig};

use crate::{
    nat::Nat,
    packet::{End, Packet, UDP},
};

use super::traffic::{PathTraffic, Recorder, Traffic};

/// How an end is attached to the network.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Who is there.
    pub name: String,
    /// The address that the network knows it under.
    pub address: Ipv4Addr,
    /// What hides it, if anything.
    pub kind: AddressKind,
    /// UDP does not pass at all.
    pub udp_blocked: bool,
    /// From it.
    pub up: PathConfig,
    /// To it.
    pub down: PathConfig,
    /// Of both paths.
    pub seed: u64,
}

/// The network between its ends, which go by their numbers.
#[derive(Debug)]
pub struct Switch {
    ends: Vec<AttachedEnd>,
    /// Packets that nobody is there for, or that something does not let through.
    stopped: u64,
    lateness: Lateness,
    next_sample: Instant,
    began: Instant,
}

#[derive(Debug)]
struct AttachedEnd {
    name: String,
    address: Ipv4Addr,
    nat: Option<Nat>,
    udp_blocked: bool,
    up: ObservedPath,
    down: ObservedPath,
}

#[derive(Debug)]
struct ObservedPath {
    path: Path<Vec<u8>>,
    recorder: Recorder,
}

/// By how much packets were later than they should have been.
#[derive(Debug, Default)]
struct Lateness {
    packets: u64,
    late: u64,
    worst: Duration,
}

/// What is later than this is counted.
const LATE: Duration = Duration::from_millis(1);

impl Switch {
    /// A network with these ends.
    #[must_use]
    pub fn new(attachments: Vec<Attachment>, now: Instant) -> Self {
        let path = |config, seed| ObservedPath {
            path: Path::new(config, seed),
            recorder: Recorder::new(now),
        };
        let ends = attachments.into_iter().map(|end| AttachedEnd {
            nat: (end.kind != AddressKind::Public).then(|| Nat::new(end.kind, end.address)),
            name: end.name,
            address: end.address,
            udp_blocked: end.udp_blocked,
            up: path(end.up, end.seed),
            down: path(end.down, !end.seed),
        });
        Self {
            ends: ends.collect(),
            stopped: 0,
            lateness: Lateness::default(),
            next_sample: now + Recorder::EVERY,
            began: now,
        }
    }

    /// An end has sent a packet.
    pub fn sent(&mut self, now: Instant, end: usize, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let end = &mut self.ends[end];
        if outward(now, end, &mut bytes).is_none() {
            self.stopped += 1;
            return;
        }
        end.up.path.push(now, bytes.len(), bytes);
        end.up.recorder.pushed(end.up.path.queue_delay(now));
    }

    /// The next packet that has arrived at an end by `now`.
    pub fn poll(&mut self, now: Instant) -> Option<(usize, Vec<u8>)> {
        for number in 0..self.ends.len() {
            while let Some((_, bytes)) = self.ends[number].up.arrived(now) {
                self.cross(now, bytes);
            }
        }
        if now >= self.next_sample {
            self.sample(now);
        }
        for (number, end) in self.ends.iter_mut().enumerate() {
            if let Some((due, bytes)) = end.down.arrived(now) {
                self.lateness.count(now.saturating_duration_since(due));
                return Some((number, bytes));
            }
        }
        None
    }

    /// When to look again at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let paths = self.ends.iter().flat_map(|end| [&end.up, &end.down]);
        let first = paths.filter_map(|it| it.path.poll_timeout()).min();
        Some(first.map_or(self.next_sample, |first| first.min(self.next_sample)))
    }

    /// Changes a path.
    pub fn set_path(&mut self, now: Instant, end: usize, direction: Direction, to: PathConfig) {
        let end = &mut self.ends[end];
        let path = match direction {
            Direction::Up => &mut end.up,
            Direction::Down => &mut end.down,
        };
        path.path.set_config(now, to);
    }

    /// The network knows an end under another address.
    pub fn readdress(&mut self, end: usize, address: Ipv4Addr) {
        let end = &mut self.ends[end];
        end.address = address;
        if let Some(nat) = &mut end.nat {
            nat.readdress(address);
        }
    }

    /// What it saw.
    #[must_use]
    pub fn finish(mut self, now: Instant, cpu: Duration) -> Traffic {
        self.sample(now);
        let paths = self.ends.into_iter().flat_map(|end| {
            [(Direction::Up, end.up), (Direction::Down, end.down)].map(|(direction, observed)| {
                PathTraffic::new(
                    end.name.clone(),
                    direction,
                    observed.recorder,
                    observed.path.counts(),
                )
            })
        });
        Traffic {
            paths: paths.collect(),
            stopped: self.stopped,
            packets: self.lateness.packets,
            late_packets: self.lateness.late,
            worst_lateness_ms: self.lateness.worst.as_secs_f64() * 1000.0,
            cpu_cores: cpu.as_secs_f64() / now.duration_since(self.began).as_secs_f64().max(0.001),
        }
    }

    /// A packet is past its sender's link.
    fn cross(&mut self, now: Instant, mut bytes: Vec<u8>) {
        let Some(number) = self.inward(now, &mut bytes) else {
            self.stopped += 1;
            return;
        };
        let down = &mut self.ends[number].down;
        down.path.push(now, bytes.len(), bytes);
        down.recorder.pushed(down.path.queue_delay(now));
    }

    /// Whose it is, translated for that one; `None`: dropped.
    fn inward(&mut self, now: Instant, bytes: &mut [u8]) -> Option<usize> {
        let mut packet = Packet::parse(bytes)?;
        let destination = packet.address(End::Destination);
        let number = self.ends.iter().position(|end| end.address == destination)?;
        let end = &mut self.ends[number];
        if end.udp_blocked && packet.protocol() == UDP {
            return None;
        }
        if let Some(nat) = &mut end.nat {
            let (source, destination) =
                (packet.socket(End::Source)?, packet.socket(End::Destination)?);
            let inner = nat.inbound(now, packet.protocol(), source, destination)?;
            packet.set_socket(End::Destination, inner);
        }
        Some(number)
    }

    fn sample(&mut self, now: Instant) {
        for end in &mut self.ends {
            for observed in [&mut end.up, &mut end.down] {
                let queue = observed.path.queue_delay(now);
                let rate = observed.path.config().rate;
                observed.recorder.sample(now, queue, observed.path.counts(), rate);
            }
        }
        self.next_sample = now + Recorder::EVERY;
    }
}

/// What leaves an end, as the network is to see it; `None`: dropped.
fn outward(now: Instant, end: &mut AttachedEnd, bytes: &mut [u8]) -> Option<()> {
    let mut packet = Packet::parse(bytes)?;
    if end.udp_blocked && packet.protocol() == UDP {
        return None;
    }
    match &mut end.nat {
        Some(nat) => {
            let (source, destination) =
                (packet.socket(End::Source)?, packet.socket(End::Destination)?);
            let outer = nat.outbound(now, packet.protocol(), source, destination)?;
            packet.set_socket(End::Source, outer);
            Some(())
        }
        // From an address that it no longer has: nobody could answer.
        None => (packet.address(End::Source) == end.address).then_some(()),
    }
}

impl ObservedPath {
    /// The next packet, and when it was due.
    fn arrived(&mut self, now: Instant) -> Option<(Instant, Vec<u8>)> {
        let due = self.path.poll_timeout()?;
        Some((due, self.path.poll(now)?))
    }
}

impl Lateness {
    fn count(&mut self, lateness: Duration) {
        self.packets += 1;
        self.late += u64::from(lateness > LATE);
        self.worst = self.worst.max(lateness);
    }
}

#[cfg(test)]
mod tests;
