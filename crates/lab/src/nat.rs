//! A router that hides a network behind one address (NAT; the kinds of RFC 4787). Pure.

use std::{
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, SocketAddrV4},
    time::{Duration, Instant},
};

use quartet_testkit::network::AddressKind;

use crate::packet::UDP;

/// The first port that is given out; then the next ones.
const FIRST_PORT: u16 = 40_000;
/// Mappings at once; more than any program here needs.
const MOST: usize = 10_000;
/// A UDP mapping that nobody uses lasts so long: the least that RFC 4787 §4.3 allows.
const UDP_IDLE: Duration = Duration::from_secs(120);
/// And one of TCP (RFC 5382 §5, REQ-5).
const TCP_IDLE: Duration = Duration::from_secs(7440);

/// The translation of one such router.
#[derive(Debug)]
pub struct Nat {
    kind: AddressKind,
    public: Ipv4Addr,
    next_port: u16,
    ports: HashMap<Inner, u16>,
    mappings: HashMap<(u8, u16), Mapping>,
}

/// What has a port of its own outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Inner {
    protocol: u8,
    socket: SocketAddrV4,
    /// Only where the kind gives each remote end a port of its own.
    remote: Option<SocketAddrV4>,
}

#[derive(Debug)]
struct Mapping {
    inner: Inner,
    used_at: Instant,
    /// Those that were sent to.
    remotes: HashSet<SocketAddrV4>,
}

impl Nat {
    /// One that shows this address; [`AddressKind::Public`] translates like a full cone.
    #[must_use]
    pub fn new(kind: AddressKind, public: Ipv4Addr) -> Self {
        Self {
            kind,
            public,
            next_port: FIRST_PORT,
            ports: HashMap::new(),
            mappings: HashMap::new(),
        }
    }

    /// Gets another address from its provider, and forgets what it translated.
    pub fn readdress(&mut self, public: Ipv4Addr) {
        self.public = public;
        self.ports.clear();
        self.mappings.clear();
    }

    /// What a packet from within has as its source outside; `None`: dropped.
    pub fn outbound(
        &mut self,
        now: Instant,
        protocol: u8,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        let remote = (self.kind == AddressKind::Symmetric).then_some(destination);
        let inner = Inner { protocol, socket: source, remote };
        let known = self.ports.get(&inner).copied();
        let fresh = known.filter(|port| self.is_fresh(now, protocol, *port));
        let port = match fresh {
            Some(port) => port,
            None => self.open(now, inner)?,
        };
        let mapping = self.mappings.get_mut(&(protocol, port))?;
        mapping.used_at = now;
        if mapping.remotes.len() < MOST {
            mapping.remotes.insert(destination);
        }
        Some(SocketAddrV4::new(self.public, port))
    }

    /// Where a packet from outside goes within; `None`: dropped.
    pub fn inbound(
        &mut self,
        now: Instant,
        protocol: u8,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        let port = destination.port();
        if !self.is_fresh(now, protocol, port) {
            return None;
        }
        let mapping = self.mappings.get(&(protocol, port))?;
        let anybody = matches!(self.kind, AddressKind::FullCone | AddressKind::Public);
        // Only what goes out keeps a mapping (RFC 4787 §4.3, the stricter choice).
        (anybody || mapping.remotes.contains(&source)).then_some(mapping.inner.socket)
    }

    fn is_fresh(&self, now: Instant, protocol: u8, port: u16) -> bool {
        let idle = if protocol == UDP { UDP_IDLE } else { TCP_IDLE };
        let mapping = self.mappings.get(&(protocol, port));
        mapping.is_some_and(|mapping| now.duration_since(mapping.used_at) < idle)
    }

    fn forget_stale(&mut self, now: Instant) {
        let ended: Vec<_> = self.mappings.keys().copied().collect();
        for (protocol, port) in ended {
            if !self.is_fresh(now, protocol, port)
                && let Some(mapping) = self.mappings.remove(&(protocol, port))
            {
                self.ports.remove(&mapping.inner);
            }
        }
    }

    fn open(&mut self, now: Instant, inner: Inner) -> Option<u16> {
        if let Some(old) = self.ports.remove(&inner) {
            self.mappings.remove(&(inner.protocol, old));
        }
        if self.mappings.len() >= MOST {
            self.forget_stale(now);
        }
        if self.mappings.len() >= MOST {
            return None;
        }
        while self.mappings.contains_key(&(inner.protocol, self.next_port)) {
            self.next_port = next(self.next_port);
        }
        let port = self.next_port;
        self.next_port = next(port);
        self.ports.insert(inner, port);
        let mapping = Mapping { inner, used_at: now, remotes: HashSet::new() };
        self.mappings.insert((inner.protocol, port), mapping);
        Some(port)
    }
}

fn next(port: u16) -> u16 {
    port.checked_add(1).unwrap_or(FIRST_PORT)
}

#[cfg(test)]
mod tests;
