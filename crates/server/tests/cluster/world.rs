//! Nodes, a Redis and clients that do what the protocol asks of them, in one virtual time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use fastrand::Rng;
use quartet_proto::{
    ClientMessage, ErrorCode, MediaState, PROTOCOL_VERSION, PeerId, RoomId, RoomPolicy,
    ServerMessage, SessionKey, limits::PING_INTERVAL,
};
use quartet_server::{Cluster, Command, ConnId, HubConfig, Input, LEASE, News, NodeId, Output};

pub(crate) const ROOM_SIZE: usize = 4;
/// Time goes on in such steps.
const STEP: Duration = Duration::from_millis(5);

/// What carries messages between nodes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Of a hundred messages from node to node, so many are lost.
    pub(crate) lost: u32,
    /// And so many come twice.
    pub(crate) twice: u32,
    /// Each takes up to this long, on its own: they overtake each other.
    pub(crate) scatter: Duration,
}

struct Node {
    cluster: Cluster,
    id: NodeId,
    /// It has a connection to Redis.
    linked: bool,
    /// And notices when it has none from then on.
    notices_at: Option<Instant>,
    /// The latest time at which something was sent to Redis: commands stay in order.
    last_command: Instant,
}

#[derive(Debug)]
enum Errand {
    Command(usize, NodeId, Command),
    News(NodeId, News),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Without a connection, until then.
    Out(Instant),
    Joining,
    In,
    /// Does not want to be in.
    Idle,
}

pub(crate) struct Client {
    number: usize,
    pub(crate) stage: Stage,
    place: Option<(usize, NodeId, ConnId)>,
    pub(crate) others: BTreeSet<PeerId>,
    ping_at: Instant,
    /// Epochs of `negotiate` messages that came, by sender.
    pub(crate) heard: Vec<(PeerId, u32)>,
    /// How many times it was refused as `unavailable`.
    pub(crate) unavailable: usize,
    /// How many times its connection ended by the server's will.
    pub(crate) closed: usize,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) weather: Weather,
    nodes: Vec<Option<Node>>,
    started: u64,
    redis_up: bool,
    leases: BTreeMap<RoomId, (NodeId, Instant)>,
    errands: Vec<(Instant, u64, Errand)>,
    errand_count: u64,
    next_conn: u64,
    pub(crate) clients: Vec<Client>,
    pub(crate) published: usize,
}

pub(crate) fn key(number: usize) -> SessionKey {
    SessionKey::from_bytes((number as u128 + 1).to_be_bytes())
}

pub(crate) fn room(number: usize) -> RoomId {
    RoomId::from_bytes((number as u128 + 1).to_be_bytes())
}

impl World {
    /// All nodes up, all clients out: four to each room.
    pub(crate) fn new(seed: u64, nodes: usize, clients: usize) -> Self {
        let now = Instant::now();
        let mut world = Self {
            now,
            rng: Rng::with_seed(seed),
            weather: Weather::default(),
            nodes: (0..nodes).map(|_| None).collect(),
            started: 0,
            redis_up: true,
            leases: BTreeMap::new(),
            errands: Vec::new(),
            errand_count: 0,
            next_conn: 0,
            clients: (0..clients).map(|number| Client::new(number, now)).collect(),
            published: 0,
        };
        (0..nodes).for_each(|node| world.start_node(node));
        world
    }

    pub(crate) fn start_node(&mut self, place: usize) {
        if self.nodes[place].is_some() {
            return;
        }
        self.started += 1;
        let id = NodeId::new(&format!("n{place}"), self.started);
        let cluster = Cluster::new(self.now, id.clone(), HubConfig::default());
        let linked = self.redis_up;
        let mut node = Node { cluster, id, linked, notices_at: None, last_command: self.now };
        if linked {
            node.cluster.handle_news(self.now, News::Up);
        }
        self.nodes[place] = Some(node);
    }

    /// Without a word, as SIGKILL does.
    pub(crate) fn kill_node(&mut self, place: usize) {
        self.nodes[place] = None;
        for client in &mut self.clients {
            if client.place.as_ref().is_some_and(|(at, ..)| *at == place) {
                client.lose(self.now, &mut self.rng);
            }
        }
    }

    pub(crate) fn shut_node_down(&mut self, place: usize) {
        if let Some(node) = &mut self.nodes[place] {
            node.cluster.shut_down(self.now);
            self.drain(place);
            self.kill_node(place);
        }
    }

    /// Cuts a node off from Redis, or heals it. It may take a while to notice.
    pub(crate) fn link(&mut self, place: usize, linked: bool) {
        let linked = linked && self.redis_up;
        let notices_at = self.now + Duration::from_millis(self.rng.u64(1..3_000));
        let Some(node) = &mut self.nodes[place] else { return };
        if linked == node.linked {
            return;
        }
        node.linked = linked;
        if !linked {
            node.notices_at = Some(notices_at);
        } else if node.notices_at.take().is_some() {
            // It comes to know both at once.
            node.cluster.handle_news(self.now, News::Down);
            node.cluster.handle_news(self.now, News::Up);
        } else {
            node.cluster.handle_news(self.now, News::Up);
        }
        self.drain(place);
    }

    pub(crate) fn redis(&mut self, up: bool, emptied: bool) {
        self.redis_up = up;
        if emptied {
            self.leases.clear();
        }
        for place in 0..self.nodes.len() {
            self.link(place, up);
        }
    }

    pub(crate) fn wants(&mut self, number: usize, wanted: bool) {
        let client = &mut self.clients[number];
        match (wanted, client.stage == Stage::Idle) {
            (true, true) => client.stage = Stage::Out(self.now),
            (false, false) => {
                if client.stage == Stage::In {
                    self.say(number, ClientMessage::Leave);
                }
                self.hang_up(number);
                self.clients[number].stage = Stage::Idle;
            }
            _ => {}
        }
    }

    /// The socket ends, at the client's side.
    pub(crate) fn hang_up(&mut self, number: usize) {
        let place = self.clients[number].place.clone();
        self.clients[number].lose(self.now, &mut self.rng);
        if let Some((place, id, conn)) = place
            && let Some(node) = self.nodes[place].as_mut().filter(|node| node.id == id)
        {
            node.cluster.handle(self.now, conn, Input::Disconnected);
            self.drain(place);
        }
    }

    pub(crate) fn say(&mut self, number: usize, message: ClientMessage) {
        if let Some((place, id, conn)) = self.clients[number].place.clone()
            && let Some(node) = self.nodes[place].as_mut().filter(|node| node.id == id)
        {
            node.cluster.handle(self.now, conn, Input::Message(message));
            self.drain(place);
        }
    }

    /// Connects a client to that node, and lets it ask for its room.
    pub(crate) fn connect(&mut self, number: usize, place: usize) {
        let Some(node) = &mut self.nodes[place] else { return };
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        node.cluster.handle(self.now, conn, Input::Connected);
        let client = &mut self.clients[number];
        client.place = Some((place, node.id.clone(), conn));
        client.stage = Stage::Joining;
        client.ping_at = self.now + PING_INTERVAL;
        let hello = ClientMessage::Hello { version: PROTOCOL_VERSION, client: String::new() };
        self.say(number, hello);
        self.say(number, join(number));
    }

    pub(crate) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        while self.now < end {
            self.now += STEP;
            self.carry();
            for place in 0..self.nodes.len() {
                let Some(node) = &mut self.nodes[place] else { continue };
                if node.notices_at.is_some_and(|at| at <= self.now) {
                    node.notices_at = None;
                    node.cluster.handle_news(self.now, News::Down);
                }
                node.cluster.handle_timeout(self.now);
                self.drain(place);
            }
            for number in 0..self.clients.len() {
                self.step_client(number);
            }
        }
    }

    fn step_client(&mut self, number: usize) {
        let now = self.now;
        let client = &mut self.clients[number];
        if let Stage::Out(until) = client.stage
            && until <= now
        {
            let alive: Vec<usize> =
                (0..self.nodes.len()).filter(|place| self.nodes[*place].is_some()).collect();
            if client.place.is_some() {
                // Refused, on a connection that stays.
                client.stage = Stage::Joining;
                self.say(number, join(number));
            } else if let Some(place) = self.rng.choice(alive) {
                self.connect(number, place);
            }
        } else if client.place.is_some() && client.ping_at <= now {
            client.ping_at = now + PING_INTERVAL;
            self.say(number, ClientMessage::Ping { nonce: 0 });
        }
    }

    /// Does what is due at Redis and on the way from it.
    fn carry(&mut self) {
        loop {
            let next =
                (0..self.errands.len()).min_by_key(|n| (self.errands[*n].0, self.errands[*n].1));
            let Some(next) = next.filter(|next| self.errands[*next].0 <= self.now) else { return };
            match self.errands.swap_remove(next).2 {
                Errand::Command(place, id, command) => self.at_redis(place, &id, command),
                Errand::News(id, news) => {
                    let place = self.nodes.iter().position(|node| {
                        node.as_ref().is_some_and(|node| node.id == id && node.linked)
                    });
                    if let Some(place) = place
                        && let Some(node) = &mut self.nodes[place]
                    {
                        node.cluster.handle_news(self.now, news);
                        self.drain(place);
                    }
                }
            }
        }
    }

    fn at_redis(&mut self, place: usize, id: &NodeId, command: Command) {
        let linked = self.nodes[place].as_ref().is_none_or(|node| node.linked || node.id != *id);
        if !self.redis_up || !linked {
            return;
        }
        match command {
            Command::Claim { room, asked } => {
                let owner = self.claim(room, id);
                self.answer(id, News::Claimed { room, owner, asked });
            }
            Command::Renew { rooms, asked } => {
                let owners = rooms.into_iter().map(|room| (room, self.claim(room, id))).collect();
                self.answer(id, News::Renewed { owners, asked });
            }
            Command::Release { room } => {
                if self.leases.get(&room).is_some_and(|(owner, _)| owner == id) {
                    self.leases.remove(&room);
                }
            }
            Command::Publish { to, envelope } => {
                self.published += 1;
                let Weather { lost, twice, scatter } = self.weather;
                if self.rng.u32(0..100) < lost {
                    return;
                }
                let copies = 1 + u32::from(self.rng.u32(0..100) < twice);
                for _ in 0..copies {
                    let most = 1 + u64::try_from(scatter.as_millis()).unwrap();
                    let delay = Duration::from_millis(self.rng.u64(0..most));
                    let news = News::Received(envelope.clone());
                    self.later(self.now + delay, Errand::News(to.clone(), news));
                }
            }
        }
    }

    fn claim(&mut self, room: RoomId, id: &NodeId) -> NodeId {
        let until = self.now + LEASE;
        let lease = self.leases.entry(room).or_insert_with(|| (id.clone(), until));
        if lease.0 == *id || lease.1 <= self.now {
            *lease = (id.clone(), until);
        }
        lease.0.clone()
    }

    fn answer(&mut self, id: &NodeId, news: News) {
        let delay = Duration::from_millis(self.rng.u64(0..10));
        self.later(self.now + delay, Errand::News(id.clone(), news));
    }

    fn later(&mut self, at: Instant, errand: Errand) {
        self.errand_count += 1;
        self.errands.push((at, self.errand_count, errand));
    }

    /// What a node has for its clients and for Redis.
    fn drain(&mut self, place: usize) {
        loop {
            let Some(node) = &mut self.nodes[place] else { return };
            let id = node.id.clone();
            if let Some(command) = node.cluster.poll_command() {
                let delay = Duration::from_millis(self.rng.u64(0..10));
                node.last_command = node.last_command.max(self.now + delay);
                let at = node.last_command;
                self.later(at, Errand::Command(place, id, command));
                continue;
            }
            let Some(output) = node.cluster.poll() else { return };
            let (Output::Send(conn, _) | Output::Close(conn)) = &output;
            let at = (place, id, *conn);
            let client = self.clients.iter_mut().find(|it| it.place.as_ref() == Some(&at));
            let Some(client) = client else { continue };
            match output {
                Output::Send(_, message) => client.hear(self.now, message),
                Output::Close(_) => {
                    client.closed += 1;
                    client.lose(self.now, &mut self.rng);
                }
            }
        }
    }

    /// Everybody who wants in is in, and sees exactly the others of their room who are.
    pub(crate) fn check_agreement(&self) {
        for client in &self.clients {
            if client.stage == Stage::Idle {
                continue;
            }
            assert_eq!(client.stage, Stage::In, "client {}", client.number);
            let others: BTreeSet<PeerId> = self
                .clients
                .iter()
                .filter(|other| other.number / ROOM_SIZE == client.number / ROOM_SIZE)
                .filter(|other| other.number != client.number && other.stage != Stage::Idle)
                .map(|other| key(other.number).peer_id())
                .collect();
            assert_eq!(client.others, others, "client {}", client.number);
        }
    }
}

impl Client {
    fn new(number: usize, now: Instant) -> Self {
        Self {
            number,
            stage: Stage::Idle,
            place: None,
            others: BTreeSet::new(),
            ping_at: now,
            heard: Vec::new(),
            unavailable: 0,
            closed: 0,
        }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    fn lose(&mut self, now: Instant, rng: &mut Rng) {
        self.place = None;
        if self.stage != Stage::Idle {
            self.stage = Stage::Out(now + Duration::from_millis(rng.u64(300..1_500)));
        }
    }

    fn hear(&mut self, now: Instant, message: ServerMessage) {
        match message {
            ServerMessage::Welcome { peers, you, .. } => {
                assert_eq!(you, key(self.number).peer_id());
                self.stage = Stage::In;
                self.others = peers.into_iter().map(|peer| peer.id).collect();
            }
            ServerMessage::PeerJoined { peer } => {
                self.others.insert(peer.id);
            }
            ServerMessage::PeerLeft { peer, .. } => {
                self.others.remove(&peer);
            }
            ServerMessage::Negotiate { from, epoch, .. } => {
                let of = |peer| (0..).take(1_000).find(|n| key(*n).peer_id() == peer).unwrap();
                assert_eq!(of(from) / ROOM_SIZE, self.number / ROOM_SIZE, "of another room");
                self.heard.push((from, epoch));
            }
            ServerMessage::Error { code: ErrorCode::Unavailable, .. } => {
                self.unavailable += 1;
                self.stage = Stage::Out(now + Duration::from_millis(500));
            }
            ServerMessage::Error { code: ErrorCode::ShuttingDown, .. } => {}
            ServerMessage::Error { code: ErrorCode::UnknownPeer, .. } => {}
            ServerMessage::Error { code, message } => {
                panic!("client {}: {code:?}: {message}", self.number)
            }
            _ => {}
        }
    }
}

fn join(number: usize) -> ClientMessage {
    ClientMessage::Join {
        room: room(number / ROOM_SIZE),
        key: key(number),
        name: format!("Guest {number}"),
        media: MediaState::default(),
        policy: RoomPolicy::default(),
        members: None,
    }
}
