//! Several servers as one: any node serves any member of any room.
//!
//! A room lives in the [`Hub`] of one node, its *owner*, for as long as that node holds the room's
//! lease in Redis. Whoever wants into a room gets its owner from Redis (or becomes it), and hands
//! the connection over: from then on what it brings goes to the owner, and what the owner's hub has
//! for it comes back, over a [`link`] that repeats what Redis loses. The node with the socket keeps
//! the socket: it answers pings and watches over the silence itself.
//!
//! What goes wrong ends in one of three ways, none of which touches the media between participants:
//!
//! * a node dies, or a lease or link is lost: the connections that depended on it are told to come
//!   again (`shutting_down`), and come as after any loss;
//! * Redis is away: nobody new gets into a room (`unavailable`); everybody inside stays, for as long
//!   as their sockets do, and what they say to each other across nodes waits;
//! * a node was cut off and its lease has gone to another meanwhile: the room is in two halves until
//!   it hears so; then the old half is told to come again.
//!
//! Pure, like the hub. Inputs by origin: the sockets ([`Cluster::handle`]), Redis
//! ([`Cluster::handle_news`]), time ([`Cluster::handle_timeout`]), the process
//! ([`Cluster::shut_down`]). Outputs: those of the hub for this node's sockets, and [`Command`]s for
//! Redis.

mod guests;
mod link;
mod moving;
mod node;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use quartet_proto::{ClientMessage, ErrorCode, RoomId, ServerMessage, limits::SILENCE_LIMIT};

use self::{
    guests::Guests,
    link::Link,
    moving::{Away, Moving},
    wire::{Body, wanted_room},
};
pub use self::{
    node::Node,
    wire::{Envelope, NodeId},
};
use crate::{ConnId, Hub, HubConfig, Input, Output};

/// How long a room belongs to a node that does not renew its lease: as long as a silent node is
/// believed to live.
pub const LEASE: Duration = Duration::from_secs(5);
/// Leases are renewed this often: three tries may fail.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// After an outage, rooms are claimed only from then on: Redis may have forgotten whose they are, and
/// their owners, back at about the same time, say so first.
const SETTLE: Duration = Duration::from_secs(1);
/// Between two looks at what is overdue.
const TICK: Duration = Duration::from_millis(250);

/// What Redis says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It is reachable, and messages to this node come in.
    Up,
    /// It is not.
    Down,
    /// Whose a room is, if it had no owner since this claim, ours.
    Claimed {
        /// The room.
        room: RoomId,
        /// Its owner.
        owner: NodeId,
        /// When the claim was made, as in [`Command::Claim`].
        asked: Instant,
    },
    /// The answer to [`Command::Renew`].
    Renewed {
        /// The rooms, and whose each is now.
        owners: Vec<(RoomId, NodeId)>,
        /// When it was asked for.
        asked: Instant,
    },
    /// From another node.
    Received(Envelope),
}

/// What Redis is to do. Any of them may be lost, [`Command::Publish`] also repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Make this node the owner of a room that has none, for [`LEASE`], and say who is.
    Claim {
        /// The room.
        room: RoomId,
        /// Comes back in the answer.
        asked: Instant,
    },
    /// Extend these rooms' leases by [`LEASE`] from now, where they are still this node's or
    /// nobody's.
    Renew {
        /// The rooms.
        rooms: Vec<RoomId>,
        /// Comes back in the answer.
        asked: Instant,
    },
    /// Give a lease up, if it is this node's.
    Release {
        /// The room.
        room: RoomId,
    },
    /// Carry this to a node.
    Publish {
        /// The addressee.
        to: NodeId,
        /// What.
        envelope: Envelope,
    },
}

/// One node of several.
#[derive(Debug)]
pub struct Cluster {
    own: NodeId,
    hub: Hub,
    max_connections: usize,
    /// Redis is reachable.
    up: bool,
    /// When [`SETTLE`] is over; set once Redis was away.
    claims_from: Option<Instant>,
    /// The connections whose sockets are here.
    sockets: BTreeSet<ConnId>,
    /// Those of them that live in another node's hub.
    away: BTreeMap<ConnId, Away>,
    /// Those that want into a room whose owner has not let them in yet.
    moving: BTreeMap<ConnId, Moving>,
    last_attempt: u64,
    /// Connections of other nodes that live in this hub.
    guests: Guests,
    links: BTreeMap<NodeId, Link>,
    last_link: u64,
    /// The rooms of this node, and until when they surely are.
    leases: BTreeMap<RoomId, Instant>,
    renew_at: Instant,
    tick_at: Instant,
    outputs: VecDeque<Output>,
    commands: VecDeque<Command>,
}

impl Cluster {
    /// A node without connections. Redis counts as away until the first [`News::Up`].
    #[must_use]
    pub fn new(now: Instant, own: NodeId, config: HubConfig) -> Self {
        let max_connections = config.max_connections;
        // The hub has guests too, and lacks those who are away: counted here.
        let hub = Hub::new(HubConfig { max_connections: usize::MAX, ..config });
        Self {
            own,
            hub,
            max_connections,
            up: false,
            claims_from: None,
            sockets: BTreeSet::new(),
            away: BTreeMap::new(),
            moving: BTreeMap::new(),
            last_attempt: 0,
            guests: Guests::default(),
            links: BTreeMap::new(),
            last_link: 0,
            leases: BTreeMap::new(),
            renew_at: now,
            tick_at: now,
            outputs: VecDeque::new(),
            commands: VecDeque::new(),
        }
    }

    /// As [`Hub::handle`], for the sockets of this node.
    pub fn handle(&mut self, now: Instant, conn: ConnId, input: Input) {
        match input {
            Input::Connected if self.sockets.len() >= self.max_connections => {
                self.refuse(conn, ErrorCode::ServerFull);
                self.outputs.push_back(Output::Close(conn));
            }
            Input::Connected => {
                self.sockets.insert(conn);
                self.hub.handle(now, conn, input);
            }
            Input::Disconnected => self.forget(now, conn),
            input => self.take(now, conn, input),
        }
        self.settle(now);
    }

    /// Takes what Redis says.
    pub fn handle_news(&mut self, now: Instant, news: News) {
        match news {
            News::Up => {
                self.up = true;
                self.claims_from = self.claims_from.map(|_| now + SETTLE);
                self.links.values_mut().for_each(|link| link.resume(now));
                self.renew(now);
            }
            News::Down => {
                // Not before the first `Up`: who was never there has no rooms to lose.
                if std::mem::replace(&mut self.up, false) {
                    self.claims_from = Some(now);
                }
                for conn in self.moving.keys().copied().collect::<Vec<_>>() {
                    self.give_up(now, conn);
                }
            }
            News::Claimed { room, owner, asked } => self.claimed(now, room, owner, asked),
            News::Renewed { owners, asked } => self.renewed(asked, owners),
            News::Received(envelope) if envelope.from != self.own => self.receive(now, envelope),
            News::Received(_) => {}
        }
        self.settle(now);
    }

    /// The next thing to do for a socket.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next thing to do for Redis.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.hub.poll_timeout().map_or(self.tick_at, |wake| wake.min(self.tick_at))
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.tick_at <= now {
            self.tick_at = now + TICK;
            self.tick(now);
        }
        self.hub.handle_timeout(now);
        self.settle(now);
    }

    /// Tells everybody whose socket or room is here to come again, to another node.
    pub fn shut_down(&mut self, now: Instant) {
        for conn in self.away.keys().copied().collect::<Vec<_>>() {
            self.dismiss(now, conn);
        }
        self.hub.shut_down();
        let rooms = std::mem::take(&mut self.leases).into_keys();
        self.commands.extend(rooms.map(|room| Command::Release { room }));
        self.settle(now);
    }

    fn tick(&mut self, now: Instant) {
        self.hurry(now);
        let silent = self.away.iter().filter(|(_, away)| away.heard + SILENCE_LIMIT <= now);
        for conn in silent.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.forget(now, conn);
            self.outputs.push_back(Output::Close(conn));
        }
        if !self.up {
            // Nobody can say that they are alive: everybody is.
            self.guests.all().for_each(|guest| self.hub.alive(now, guest));
            return;
        }
        let dead =
            self.links.iter_mut().filter_map(|(node, link)| (!link.tick(now)).then_some(node));
        for node in dead.cloned().collect::<Vec<_>>() {
            self.links.remove(&node);
            self.broke(now, &node);
        }
        if self.renew_at <= now {
            self.renew(now);
        }
    }

    fn renew(&mut self, now: Instant) {
        self.renew_at = now + RENEW_INTERVAL;
        let (rooms, empty): (Vec<_>, Vec<_>) =
            self.leases.keys().partition(|room| self.hub.has_room(**room));
        for room in empty {
            self.leases.remove(&room);
            self.commands.push_back(Command::Release { room });
        }
        if !rooms.is_empty() {
            self.commands.push_back(Command::Renew { rooms, asked: now });
        }
    }

    fn renewed(&mut self, asked: Instant, owners: Vec<(RoomId, NodeId)>) {
        for (room, owner) in owners {
            if owner != self.own {
                if self.leases.remove(&room).is_some() {
                    self.hub.evict(room);
                }
            } else if let Some(until) = self.leases.get_mut(&room) {
                *until = asked + LEASE;
            }
        }
    }

    /// Whether this participant may come into the room here; `None` when the room is not here.
    fn admits(&self, now: Instant, message: &ClientMessage) -> Option<bool> {
        let room = wanted_room(message)?;
        let until = self.leases.get(&room)?;
        let comes_back = || match message {
            ClientMessage::Join { key, .. } => self.hub.keeps_seat(room, key.peer_id()),
            _ => false,
        };
        // Somebody else's, perhaps, by now: nobody new is let in, but nobody is thrown out.
        Some((self.up && now < *until) || comes_back())
    }

    fn receive(&mut self, now: Instant, envelope: Envelope) {
        let node = envelope.from.clone();
        let is_beat = envelope.letter.is_none();
        let received = self.link(now, &node).receive(now, envelope);
        if received.broke {
            self.broke(now, &node);
        }
        if received.heard && is_beat {
            self.guests.of(&node).for_each(|guest| self.hub.alive(now, guest));
        }
        for body in received.bodies {
            self.act(now, &node, body);
        }
    }

    fn link(&mut self, now: Instant, node: &NodeId) -> &mut Link {
        self.links.entry(node.clone()).or_insert_with(|| {
            self.last_link += 1;
            Link::new(now, self.own.clone(), self.last_link)
        })
    }

    /// Tells a node something about a connection that both know of. `false` when too much waits.
    fn tell(&mut self, now: Instant, node: &NodeId, body: Body) -> bool {
        let vital = !matches!(body, Body::Said { .. } | Body::Send { .. });
        let Some(link) = self.links.get_mut(node) else { return true };
        if let Body::Gone { conn } = body {
            link.take_back_entries(conn);
        }
        match link.push(now, body, vital) {
            Ok(()) => true,
            Err(link::Full) if vital => {
                self.links.remove(node);
                self.broke(now, node);
                true
            }
            Err(link::Full) => false,
        }
    }

    /// What went over the link to this node is no more.
    fn broke(&mut self, now: Instant, node: &NodeId) {
        for guest in self.guests.remove_all(node) {
            self.hub.handle(now, guest, Input::Disconnected);
        }
        for moving in self.moving.values_mut() {
            moving.lost_node(now, node);
        }
        let away = self.away.iter().filter(|(_, away)| away.home == *node);
        for conn in away.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.dismiss(now, conn);
        }
    }

    /// Sends a connection that lives elsewhere to try again.
    fn dismiss(&mut self, now: Instant, conn: ConnId) {
        self.forget(now, conn);
        self.refuse(conn, ErrorCode::ShuttingDown);
        self.outputs.push_back(Output::Close(conn));
    }

    /// A socket of this node is no more.
    fn forget(&mut self, now: Instant, conn: ConnId) {
        self.sockets.remove(&conn);
        let away = self.away.remove(&conn);
        let moving = self.moving.remove(&conn);
        let asked = moving.and_then(|moving| moving.asked_node());
        for node in away.into_iter().map(|away| away.home).chain(asked).collect::<BTreeSet<_>>() {
            self.tell(now, &node, Body::Gone { conn: conn.0 });
        }
        self.hub.handle(now, conn, Input::Disconnected);
    }

    fn refuse(&mut self, conn: ConnId, code: ErrorCode) {
        self.outputs.push_back(Output::Send(conn, Hub::refusal(code, None)));
    }

    /// Gives what the hub and the links have to whom it is for.
    fn settle(&mut self, now: Instant) {
        self.deliver(now);
        for (node, link) in &mut self.links {
            while let Some(envelope) = link.poll() {
                // While Redis is away it waits in the link, to be sent again.
                if self.up {
                    self.commands.push_back(Command::Publish { to: node.clone(), envelope });
                }
            }
        }
    }

    fn deliver(&mut self, now: Instant) {
        while let Some(output) = self.hub.poll() {
            match output {
                Output::Send(conn, message) => self.send(now, conn, message),
                Output::Close(conn) => {
                    if let Some((node, number)) = self.guests.remove(conn) {
                        self.tell(now, &node, Body::Close { conn: number });
                    } else {
                        self.forget(now, conn);
                        self.outputs.push_back(Output::Close(conn));
                    }
                }
            }
        }
    }

    fn send(&mut self, now: Instant, conn: ConnId, message: ServerMessage) {
        let Some((node, number)) = self.guests.node(conn) else {
            return self.outputs.push_back(Output::Send(conn, message));
        };
        if !self.tell(now, &node, Body::Send { conn: number, message }) {
            self.guests.remove(conn);
            self.hub.handle(now, conn, Input::Disconnected);
            self.tell(now, &node, Body::Close { conn: number });
        }
    }
}
