//! The rules of the relay, under virtual time.

use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use quartet_proto::PeerId;
use quartet_server::{
    TURN_TTL, TurnCredentials,
    relay::{Client, Output, PeerPolicy, Relay, RelayConfig, RelayLimits, Transport},
};
use turn_types::{
    AddressFamily,
    attribute::{EvenPort, RequestedAddressFamily, RequestedTransport},
};

use crate::asker::{Asker, Heard};

const TTL: Duration = TURN_TTL;
const SECRET: &str = "a long secret";

/// A relay under virtual time, which gives out ports from 50000 on.
pub(crate) struct World {
    pub(crate) relay: Relay,
    pub(crate) now: Instant,
    pub(crate) date: SystemTime,
    next_port: u16,
    closed: Vec<u16>,
    to_peers: Vec<(u16, SocketAddr, Vec<u8>)>,
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Somebody's `number`th socket.
pub(crate) fn client(host: u8, number: u16) -> Client {
    let address = address(&format!("198.51.100.{host}:{}", 1000 + number));
    Client { address, transport: Transport::Udp }
}

fn credentials() -> TurnCredentials {
    TurnCredentials::new(SECRET, vec!["turn:192.0.2.1".to_owned()], TTL)
}

impl World {
    pub(crate) fn new(limits: RelayLimits, peers: PeerPolicy) -> Self {
        let now = Instant::now();
        let address = address("192.0.2.1:1").ip();
        let credentials = credentials();
        let config = RelayConfig { credentials, address, peers, limits, nonce_key: [7; 32] };
        Self {
            relay: Relay::new(now, config),
            now,
            date: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            next_port: 50_000,
            closed: Vec::new(),
            to_peers: Vec::new(),
        }
    }

    pub(crate) fn usual() -> Self {
        Self::new(RelayLimits::default(), PeerPolicy::Public)
    }

    /// What the relay says to this, and to whom.
    pub(crate) fn all(&mut self, from: Client, bytes: &[u8]) -> Vec<(Client, Heard)> {
        self.relay.from_client(self.now, self.date, from, bytes);
        self.carry_out()
    }

    fn carry_out(&mut self) -> Vec<(Client, Heard)> {
        let mut heard = Vec::new();
        while let Some(output) = self.relay.poll() {
            match output {
                Output::ToClient(client, bytes) => heard.push((client, Heard::of(&bytes))),
                Output::ToPeer(port, peer, bytes) => self.to_peers.push((port, peer, bytes)),
                Output::Open(client) => {
                    self.relay.opened(self.now, client, Some(self.next_port));
                    self.next_port += 1;
                }
                Output::Close(port) => self.closed.push(port),
            }
        }
        heard
    }

    /// The one answer that goes back.
    fn ask(&mut self, from: Client, bytes: &[u8]) -> Heard {
        let mut heard = self.all(from, bytes);
        assert_eq!(heard.len(), 1, "{heard:?}");
        let (to, heard) = heard.remove(0);
        assert_eq!(to, from);
        heard
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        // In steps, as a shell would.
        for _ in 0..time.as_secs() {
            self.now += Duration::from_secs(1);
            self.date += Duration::from_secs(1);
            self.relay.handle_timeout(self.now);
            self.carry_out();
        }
    }

    /// Participant `user` with credentials as of now, and a nonce for this socket.
    fn asker(&mut self, user: u64, at: Client) -> Asker {
        let issued = credentials().issue(self.date, PeerId::from_u64(user));
        let (username, password) = (issued.username.unwrap(), issued.credential.unwrap());
        let mut asker = Asker::new(&username, &password);
        asker.nonce = self.nonce(at);
        asker
    }

    fn nonce(&mut self, at: Client) -> String {
        let first = self.ask(at, &Asker::new("", "").allocate());
        assert_eq!(first.error, Some(401));
        first.nonce.unwrap()
    }

    /// The same with an allocation.
    pub(crate) fn allocated(&mut self, user: u64, at: Client) -> (Asker, SocketAddr) {
        let asker = self.asker(user, at);
        let heard = self.ask(at, &asker.allocate());
        (asker, heard.relayed.unwrap_or_else(|| panic!("{heard:?}")))
    }
}

pub(crate) const ANN: u64 = 1;
pub(crate) const BO: u64 = 2;

#[test]
fn everybody_learns_how_they_are_seen() {
    let mut world = World::usual();
    let heard = world.ask(client(1, 0), &Asker::binding());
    assert_eq!(heard.mapped, Some(client(1, 0).address));
}

#[test]
fn an_allocation_has_an_address_and_a_lifetime() {
    let mut world = World::usual();
    let at = client(1, 0);
    let asker = world.asker(ANN, at);
    let heard = world.ask(at, &asker.allocate());
    assert_eq!(heard.relayed, Some(address("192.0.2.1:50000")));
    assert_eq!(heard.mapped, Some(at.address));
    assert_eq!(heard.lifetime, Some(600));
    assert_eq!(world.relay.figures().allocations, 1);
}

#[test]
fn two_relayed_ends_talk_within_the_relay() {
    let mut world = World::usual();
    let (a, b) = (client(1, 0), client(2, 0));
    let (ann, ann_at) = world.allocated(ANN, a);
    let (bo, bo_at) = world.allocated(BO, b);
    assert!(world.all(a, &Asker::send(bo_at, b"early")).is_empty());
    assert!(world.ask(a, &ann.permit(bo_at)).is_done());
    // Both have to allow it.
    assert!(world.all(a, &Asker::send(bo_at, b"early")).is_empty());
    assert!(world.ask(b, &bo.permit(ann_at)).is_done());
    let heard = world.all(a, &Asker::send(bo_at, b"hello"));
    let data = Heard { data: Some((Some(ann_at), b"hello".to_vec())), ..Heard::default() };
    assert_eq!(heard, [(b, data)]);
    // And by channels.
    assert!(world.ask(a, &ann.bind(0x4000, bo_at)).is_done());
    assert!(world.ask(b, &bo.bind(0x4001, ann_at)).is_done());
    let heard = world.all(b, &Asker::by_channel(0x4001, b"back"));
    let data = Heard { data: Some((None, b"back".to_vec())), ..Heard::default() };
    assert_eq!(heard, [(a, data)]);
    assert!(world.to_peers.is_empty(), "nothing left the machine");
    // In and out again, but for what only the first of both allowed.
    assert_eq!(world.relay.figures().bytes, 5 + 2 * (5 + 4));
}

#[test]
fn a_peer_on_the_internet_is_reached_and_heard_once_it_is_permitted() {
    let mut world = World::usual();
    let at = client(1, 0);
    let (ann, relayed) = world.allocated(ANN, at);
    let peer = address("203.0.113.9:4000");
    world.relay.from_peer(world.now, relayed.port(), peer, b"unasked");
    assert!(world.carry_out().is_empty());
    assert!(world.ask(at, &ann.permit(peer)).is_done());
    assert!(world.all(at, &Asker::send(peer, b"there")).is_empty());
    assert_eq!(world.to_peers, [(relayed.port(), peer, b"there".to_vec())]);
    world.relay.from_peer(world.now, relayed.port(), peer, b"back");
    let data = Some((Some(peer), b"back".to_vec()));
    assert_eq!(world.carry_out(), [(at, Heard { data, ..Heard::default() })]);
    // A permission lasts five minutes.
    world.pass(Duration::from_secs(299));
    world.relay.from_peer(world.now, relayed.port(), peer, b"late");
    assert_eq!(world.carry_out().len(), 1);
    world.pass(Duration::from_secs(1));
    world.relay.from_peer(world.now, relayed.port(), peer, b"too late");
    assert!(world.carry_out().is_empty());
}

#[test]
fn the_network_of_the_host_is_out_of_reach() {
    let mut world = World::usual();
    let at = client(1, 0);
    let (ann, relayed) = world.allocated(ANN, at);
    for peer in ["127.0.0.1:8460", "10.1.2.3:53", "192.168.0.1:80", "169.254.169.254:80"] {
        let peer = address(peer);
        assert_eq!(world.ask(at, &ann.permit(peer)).error, Some(403), "{peer}");
        assert_eq!(world.ask(at, &ann.bind(0x4000, peer)).error, Some(403), "{peer}");
        world.all(at, &Asker::send(peer, b"x"));
    }
    // Of the relay's own address only other relayed ends are there: not the server beside it.
    let own = SocketAddr::new(relayed.ip(), 8460);
    assert!(world.ask(at, &ann.permit(own)).is_done());
    world.all(at, &Asker::send(own, b"x"));
    assert!(world.to_peers.is_empty());
    let mut at_home = World::new(RelayLimits::default(), PeerPolicy::AlsoPrivate);
    let (ann, _) = at_home.allocated(ANN, at);
    assert!(at_home.ask(at, &ann.permit(address("192.168.0.1:80"))).is_done());
}

#[test]
fn nobody_without_a_credential_gets_anything() {
    let mut world = World::usual();
    let at = client(1, 0);
    let good = world.asker(ANN, at);
    let ended = 1_700_000_000 - 1;
    let of_another = TurnCredentials::new("another", Vec::new(), TTL);
    let forged = of_another.issue(world.date, PeerId::from_u64(ANN));
    let old = credentials().issue(world.date - TTL, PeerId::from_u64(ANN));
    assert!(old.username.as_ref().unwrap().starts_with("1700000000:"));
    for (username, password) in [
        (good.username.as_str(), "wrong"),
        (&format!("{ended}:x"), good.password.as_str()),
        ("", ""),
        ("quartet", "secret"),
        ("99999999999999999999:x", "x"),
        (&forged.username.unwrap(), &forged.credential.unwrap()),
        // It ends at this very second.
        (&old.username.unwrap(), &old.credential.unwrap()),
        (&format!("1800000000:{}", "x".repeat(200)), "x"),
    ] {
        let asker = Asker { nonce: good.nonce.clone(), ..Asker::new(username, password) };
        let heard = world.ask(at, &asker.allocate());
        assert_eq!(heard.error, Some(401), "{username}");
        assert_eq!(heard.relayed, None);
    }
    assert_eq!(world.relay.figures().allocations, 0);
    assert!(world.ask(at, &good.allocate()).is_done());
}

#[test]
fn a_nonce_is_for_one_address_and_one_hour() {
    let mut world = World::usual();
    let (here, there) = (client(1, 0), client(2, 0));
    let asker = world.asker(ANN, here);
    let heard = world.ask(there, &asker.allocate());
    assert_eq!(heard.error, Some(438));
    // With the one that comes with the refusal it works.
    let asker = Asker { nonce: heard.nonce.unwrap(), ..asker };
    assert!(world.ask(there, &asker.allocate()).is_done());
    for forged in ["", "0", "0-", "-", "ffffffffffffffffff-x", "zz-zz"] {
        let asker = Asker { nonce: format!("{forged}x"), ..asker.clone() };
        assert_eq!(world.ask(here, &asker.allocate()).error, Some(438), "{forged}");
    }
    let nonce = world.nonce(here);
    let mut asker = Asker { nonce, ..asker };
    world.pass(Duration::from_secs(3599));
    assert!(world.ask(here, &asker.allocate()).is_done());
    world.pass(Duration::from_secs(1));
    let heard = world.ask(here, &asker.refresh(600));
    assert_eq!(heard.error, Some(438));
    asker.nonce = heard.nonce.unwrap();
    assert!(world.ask(here, &asker.refresh(600)).is_done());
}

#[test]
fn what_is_in_use_outlives_its_credential() {
    let mut world = World::usual();
    let (at, next) = (client(1, 0), client(1, 1));
    let (mut ann, _) = world.allocated(ANN, at);
    for _ in 0..13 {
        world.pass(Duration::from_secs(590));
        ann.nonce = world.nonce(at);
        assert!(world.ask(at, &ann.refresh(600)).is_done());
    }
    // By now it has ended: nothing new for it.
    let nonce = world.nonce(next);
    let late = Asker { nonce, ..ann.clone() };
    assert_eq!(world.ask(next, &late.allocate()).error, Some(401));
}

#[test]
fn an_allocation_belongs_to_who_made_it() {
    let mut world = World::usual();
    let at = client(1, 0);
    world.allocated(ANN, at);
    let bo = world.asker(BO, at);
    assert_eq!(world.ask(at, &bo.refresh(0)).error, Some(441));
    assert_eq!(world.ask(at, &bo.permit(address("203.0.113.9:1"))).error, Some(441));
    assert_eq!(world.relay.figures().allocations, 1);
}

#[test]
fn what_is_not_refreshed_ends() {
    let mut world = World::usual();
    let at = client(1, 0);
    let (ann, relayed) = world.allocated(ANN, at);
    world.pass(Duration::from_secs(599));
    assert!(world.closed.is_empty());
    assert!(world.ask(at, &ann.refresh(u32::MAX)).lifetime == Some(3600));
    world.pass(Duration::from_secs(3606));
    assert_eq!(world.closed, [relayed.port()]);
    assert_eq!(world.relay.figures().allocations, 0);
    // And what is given back ends at once.
    let (ann, again) = world.allocated(ANN, at);
    assert_eq!(world.ask(at, &ann.refresh(0)).lifetime, Some(0));
    assert_eq!(world.closed, [relayed.port(), again.port()]);
    assert_eq!(world.ask(at, &ann.refresh(600)).error, Some(437));
    // And what came by a stream, with the stream.
    let stream = Client { transport: Transport::Tcp, ..at };
    world.allocated(ANN, stream);
    assert!(world.relay.serves(stream) && !world.relay.serves(at));
    world.relay.client_gone(stream);
    world.carry_out();
    assert_eq!(world.closed.len(), 3);
}

#[test]
fn an_answer_that_was_lost_is_given_again() {
    let mut world = World::usual();
    let at = client(1, 0);
    let asker = world.asker(ANN, at);
    let request = asker.allocate();
    let first = world.ask(at, &request);
    assert_eq!(world.ask(at, &request), first);
    assert_eq!(world.ask(at, &asker.allocate()).error, Some(437));
    assert_eq!(world.relay.figures().allocations, 1);
}

#[test]
fn each_limit_holds_at_its_edge() {
    let limits = RelayLimits { allocations: 6, per_user: 2, per_address: 4, ..Default::default() };
    let mut world = World::new(limits, PeerPolicy::Public);
    for number in 0..2 {
        world.allocated(ANN, client(1, number));
    }
    // Also with the next credential, which has another name.
    world.pass(Duration::from_secs(60));
    let asker = world.asker(ANN, client(1, 2));
    assert_eq!(world.ask(client(1, 2), &asker.allocate()).error, Some(486));
    for number in 3..5 {
        world.allocated(BO, client(1, number));
    }
    let asker = world.asker(3, client(1, 5));
    assert_eq!(world.ask(client(1, 5), &asker.allocate()).error, Some(486));
    for number in 0..2 {
        world.allocated(3, client(2, number));
    }
    let asker = world.asker(4, client(3, 0));
    assert_eq!(world.ask(client(3, 0), &asker.allocate()).error, Some(508));
    // One is given back: there is room again.
    let nonce = world.nonce(client(1, 0));
    let issued = credentials().issue(world.date - Duration::from_secs(60), PeerId::from_u64(ANN));
    let ann = Asker { nonce, ..Asker::new(&issued.username.unwrap(), &issued.credential.unwrap()) };
    assert!(world.ask(client(1, 0), &ann.refresh(0)).is_done());
    assert!(world.ask(client(3, 0), &asker.allocate()).is_done());
}

#[test]
fn an_allocation_has_so_many_peers_and_channels() {
    let limits = RelayLimits { permissions: 3, ..Default::default() };
    let mut world = World::new(limits, PeerPolicy::Public);
    let at = client(1, 0);
    let (ann, _) = world.allocated(ANN, at);
    let peer = |number: u8| address(&format!("203.0.113.{number}:4000"));
    for number in 1..=3 {
        assert!(world.ask(at, &ann.bind(0x4000 + u16::from(number), peer(number))).is_done());
    }
    assert_eq!(world.ask(at, &ann.permit(peer(4))).error, Some(508));
    assert_eq!(world.ask(at, &ann.bind(0x4004, peer(4))).error, Some(508));
    // Those that are there can be refreshed, but a channel stays with its peer.
    assert!(world.ask(at, &ann.permit(peer(1))).is_done());
    assert!(world.ask(at, &ann.bind(0x4001, peer(1))).is_done());
    assert_eq!(world.ask(at, &ann.bind(0x4001, peer(2))).error, Some(400));
    assert_eq!(world.ask(at, &ann.bind(0x4005, peer(2))).error, Some(400));
    for outside in [0x3fff, 0x8000] {
        assert_eq!(world.ask(at, &ann.bind(outside, peer(1))).error, Some(400));
    }
}

#[test]
fn an_allocation_carries_so_much_a_second() {
    let limits = RelayLimits { bytes_per_second: 10_000, ..Default::default() };
    let mut world = World::new(limits, PeerPolicy::Public);
    let at = client(1, 0);
    let (ann, relayed) = world.allocated(ANN, at);
    let peer = address("203.0.113.9:4000");
    assert!(world.ask(at, &ann.permit(peer)).is_done());
    let kilobyte = [0; 1000];
    let mut heard = 0;
    for _ in 0..15 {
        world.relay.from_peer(world.now, relayed.port(), peer, &kilobyte);
        heard += world.all(at, &Asker::send(peer, &kilobyte)).len();
    }
    assert_eq!((heard, world.to_peers.len()), (10, 10));
    assert_eq!(world.relay.figures().dropped, 10);
    world.now += Duration::from_millis(500);
    for _ in 0..15 {
        world.all(at, &Asker::send(peer, &kilobyte));
    }
    assert_eq!(world.to_peers.len(), 15);
}

#[test]
fn what_is_not_offered_is_refused() {
    let mut world = World::usual();
    let at = client(1, 0);
    let asker = world.asker(ANN, at);
    let udp = RequestedTransport::new(RequestedTransport::UDP);
    let tcp = RequestedTransport::new(RequestedTransport::TCP);
    let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
    let even = EvenPort::new(false);
    assert_eq!(world.ask(at, &asker.allocate_with(&[])).error, Some(400));
    assert_eq!(world.ask(at, &asker.allocate_with(&[&tcp])).error, Some(442));
    assert_eq!(world.ask(at, &asker.allocate_with(&[&udp, &v6])).error, Some(440));
    assert_eq!(world.ask(at, &asker.allocate_with(&[&udp, &even])).error, Some(420));
    let (ann, _) = world.allocated(ANN, at);
    assert_eq!(world.ask(at, &ann.permit(address("[2001:db8::1]:1"))).error, Some(443));
    assert_eq!(world.ask(client(1, 1), &asker.refresh(600)).error, Some(438));
}

#[test]
fn a_relayed_end_that_cannot_be_had_is_said() {
    let mut world = World::usual();
    let at = client(1, 0);
    let asker = world.asker(ANN, at);
    world.relay.from_client(world.now, world.date, at, &asker.allocate());
    assert_eq!(world.relay.poll(), Some(Output::Open(at)));
    world.relay.opened(world.now, at, None);
    assert_eq!(world.carry_out()[0].1.error, Some(508));
    assert!(world.ask(at, &asker.allocate()).is_done());
}
