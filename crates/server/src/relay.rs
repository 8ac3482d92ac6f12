//! A STUN and TURN server for those who run one program only (RFC 8489, RFC 8656): the rules.
//!
//! [`Relay`] is pure, as the hub is: datagrams, the time and the date go in, datagrams and wishes
//! for sockets come out. [`sockets`] has the sockets. The wire is `turn-types`' and `stun-types`',
//! which are well kept. Their server, `turn-server-proto`, is not used: it remembers a nonce for
//! every address that ever sent something and any number of permissions for each client, never
//! forgets a user, and relays to any address; each of these is somebody's way into the memory or
//! the network of the host.
//!
//! What is left out: TCP to the peer (RFC 6062), IPv6 beside IPv4 in one allocation, reserved
//! ports, DONT-FRAGMENT. No WebRTC client asks for them.
//!
//! Strangers reach this without having joined anything, so nothing is kept for anybody who has not
//! shown a credential: nonces are [computed](auth), and what is answered without one is limited.

mod allocation;
mod answer;
mod auth;
mod budget;
mod limits;
mod peers;
pub(crate) mod sockets;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant, SystemTime},
};

use turn_types::{
    AddressFamily,
    attribute::{
        ChannelNumber, Data, Lifetime, RequestedAddressFamily, RequestedTransport, XorPeerAddress,
    },
    channel::ChannelData,
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND},
    stun::{
        attribute::ErrorCode,
        message::{BINDING, Message, MessageClass, TransactionId},
        prelude::{AttributeFromRaw, AttributeStaticType},
    },
};

use self::{
    allocation::Allocation,
    answer::Answer,
    auth::{Asker, Authority, Known},
    budget::SourceBudgets,
};
pub use self::{limits::RelayLimits, peers::PeerPolicy};
use crate::TurnCredentials;

/// How often what has expired is looked for. It is of no use before, either: each use looks, too.
const SWEEP: Duration = Duration::from_secs(5);
/// A channel's number, beyond STUN's first bits (RFC 8656 §12; RFC 5766 allowed more).
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7fff;

/// What a relay does.
pub struct RelayConfig {
    /// Checks credentials, and makes those that it will take.
    pub credentials: TurnCredentials,
    /// The address of its relayed ends, as the internet sees it.
    pub address: IpAddr,
    /// Whom it relays to.
    pub peers: PeerPolicy,
    /// How much it gives.
    pub limits: RelayLimits,
    /// From a cryptographic source.
    pub nonce_key: [u8; 32],
}

impl fmt::Debug for RelayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayConfig({:?}, {:?})", self.peers, self.limits)
    }
}

/// Where somebody is who has an allocation, or asks for one: as seen from here, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client {
    /// Behind whatever translates it.
    pub address: SocketAddr,
    /// The connection at that address by TCP is another one than what comes by UDP.
    pub transport: Transport,
}

/// How a client talks to the relay. To peers it is always UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// In datagrams.
    Udp,
    /// In a stream, where the network lets nothing else out.
    Tcp,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this to a client.
    ToClient(Client, Vec<u8>),
    /// Send this from the relayed end at that port of ours.
    ToPeer(u16, SocketAddr, Vec<u8>),
    /// Open a relayed end for this client, and say so by [`Relay::opened`].
    Open(Client),
    /// Close the relayed end at that port.
    Close(u16),
}

/// Without the bytes, which are somebody's, and without addresses.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToClient(_, bytes) => write!(f, "ToClient({} bytes)", bytes.len()),
            Self::ToPeer(_, _, bytes) => write!(f, "ToPeer({} bytes)", bytes.len()),
            Self::Open(_) => f.write_str("Open"),
            Self::Close(port) => write!(f, "Close({port})"),
        }
    }
}

/// What a relay has done since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayFigures {
    /// There now.
    pub allocations: u64,
    /// Made.
    pub allocated: u64,
    /// Requests that were answered with an error, but for the first of each client, which has to
    /// be.
    pub refused: u64,
    /// Bytes relayed, both ways.
    pub bytes: u64,
    /// Datagrams that were not relayed: over a limit, or to or from where there is no permission.
    pub dropped: u64,
}

/// A request that waits for its relayed end.
struct Opening {
    asker: Asker,
    transaction: TransactionId,
    lifetime: Duration,
    answer: Answer,
}

/// See the module's head.
pub struct Relay {
    authority: Authority,
    address: IpAddr,
    peers: PeerPolicy,
    limits: RelayLimits,
    budgets: SourceBudgets,
    /// By the port of the relayed end.
    allocations: HashMap<u16, Allocation>,
    /// The port of each client's.
    clients: HashMap<Client, u16>,
    opening: HashMap<Client, Opening>,
    next_sweep: Instant,
    outputs: VecDeque<Output>,
    figures: RelayFigures,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

impl Relay {
    /// A relay without allocations.
    #[must_use]
    pub fn new(now: Instant, config: RelayConfig) -> Self {
        Self {
            authority: Authority::new(now, config.credentials, config.nonce_key),
            address: config.address,
            peers: config.peers,
            budgets: SourceBudgets::new(now, &config.nonce_key),
            limits: config.limits,
            allocations: HashMap::new(),
            clients: HashMap::new(),
            opening: HashMap::new(),
            next_sweep: now + SWEEP,
            outputs: VecDeque::new(),
            figures: RelayFigures::default(),
        }
    }

    /// The next thing to do; each input is followed by all that it leads to.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.next_sweep
    }

    /// Ends what nobody has refreshed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP;
        let ended = self.allocations.iter().filter(|(_, it)| !it.is_alive(now));
        for port in ended.map(|(port, _)| *port).collect::<Vec<_>>() {
            self.end(port);
        }
        for allocation in self.allocations.values_mut() {
            allocation.forget_expired(now);
        }
    }

    /// What it has done.
    #[must_use]
    pub fn figures(&self) -> RelayFigures {
        RelayFigures { allocations: self.allocations.len() as u64, ..self.figures }
    }

    /// Something came from a client, or from whoever sends to where clients do.
    pub fn from_client(&mut self, now: Instant, date: SystemTime, client: Client, datagram: &[u8]) {
        match datagram.first().map(|first| first >> 6) {
            Some(0b00) => {
                let Some(bytes) = answer::whole_message(datagram) else { return };
                let Ok(message) = Message::from_bytes(bytes) else { return };
                match (message.class(), message.method()) {
                    (MessageClass::Request, BINDING) => self.bind(now, client, &message),
                    (MessageClass::Request, _) => self.request(now, date, client, &message),
                    (MessageClass::Indication, SEND) => self.send(now, client, &message),
                    _ => {}
                }
            }
            Some(0b01) => {
                let Ok(channel) = ChannelData::parse(datagram) else { return };
                let Some(port) = self.clients.get(&client).copied() else { return };
                let Some(allocation) = self.allocations.get(&port) else { return };
                match allocation.peer_of(now, channel.id()) {
                    Some(peer) => self.pass_on(now, port, peer, channel.data()),
                    None => self.figures.dropped += 1,
                }
            }
            _ => {}
        }
    }

    /// The relayed end that was wished for is there, at this port, or cannot be had.
    pub fn opened(&mut self, now: Instant, client: Client, port: Option<u16>) {
        let Some(opening) = self.opening.remove(&client) else { return };
        let Opening { asker, transaction, lifetime, answer } = opening;
        let Some(port) = port else {
            self.figures.refused += 1;
            let key = Some(&asker.key);
            return self.say(client, answer.error(ErrorCode::INSUFFICIENT_CAPACITY, key));
        };
        self.figures.allocated += 1;
        let allocation = Allocation::new(
            now,
            client,
            asker,
            transaction,
            lifetime,
            self.limits.bytes_per_second,
        );
        let (address, key) = (SocketAddr::new(self.address, port), &allocation.asker.key);
        self.outputs.push_back(Output::ToClient(
            client,
            answer.allocated(client.address, address, lifetime, key),
        ));
        self.clients.insert(client, port);
        self.allocations.insert(port, allocation);
    }

    /// The stream of this client has ended, and with it what it had (RFC 8656 §3.2).
    pub fn client_gone(&mut self, client: Client) {
        self.opening.remove(&client);
        if let Some(port) = self.clients.get(&client).copied() {
            self.end(port);
        }
    }

    /// Whether this client has a relayed end.
    #[must_use]
    pub fn serves(&self, client: Client) -> bool {
        self.clients.contains_key(&client)
    }

    /// Something came to the relayed end at this port.
    pub fn from_peer(&mut self, now: Instant, port: u16, peer: SocketAddr, datagram: &[u8]) {
        let Some(allocation) = self.allocations.get_mut(&port) else { return };
        if !allocation.permits(now, peer.ip()) || !allocation.down.take(now, datagram.len()) {
            self.figures.dropped += 1;
            return;
        }
        self.figures.bytes += datagram.len() as u64;
        let bytes = match allocation.channel_to(now, peer) {
            Some(channel) => answer::channel_data(channel, datagram),
            None => answer::data_indication(peer, datagram),
        };
        self.outputs.push_back(Output::ToClient(allocation.client, bytes));
    }

    /// RFC 8489 §6: says under which address the client is seen.
    fn bind(&mut self, now: Instant, client: Client, message: &Message<'_>) {
        if self.budgets.take(now, client.address.ip()) {
            self.say(client, Answer::to(message).bound(client.address));
        }
    }

    fn request(&mut self, now: Instant, date: SystemTime, client: Client, message: &Message<'_>) {
        let answer = Answer::to(message);
        let port = self.clients.get(&client).copied();
        let known = port
            .and_then(|port| self.allocations.get(&port))
            .map(|it| Known { username: &it.asker.username, key: &it.asker.key });
        let asker = match self.authority.authenticate((now, date), client.address, message, known) {
            Ok(asker) => asker,
            Err(refusal) => {
                let first = refusal.is_first();
                self.figures.refused += u64::from(!first);
                if self.budgets.take(now, client.address.ip()) {
                    let nonce = self.authority.nonce(now, client.address);
                    self.say(client, answer.refusal(refusal.code(), nonce.as_deref()));
                }
                return;
            }
        };
        let key = asker.key.clone();
        let unknown = answer::unknown_attributes(message);
        let done = if unknown.is_empty() {
            match message.method() {
                ALLOCATE => self.allocate(now, client, message, asker, &answer),
                REFRESH => self.refresh(now, client, message, &answer),
                CREATE_PERMISSION => self.permit(now, client, message, &answer),
                CHANNEL_BIND => self.bind_channel(now, client, message, &answer),
                _ => Err(ErrorCode::BAD_REQUEST),
            }
        } else {
            self.figures.refused += 1;
            return self.say(client, answer.unknown(&unknown, &key));
        };
        match done {
            Ok(Some(bytes)) => self.say(client, bytes),
            Ok(None) => {}
            Err(code) => {
                self.figures.refused += 1;
                self.say(client, answer.error(code, Some(&key)));
            }
        }
    }

    /// RFC 8656 §7.2.
    fn allocate(
        &mut self,
        now: Instant,
        client: Client,
        message: &Message<'_>,
        asker: Asker,
        answer: &Answer,
    ) -> Result<Option<Vec<u8>>, u16> {
        let transaction = message.transaction_id();
        if let Ok((port, there)) = self.allocation_of(now, client) {
            if there.transaction != transaction {
                return Err(ErrorCode::ALLOCATION_MISMATCH);
            }
            // Asked again, as the answer was lost.
            let (lifetime, address) = (there.lifetime, SocketAddr::new(self.address, port));
            return Ok(Some(answer.allocated(client.address, address, lifetime, &asker.key)));
        }
        let transport: RequestedTransport = attribute(message)?.ok_or(ErrorCode::BAD_REQUEST)?;
        if transport.protocol() != RequestedTransport::UDP {
            return Err(ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL);
        }
        let family: Option<RequestedAddressFamily> = attribute(message)?;
        let wanted = family.map_or(AddressFamily::IPV4, |it| it.family());
        if (wanted == AddressFamily::IPV4) != self.address.is_ipv4() {
            return Err(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED);
        }
        let lifetime = lifetime(message, &self.limits)?;
        self.check_quotas(client, &asker)?;
        let opening = Opening { asker, transaction, lifetime, answer: answer.clone() };
        self.opening.insert(client, opening);
        self.outputs.push_back(Output::Open(client));
        Ok(None)
    }

    fn check_quotas(&self, client: Client, asker: &Asker) -> Result<(), u16> {
        let there = self.allocations.values().map(|it| (it.client, &it.asker));
        let coming = self.opening.iter().map(|(client, it)| (*client, &it.asker));
        let (mut all, mut of_user, mut of_address) = (0, 0, 0);
        let source = budget::source(client.address.ip());
        for (other, theirs) in there.chain(coming) {
            all += 1;
            of_user += u32::from(theirs.user() == asker.user());
            of_address += u32::from(budget::source(other.address.ip()) == source);
        }
        if of_user >= self.limits.per_user || of_address >= self.limits.per_address {
            return Err(ErrorCode::ALLOCATION_QUOTA_REACHED);
        }
        if all >= self.limits.allocations {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY);
        }
        Ok(())
    }

    /// RFC 8656 §8.2.
    fn refresh(
        &mut self,
        now: Instant,
        client: Client,
        message: &Message<'_>,
        answer: &Answer,
    ) -> Result<Option<Vec<u8>>, u16> {
        let lifetime = lifetime(message, &self.limits)?;
        let ends = attribute::<Lifetime>(message)?.is_some_and(|it| it.seconds() == 0);
        let (port, allocation) = self.allocation_of(now, client)?;
        let key = allocation.asker.key.clone();
        if ends {
            self.end(port);
            return Ok(Some(answer.refreshed(Duration::ZERO, &key)));
        }
        allocation.refresh(now, lifetime);
        Ok(Some(answer.refreshed(lifetime, &key)))
    }

    /// RFC 8656 §10.2.
    fn permit(
        &mut self,
        now: Instant,
        client: Client,
        message: &Message<'_>,
        answer: &Answer,
    ) -> Result<Option<Vec<u8>>, u16> {
        let addresses = answer::peer_addresses(message).ok_or(ErrorCode::BAD_REQUEST)?;
        for address in &addresses {
            self.check_peer(address.ip())?;
        }
        let most = self.limits.permissions;
        let (_, allocation) = self.allocation_of(now, client)?;
        for address in addresses {
            if !allocation.permit(now, address.ip(), most) {
                return Err(ErrorCode::INSUFFICIENT_CAPACITY);
            }
        }
        Ok(Some(answer.done(&allocation.asker.key)))
    }

    /// RFC 8656 §12.2.
    fn bind_channel(
        &mut self,
        now: Instant,
        client: Client,
        message: &Message<'_>,
        answer: &Answer,
    ) -> Result<Option<Vec<u8>>, u16> {
        let number: ChannelNumber = attribute(message)?.ok_or(ErrorCode::BAD_REQUEST)?;
        let peer: XorPeerAddress = attribute(message)?.ok_or(ErrorCode::BAD_REQUEST)?;
        let peer = peer.addr(message.transaction_id());
        if !CHANNELS.contains(&number.channel()) {
            return Err(ErrorCode::BAD_REQUEST);
        }
        self.check_peer(peer.ip())?;
        let most = self.limits.permissions;
        let (_, allocation) = self.allocation_of(now, client)?;
        allocation.bind(now, number.channel(), peer, most)?;
        Ok(Some(answer.done(&allocation.asker.key)))
    }

    /// RFC 8656 §11.3: a datagram for a peer, without a channel.
    fn send(&mut self, now: Instant, client: Client, message: &Message<'_>) {
        let Some(port) = self.clients.get(&client).copied() else { return };
        let (Ok(Some(peer)), Ok(Some(data))) =
            (attribute::<XorPeerAddress>(message), attribute::<Data<'_>>(message))
        else {
            return;
        };
        if answer::unknown_attributes(message).is_empty() {
            self.pass_on(now, port, peer.addr(message.transaction_id()), data.data());
        }
    }

    fn pass_on(&mut self, now: Instant, port: u16, peer: SocketAddr, data: &[u8]) {
        let Some(allocation) = self.allocations.get_mut(&port).filter(|it| it.is_alive(now)) else {
            return;
        };
        if !allocation.permits(now, peer.ip()) || !allocation.up.take(now, data.len()) {
            self.figures.dropped += 1;
            return;
        }
        self.figures.bytes += data.len() as u64;
        if peer.ip() == self.address {
            // From one relayed end to another, and to nothing else of this machine: it need not
            // even be able to reach its own outer address.
            return self.from_peer(now, peer.port(), SocketAddr::new(self.address, port), data);
        }
        self.outputs.push_back(Output::ToPeer(port, peer, data.to_vec()));
    }

    fn check_peer(&self, peer: IpAddr) -> Result<(), u16> {
        if peer.is_ipv4() != self.address.is_ipv4() {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH);
        }
        let allowed = peer == self.address || self.peers.allows(peer);
        if allowed { Ok(()) } else { Err(ErrorCode::FORBIDDEN) }
    }

    /// What the client has, and where; 437 when that is nothing.
    fn allocation_of(
        &mut self,
        now: Instant,
        client: Client,
    ) -> Result<(u16, &mut Allocation), u16> {
        const NONE: u16 = ErrorCode::ALLOCATION_MISMATCH;
        let port = *self.clients.get(&client).ok_or(NONE)?;
        if !self.allocations.get(&port).is_some_and(|it| it.is_alive(now)) {
            self.end(port);
        }
        Ok((port, self.allocations.get_mut(&port).ok_or(NONE)?))
    }

    fn end(&mut self, port: u16) {
        if let Some(allocation) = self.allocations.remove(&port) {
            self.clients.remove(&allocation.client);
            self.outputs.push_back(Output::Close(port));
        }
    }

    fn say(&mut self, client: Client, bytes: Vec<u8>) {
        self.outputs.push_back(Output::ToClient(client, bytes));
    }
}

/// The first attribute of this kind; an error when it is malformed.
fn attribute<'a, A: AttributeFromRaw<'a> + AttributeStaticType>(
    message: &'a Message<'a>,
) -> Result<Option<A>, u16> {
    if !message.has_attribute(A::TYPE) {
        return Ok(None);
    }
    message.attribute::<A>().map(Some).map_err(|_| ErrorCode::BAD_REQUEST)
}

/// As long as the client asks for, within limits (RFC 8656 §7.2).
fn lifetime(message: &Message<'_>, limits: &RelayLimits) -> Result<Duration, u16> {
    let wanted = attribute::<Lifetime>(message)?.map(|it| it.seconds().into());
    let wanted = wanted.map_or(limits.lifetime, Duration::from_secs);
    Ok(wanted.clamp(limits.lifetime, limits.longest_lifetime))
}
