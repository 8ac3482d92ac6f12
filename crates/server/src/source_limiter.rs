//! What comes from one address, and whether that is too much.
//!
//! An IPv6 customer has a network of at least 64 bits, so that is what counts as one address there.
//! This machine itself is never limited: it is a proxy, or its owner. [`Sources`] is pure;
//! [`SourceLimiter`] shares it, and gives back what it counted when the guard is dropped.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use quartet_proto::ErrorCode;

use crate::limits::{Limits, MAX_REFUSED, MAX_SOURCES, PRUNE_INTERVAL};

/// Who is counted as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

/// All who came when the table was full.
const CROWD: Source = Source(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

impl Source {
    /// None for this machine.
    pub(crate) fn of(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return None;
        }
        Some(Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }))
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Socket,
}

/// What one source has, and how many joins it has left.
#[derive(Debug)]
struct Tally {
    http: u32,
    sockets: u32,
    joins: f64,
    filled: Instant,
}

impl Tally {
    fn count(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::Http => &mut self.http,
            Kind::Socket => &mut self.sockets,
        }
    }

    fn refill(&mut self, now: Instant, per_minute: f64) {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.joins = (self.joins + elapsed * per_minute / 60.0).min(per_minute);
        self.filled = self.filled.max(now);
    }
}

/// The table of all who are there, or were a moment ago.
#[derive(Debug)]
struct Sources {
    limits: Limits,
    max_sources: usize,
    tallies: HashMap<Source, Tally>,
    pruned: Option<Instant>,
    /// WebSockets of everybody.
    sockets: usize,
    /// Refused sockets that have not ended yet.
    refused: usize,
}

impl Sources {
    fn new(limits: Limits) -> Self {
        let (tallies, max_sources) = (HashMap::new(), MAX_SOURCES);
        Self { limits, max_sources, tallies, pruned: None, sockets: 0, refused: 0 }
    }

    /// Counts one more WebSocket, if there may be.
    fn take_socket(&mut self, now: Instant, source: Option<Source>) -> Result<Held, ErrorCode> {
        if self.sockets >= self.limits.connections {
            return Err(ErrorCode::ServerFull);
        }
        let source = match source {
            Some(source) => {
                Some(self.take(now, source, Kind::Socket).ok_or(ErrorCode::AddressLimited)?)
            }
            None => None,
        };
        self.sockets += 1;
        Ok(Held::Socket(source))
    }

    /// Counts one more, if there may be; under whose name says the answer.
    fn take(&mut self, now: Instant, source: Source, kind: Kind) -> Option<Source> {
        let most = match kind {
            Kind::Http => self.limits.http_connections_per_address,
            Kind::Socket => self.limits.connections_per_address,
        };
        let source = self.known(now, source);
        let count = self.tallies.get_mut(&source)?.count(kind);
        (*count < most).then(|| {
            *count += 1;
            source
        })
    }

    fn give_back(&mut self, source: Source, kind: Kind) {
        if let Some(tally) = self.tallies.get_mut(&source) {
            let count = tally.count(kind);
            *count = count.saturating_sub(1);
        }
    }

    fn join(&mut self, now: Instant, source: Source) -> bool {
        let per_minute = f64::from(self.limits.joins_per_minute);
        let source = self.known(now, source);
        let Some(tally) = self.tallies.get_mut(&source) else { return false };
        tally.refill(now, per_minute);
        let taken = tally.joins >= 1.0;
        if taken {
            tally.joins -= 1.0;
        }
        taken
    }

    /// The source's name in the table, where it now is.
    fn known(&mut self, now: Instant, source: Source) -> Source {
        let full = self.tallies.len() >= self.max_sources;
        if full && !self.tallies.contains_key(&source) && !self.prune(now) {
            self.tally(now, CROWD);
            return CROWD;
        }
        self.tally(now, source);
        source
    }

    fn tally(&mut self, now: Instant, source: Source) {
        if let Entry::Vacant(place) = self.tallies.entry(source) {
            let joins = f64::from(self.limits.joins_per_minute);
            place.insert(Tally { http: 0, sockets: 0, joins, filled: now });
        }
    }

    /// Forgets the quiet; whether that made room.
    fn prune(&mut self, now: Instant) -> bool {
        if self.pruned.is_some_and(|pruned| now < pruned + PRUNE_INTERVAL) {
            return false;
        }
        self.pruned = Some(now);
        let per_minute = f64::from(self.limits.joins_per_minute);
        self.tallies.retain(|_, tally| {
            tally.refill(now, per_minute);
            tally.http > 0 || tally.sockets > 0 || tally.joins < per_minute
        });
        self.tallies.len() < self.max_sources
    }
}

/// What becomes of a WebSocket that somebody wants.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is served as long as this is kept.
    Taken(Place),
    /// It is told so, and keeps this until it has ended.
    Refused(Place, ErrorCode),
    /// There is not even place to tell it.
    TurnedAway(ErrorCode),
}

/// Counts what comes from each address, for all tasks.
#[derive(Debug, Clone)]
pub(crate) struct SourceLimiter(Arc<Mutex<Sources>>);

impl SourceLimiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Sources::new(limits))))
    }

    /// A place for an HTTP connection, if there is one.
    pub(crate) fn http(&self, now: Instant, source: Option<Source>) -> Option<Place> {
        let Some(source) = source else { return Some(self.place(Held::Nothing)) };
        let held = self.sources().take(now, source, Kind::Http);
        held.map(|source| self.place(Held::Http(source)))
    }

    /// A place for a WebSocket.
    pub(crate) fn socket(&self, now: Instant, source: Option<Source>) -> Admission {
        let mut sources = self.sources();
        match sources.take_socket(now, source) {
            Ok(held) => Admission::Taken(self.place(held)),
            Err(code) if sources.refused < MAX_REFUSED => {
                sources.refused += 1;
                Admission::Refused(self.place(Held::Refusal), code)
            }
            Err(code) => Admission::TurnedAway(code),
        }
    }

    /// Whether the source may join once more.
    pub(crate) fn join(&self, now: Instant, source: Option<Source>) -> bool {
        source.is_none_or(|source| self.sources().join(now, source))
    }

    fn place(&self, held: Held) -> Place {
        Place { sources: Arc::clone(&self.0), held }
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        lock(&self.0)
    }
}

/// Nothing in there can be left half done.
fn lock(sources: &Mutex<Sources>) -> MutexGuard<'_, Sources> {
    sources.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    sources: Arc<Mutex<Sources>>,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Nothing,
    Http(Source),
    Socket(Option<Source>),
    Refusal,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sources = lock(&self.sources);
        match self.held {
            Held::Nothing => {}
            Held::Http(source) => sources.give_back(source, Kind::Http),
            Held::Socket(source) => {
                sources.sockets -= 1;
                if let Some(source) = source {
                    sources.give_back(source, Kind::Socket);
                }
            }
            Held::Refusal => sources.refused -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn source(text: &str) -> Option<Source> {
        Source::of(text.parse().unwrap())
    }

    fn limits() -> Limits {
        Limits { connections_per_address: 3, joins_per_minute: 30, ..Limits::default() }
    }

    fn is_taken(admission: &Admission) -> bool {
        matches!(admission, Admission::Taken(_))
    }

    #[test]
    fn an_address_gets_so_many_sockets_and_another_one_its_own() {
        let (limiter, now) = (SourceLimiter::new(limits()), Instant::now());
        let (a, b) = (source("203.0.113.7"), source("203.0.113.8"));
        let mut held: Vec<_> = (0..3).map(|_| limiter.socket(now, a)).collect();
        assert!(held.iter().all(is_taken));
        assert!(matches!(limiter.socket(now, a), Admission::Refused(..)));
        assert!(is_taken(&limiter.socket(now, b)));
        held.pop();
        assert!(is_taken(&limiter.socket(now, a)));
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_address() {
        assert_eq!(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff::2"));
        assert_ne!(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));
        assert_ne!(source("203.0.113.7"), source("203.0.113.8"));
        assert_eq!(source("::ffff:203.0.113.7"), source("203.0.113.7"));
    }

    #[test]
    fn this_machine_is_not_limited() {
        let (limiter, now) = (SourceLimiter::new(limits()), Instant::now());
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            let held: Vec<_> = (0..100).map(|_| limiter.socket(now, source(own))).collect();
            assert!(held.iter().all(is_taken));
            assert!((0..100).all(|_| limiter.join(now, source(own))));
        }
    }

    #[test]
    fn joins_come_back_with_time() {
        let (limiter, now) = (SourceLimiter::new(limits()), Instant::now());
        let a = source("203.0.113.7");
        let joins = |at| (0..100).filter(|_| limiter.join(at, a)).count();
        assert_eq!(joins(now), 30);
        assert_eq!(joins(now + Duration::from_secs(2)), 1);
        assert_eq!(joins(now + Duration::from_secs(3600)), 30);
        assert_eq!(joins(now), 0);
    }

    #[test]
    fn refusals_are_told_to_so_many_at_once() {
        let (limiter, now) = (SourceLimiter::new(limits()), Instant::now());
        let a = source("203.0.113.7");
        let _sockets: Vec<_> = (0..3).map(|_| limiter.socket(now, a)).collect();
        let told: Vec<_> = (0..MAX_REFUSED).map(|_| limiter.socket(now, a)).collect();
        assert!(told.iter().all(|it| matches!(it, Admission::Refused(..))));
        assert!(matches!(limiter.socket(now, a), Admission::TurnedAway(ErrorCode::AddressLimited)));
        drop(told);
        assert!(matches!(limiter.socket(now, a), Admission::Refused(..)));
    }

    #[test]
    fn all_together_have_so_many_sockets() {
        let limits = Limits { connections: 2, ..limits() };
        let (limiter, now) = (SourceLimiter::new(limits), Instant::now());
        // This machine, too.
        let own = limiter.socket(now, source("127.0.0.1"));
        let other = limiter.socket(now, source("203.0.113.7"));
        assert!(is_taken(&own) && is_taken(&other));
        for address in ["127.0.0.1", "203.0.113.8"] {
            let refused = limiter.socket(now, source(address));
            assert!(matches!(refused, Admission::Refused(_, ErrorCode::ServerFull)));
        }
        drop(own);
        assert!(is_taken(&limiter.socket(now, source("203.0.113.8"))));
    }

    #[test]
    fn http_connections_are_counted_by_themselves() {
        let limits = Limits { http_connections_per_address: 2, ..limits() };
        let (limiter, now) = (SourceLimiter::new(limits), Instant::now());
        let a = source("203.0.113.7");
        let first = limiter.http(now, a);
        let _second = limiter.http(now, a);
        assert!(first.is_some() && limiter.http(now, a).is_none());
        assert!(is_taken(&limiter.socket(now, a)));
        drop(first);
        assert!(limiter.http(now, a).is_some());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_quiet() {
        let now = Instant::now();
        let mut sources = Sources { max_sources: 1_000, ..Sources::new(limits()) };
        let nth = |n: u32| Source(IpAddr::V4(Ipv4Addr::from_bits(n + (1 << 24))));
        let held = sources.take(now, nth(0), Kind::Socket);
        assert!((0..1_000).all(|n| sources.join(now, nth(n))));
        // Nobody is quiet yet: the rest shares what one address has.
        assert_eq!((1_000..100_000).filter(|n| sources.join(now, nth(*n))).count(), 30);
        assert!(sources.tallies.len() <= 1_001);
        // Those who are known keep their own.
        assert!(sources.join(now, nth(1)));
        // A minute later all but the one with a socket are forgotten.
        let later = now + Duration::from_secs(60);
        assert!((5_000..5_900).all(|n| sources.join(later, nth(n))));
        assert_eq!(sources.tallies.len(), 901);
        assert_eq!(held, Some(nth(0)));
        assert_eq!(*sources.tallies.get_mut(&nth(0)).unwrap().count(Kind::Socket), 1);
    }
}
