//! Everything at once: many clients, few rooms and keys, random inputs and random time.
//!
//! Each connection keeps the view of its room that a client would keep. After every step all views
//! of a room must agree, whatever came before.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::{Duration, Instant},
};

use fastrand::Rng;
use quartet_proto::{
    Candidate, ClientMessage, DescriptionKind, ErrorCode, MediaState, PROTOCOL_VERSION, PeerId,
    PeerInfo, Proof, RoomId, RoomPolicy, ServerMessage, SessionKey, Word,
    limits::{MAX_WAITING, RESUME_GRACE, ROOM_CAPACITY, SILENCE_LIMIT},
};
use quartet_server::{ConnId, Hub, HubConfig, Input, Output};

const SEEDS: u64 = 150;
const STEPS: usize = 2_500;
const MAX_CONNECTIONS: usize = 14;
const MAX_ROOMS: usize = 3;

#[test]
fn any_order_of_events_keeps_the_rules() {
    let (mut joins, mut relays, mut admissions, mut refusals) = (0, 0, 0, HashSet::new());
    for seed in 0..SEEDS {
        // Shown when the test fails: the last one is to blame.
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
            world.check();
        }
        world.end();
        joins += world.joins;
        relays += world.relays;
        admissions += world.admissions;
        refusals.extend(world.refusals);
    }
    // Random steps that all bounce off, or never, would prove little.
    println!(
        "{joins} joins, {admissions} let in, {relays} messages relayed, refused with {refusals:?}"
    );
    assert!(joins > SEEDS * 50 && relays > SEEDS * 50 && admissions > SEEDS);
    assert_eq!(refusals.len(), 14, "all but `shutting_down`");
}

/// What a client in a room knows.
struct View {
    room: RoomId,
    you: PeerId,
    others: BTreeMap<PeerId, PeerInfo>,
    policy: RoomPolicy,
    knocking: BTreeMap<PeerId, PeerInfo>,
}

struct Client {
    heard: Instant,
    view: Option<View>,
    watching: Option<(RoomId, Vec<PeerInfo>, RoomPolicy)>,
    waiting: Option<(RoomId, PeerId)>,
}

/// What a client asks for with `join` or `watch`.
#[derive(Clone, Copy)]
struct Asked {
    conn: ConnId,
    room: RoomId,
    you: Option<PeerId>,
}

struct World {
    rng: Rng,
    hub: Hub,
    now: Instant,
    clients: BTreeMap<ConnId, Client>,
    next_conn: u64,
    /// Relayed messages on their way, by the number hidden in them.
    under_way: BTreeMap<u32, (RoomId, PeerId)>,
    next_tag: u32,
    joins: u64,
    relays: u64,
    admissions: u64,
    refusals: HashSet<ErrorCode>,
}

impl World {
    fn new(seed: u64) -> Self {
        let config = HubConfig {
            max_connections: MAX_CONNECTIONS,
            max_rooms: MAX_ROOMS,
            ..HubConfig::default()
        };
        Self {
            rng: Rng::with_seed(seed),
            hub: Hub::new(config),
            now: Instant::now(),
            clients: BTreeMap::new(),
            next_conn: 0,
            under_way: BTreeMap::new(),
            next_tag: 0,
            joins: 0,
            relays: 0,
            admissions: 0,
            refusals: HashSet::new(),
        }
    }

    fn step(&mut self) {
        match self.rng.u8(0..100) {
            0..10 => self.connect(),
            10..14 => self.with_client(|world, conn| {
                world.clients.remove(&conn);
                world.input(conn, Input::Disconnected);
            }),
            14..24 => {
                let time = Duration::from_millis(self.rng.u64(0..1_500));
                self.pass(time);
            }
            24..27 => {
                let input = match self.rng.u8(0..8) {
                    0 => Input::TooLarge,
                    1..4 => Input::RateLimited,
                    _ => Input::Unreadable("what?".into()),
                };
                self.with_client(|world, conn| world.client_input(conn, input));
            }
            _ => self.with_client(|world, conn| {
                let message = world.message(conn);
                world.client_input(conn, Input::Message(message));
            }),
        }
    }

    fn connect(&mut self) {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let full = self.clients.len() >= MAX_CONNECTIONS;
        self.clients
            .insert(conn, Client { heard: self.now, view: None, watching: None, waiting: None });
        self.input(conn, Input::Connected);
        assert_eq!(full, !self.clients.contains_key(&conn), "refused exactly when full");
        if !full && self.rng.u8(0..10) > 0 {
            let hello = ClientMessage::Hello { version: PROTOCOL_VERSION, client: "test".into() };
            self.client_input(conn, Input::Message(hello));
        }
    }

    fn message(&mut self, conn: ConnId) -> ClientMessage {
        let room = RoomId::from_bytes([self.rng.u8(0..4); 16]);
        let key = SessionKey::from_bytes([self.rng.u8(0..9); 16]);
        let media = MediaState {
            muted: self.rng.bool(),
            camera_off: self.rng.bool(),
            ..MediaState::default()
        };
        let epoch = self.next_tag;
        match self.rng.u8(0..46) {
            0 => ClientMessage::Hello { version: self.rng.u32(0..3), client: String::new() },
            1..4 => ClientMessage::Watch { room },
            4..14 => {
                let name = if self.rng.u8(0..10) > 0 { "Malee" } else { "\u{202E}" };
                let policy = self.policy();
                let members = (self.rng.u8(0..4) == 0)
                    .then(|| (0..self.rng.usize(0..3)).map(|_| self.somebody()).collect());
                ClientMessage::Join { room, key, name: name.into(), media, policy, members }
            }
            40..42 => ClientMessage::Policy { policy: self.policy() },
            42..44 => ClientMessage::Admit { peer: self.knocker(conn) },
            44 => ClientMessage::Refuse { peer: self.knocker(conn) },
            45 => ClientMessage::Remove { peer: self.addressee(conn) },
            14..17 => ClientMessage::Media { media },
            17..20 => ClientMessage::Leave,
            20..26 => ClientMessage::Ping { nonce: epoch },
            kind => {
                let to = self.addressee(conn);
                self.next_tag += 1;
                if let Some(view) = &self.clients[&conn].view {
                    self.under_way.insert(epoch, (view.room, to));
                }
                match kind {
                    26..31 => ClientMessage::Description {
                        to,
                        epoch,
                        kind: DescriptionKind::Offer,
                        sdp: "v=0".into(),
                        proof: Proof {
                            word: Word::from_bytes([1; 32]),
                            mac: Word::from_bytes([2; 32]),
                        },
                    },
                    31..36 => ClientMessage::Candidate {
                        to,
                        epoch,
                        candidate: Candidate {
                            candidate: String::new(),
                            sdp_mid: None,
                            sdp_mline_index: None,
                            username_fragment: None,
                        },
                    },
                    _ => ClientMessage::Negotiate { to, epoch, renew: false },
                }
            }
        }
    }

    /// Mostly somebody in the same room; else anybody, there or not.
    fn addressee(&mut self, conn: ConnId) -> PeerId {
        let known: Vec<PeerId> =
            self.clients[&conn].view.iter().flat_map(|view| view.others.keys().copied()).collect();
        match self.rng.choice(known) {
            Some(peer) if self.rng.u8(0..5) > 0 => peer,
            _ => self.somebody(),
        }
    }

    fn knocker(&mut self, conn: ConnId) -> PeerId {
        let view = self.clients[&conn].view.as_ref();
        let known: Vec<PeerId> =
            view.iter().flat_map(|view| view.knocking.keys().copied()).collect();
        match self.rng.choice(known) {
            Some(peer) if self.rng.u8(0..5) > 0 => peer,
            _ => self.somebody(),
        }
    }

    fn somebody(&mut self) -> PeerId {
        SessionKey::from_bytes([self.rng.u8(0..9); 16]).peer_id()
    }

    /// Mostly open, as else nobody gets anywhere.
    fn policy(&mut self) -> RoomPolicy {
        match self.rng.u8(0..10) {
            0..5 => RoomPolicy::Open,
            5..9 => RoomPolicy::Knock,
            _ => RoomPolicy::Locked,
        }
    }

    fn with_client(&mut self, action: impl FnOnce(&mut Self, ConnId)) {
        let conns: Vec<ConnId> = self.clients.keys().copied().collect();
        if let Some(conn) = self.rng.choice(conns) {
            action(self, conn);
        }
    }

    /// Something from a client, and that it is answered as the protocol says.
    fn client_input(&mut self, conn: ConnId, input: Input) {
        let client = self.clients.get_mut(&conn).expect("there");
        client.heard = self.now;
        // They forget on their own what they leave.
        if matches!(&input, Input::Message(ClientMessage::Leave)) {
            client.view = None;
            client.watching = None;
            client.waiting = None;
        }
        let asks = match &input {
            Input::Message(ClientMessage::Join { .. }) => Some("welcome"),
            Input::Message(ClientMessage::Hello { .. }) => Some("hello"),
            Input::Message(ClientMessage::Watch { .. }) => Some("roster"),
            Input::Message(ClientMessage::Ping { .. }) => Some("pong"),
            _ => None,
        };
        let asked = match &input {
            Input::Message(ClientMessage::Join { room, key, .. }) => {
                Some(Asked { conn, room: *room, you: Some(key.peer_id()) })
            }
            Input::Message(ClientMessage::Watch { room }) => {
                Some(Asked { conn, room: *room, you: None })
            }
            _ => None,
        };
        self.hub.handle(self.now, conn, input);
        let outputs = self.outputs();
        if let Some(wanted) = asks {
            let answered = outputs.iter().any(|output| match output {
                Output::Send(to, message) if *to == conn => {
                    let kind = match message {
                        ServerMessage::Hello { .. } => "hello",
                        ServerMessage::Welcome { .. } | ServerMessage::Waiting => "welcome",
                        ServerMessage::Roster { .. } => "roster",
                        ServerMessage::Pong { .. } => "pong",
                        ServerMessage::Error { .. } => wanted,
                        _ => "",
                    };
                    kind == wanted
                }
                _ => false,
            });
            assert!(answered, "{wanted} is given or refused: {outputs:?}");
        }
        self.receive(outputs, asked);
    }

    fn input(&mut self, conn: ConnId, input: Input) {
        self.hub.handle(self.now, conn, input);
        let outputs = self.outputs();
        self.receive(outputs, None);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.hub.poll_timeout().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.hub.handle_timeout(self.now);
            let outputs = self.outputs();
            self.receive(outputs, None);
        }
        self.now = end;
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.hub.poll()).collect()
    }

    /// What clients make of what they are sent; `asked` is who asked for which room.
    fn receive(&mut self, outputs: Vec<Output>, asked: Option<Asked>) {
        for output in outputs {
            let (conn, message) = match output {
                Output::Close(conn) => {
                    assert!(self.clients.remove(&conn).is_some(), "closed once");
                    continue;
                }
                Output::Send(conn, message) => (conn, message),
            };
            if let ServerMessage::Error { code, .. } = &message {
                self.refusals.insert(*code);
            }
            let client = self.clients.get_mut(&conn).expect("nothing is sent after the end");
            let asked = asked.filter(|asked| asked.conn == conn);
            match message {
                // Nobody says it here.
                ServerMessage::Confirm { .. } => panic!("a confirmation from nowhere"),
                ServerMessage::Waiting => {
                    assert!(client.view.is_none() && client.waiting.is_none());
                    client.watching = None;
                    let asked = asked.expect("only a join is answered so");
                    client.waiting = Some((asked.room, asked.you.expect("a key")));
                }
                ServerMessage::Welcome { you, peers, policy, knocking, .. } => {
                    assert!(client.view.is_none());
                    client.watching = None;
                    self.admissions += u64::from(client.waiting.is_some());
                    let waited = client.waiting.take().map(|(room, _)| room);
                    let knocking = knocking.into_iter().map(|peer| (peer.id, peer)).collect();
                    let others: BTreeMap<_, _> =
                        peers.into_iter().map(|peer| (peer.id, peer)).collect();
                    let room = asked.map(|asked| asked.room).or(waited);
                    let room = room.expect("only a join is welcomed");
                    client.view = Some(View { room, you, others, policy, knocking });
                    self.joins += 1;
                }
                ServerMessage::Roster { peers, policy } => {
                    let watched = client.watching.as_ref().map(|(room, ..)| *room);
                    let room = asked.map(|asked| asked.room).or(watched);
                    let room = room.expect("only watchers get rosters");
                    client.watching = Some((room, peers, policy));
                }
                ServerMessage::Knock { peer } => {
                    let view = client.view.as_mut().expect("in a room");
                    assert_eq!(view.policy, RoomPolicy::Knock);
                    assert!(view.knocking.insert(peer.id, peer).is_none(), "knocks once");
                }
                ServerMessage::KnockOver { peer } => {
                    let view = client.view.as_mut().expect("in a room");
                    assert!(view.knocking.remove(&peer).is_some(), "knocked");
                }
                ServerMessage::Policy { policy, by } => {
                    let view = client.view.as_mut().expect("in a room");
                    assert!(by == view.you || view.others.contains_key(&by));
                    assert_ne!(std::mem::replace(&mut view.policy, policy), policy, "news only");
                }
                ServerMessage::PeerJoined { peer } => {
                    let view = client.view.as_mut().expect("in a room");
                    assert_ne!(peer.id, view.you);
                    assert!(view.others.insert(peer.id, peer).is_none(), "came once");
                }
                ServerMessage::PeerLeft { peer, by, .. } => {
                    let view = client.view.as_mut().expect("in a room");
                    assert!(by.is_none_or(|by| by == view.you || view.others.contains_key(&by)));
                    assert!(view.others.remove(&peer).is_some(), "was there");
                }
                ServerMessage::PeerMedia { peer, media } => {
                    let view = client.view.as_mut().expect("in a room");
                    let known = view.others.get_mut(&peer).expect("is there");
                    assert_ne!(known.media, media, "news only");
                    known.media = media;
                }
                ServerMessage::Description { from, epoch, .. }
                | ServerMessage::Candidate { from, epoch, .. }
                | ServerMessage::Negotiate { from, epoch, .. } => {
                    let view = client.view.as_ref().expect("in a room");
                    assert!(view.others.contains_key(&from), "from somebody in the room");
                    let (room, to) = self.under_way.remove(&epoch).expect("sent, and only once");
                    assert_eq!((room, to), (view.room, view.you), "where it was meant to go");
                    self.relays += 1;
                }
                ServerMessage::Error { code: ErrorCode::Replaced | ErrorCode::Removed, .. } => {
                    client.view = None;
                    client.waiting = None;
                }
                // While one waits, these can be nothing but its end.
                ServerMessage::Error {
                    code: ErrorCode::RoomFull | ErrorCode::RoomLocked | ErrorCode::Refused,
                    ..
                } => client.waiting = None,
                ServerMessage::Hello { .. }
                | ServerMessage::Pong { .. }
                | ServerMessage::IceServers { .. }
                | ServerMessage::Error { .. } => {}
            }
        }
        // What was not delivered at once never will be.
        self.under_way.clear();
    }

    fn check(&self) {
        let mut rooms: BTreeMap<RoomId, Vec<&View>> = BTreeMap::new();
        let mut waiting: BTreeMap<RoomId, BTreeSet<PeerId>> = BTreeMap::new();
        for client in self.clients.values() {
            let silence = self.now - client.heard;
            assert!(silence < SILENCE_LIMIT, "silent for {silence:?} and still connected");
            if let Some(view) = &client.view {
                rooms.entry(view.room).or_default().push(view);
                assert!(client.waiting.is_none());
            }
            if let Some((room, you)) = client.waiting {
                assert!(waiting.entry(room).or_default().insert(you), "once");
            }
        }
        for (room, views) in &rooms {
            let waiting = waiting.remove(room).unwrap_or_default();
            assert!(waiting.len() <= MAX_WAITING);
            let everybody = |view: &View| {
                view.others.keys().copied().chain([view.you]).collect::<BTreeSet<_>>()
            };
            let first = everybody(views[0]);
            assert!(first.len() <= ROOM_CAPACITY);
            for view in views {
                assert_eq!(everybody(view), first, "all see the same people");
                let knocking: BTreeSet<PeerId> = view.knocking.keys().copied().collect();
                assert_eq!(knocking, waiting, "all see who waits");
                assert_eq!(view.policy, views[0].policy, "all know the policy");
                assert!(view.policy == RoomPolicy::Knock || waiting.is_empty());
                for other in views {
                    for (id, info) in &view.others {
                        assert!(other.others.get(id).is_none_or(|theirs| theirs == info));
                    }
                }
            }
        }
        for (room, roster, policy) in
            self.clients.values().filter_map(|client| client.watching.as_ref())
        {
            assert!(roster.len() <= ROOM_CAPACITY);
            for view in rooms.get(room).into_iter().flatten() {
                let ids: BTreeSet<PeerId> = roster.iter().map(|peer| peer.id).collect();
                let expected: BTreeSet<PeerId> =
                    view.others.keys().copied().chain([view.you]).collect();
                assert_eq!(ids, expected, "a watcher sees who is in");
                assert_eq!(*policy, view.policy, "and who gets in");
                for peer in roster {
                    assert!(view.others.get(&peer.id).is_none_or(|theirs| theirs == peer));
                }
            }
        }
    }

    /// Everybody goes; then nothing is left, and the places are free again.
    fn end(&mut self) {
        for conn in std::mem::take(&mut self.clients).into_keys() {
            self.hub.handle(self.now, conn, Input::Disconnected);
        }
        self.outputs();
        self.now += SILENCE_LIMIT + RESUME_GRACE;
        self.hub.handle_timeout(self.now);
        assert_eq!(self.outputs(), []);
        assert_eq!(self.hub.poll_timeout(), None);
        for n in 0..u8::try_from(MAX_ROOMS).expect("few") {
            self.connect();
            let conn = ConnId(self.next_conn - 1);
            let hello = ClientMessage::Hello { version: PROTOCOL_VERSION, client: "test".into() };
            self.client_input(conn, Input::Message(hello));
            let before = self.joins;
            let (room, key) = (RoomId::from_bytes([100 + n; 16]), SessionKey::from_bytes([n; 16]));
            let (name, media) = ("Last".into(), MediaState::default());
            let (policy, members) = (RoomPolicy::Open, None);
            let join = ClientMessage::Join { room, key, name, media, policy, members };
            self.client_input(conn, Input::Message(join));
            assert_eq!(self.joins, before + 1, "no place has leaked");
        }
    }
}
