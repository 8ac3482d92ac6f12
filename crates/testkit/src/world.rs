//! A whole room under virtual time: real sessions, the real hub, simulated sockets and links.
//! Long because it has one short method for each fault and for each thing that tests look at.
//!
//! Everything happens on one thread, in an order that the seed decides. Faults are told to the
//! world ([`World::drop_socket`], [`World::stop_server`], [`World::cut_path`]…), and what a session
//! may never do (send without a socket, open a link twice, wake for nothing without end) panics
//! there and then.

mod link;
mod person;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    time::{Duration, Instant},
};

use quartet_core::{
    LinkEvent, LinkState,
    session::{Connection, Input, Output, Session, SessionConfig, SessionEvent},
};
use quartet_proto::{
    ClientMessage, Epoch, Fingerprint, LinkSecret, MediaState, NonceSeed, PeerId, PeerMessage,
    RoomPolicy, ServerMessage, SessionKey,
};
use quartet_server::{ConnId, Hub, HubConfig, Input as HubInput, Output as HubOutput};

use self::link::SimLink;
pub use self::person::{Person, Teardown, View};

/// How often the simulated links look at their paths.
const TICK: Duration = Duration::from_millis(50);
/// From one participant to another, past the server; always the same, so that the order is kept.
const WORD_DELAY: Duration = Duration::from_millis(20);
/// More things at one instant than this are an endless loop.
const MAX_AT_ONCE: u32 = 2_000;

/// Somebody in the world, by number.
pub type Who = usize;

#[derive(Debug)]
enum Happening {
    Tick,
    Opened { socket: u64 },
    Refused { socket: u64 },
    ToServer { socket: u64, message: ClientMessage },
    ToClient { socket: u64, message: ServerMessage },
    ServerSeesEnd { socket: u64 },
    ClientSeesEnd { socket: u64 },
    LinkSays { who: Who, peer: PeerId, epoch: Epoch, event: LinkEvent },
    PeerSays { who: Who, peer: PeerId, message: PeerMessage },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SocketState {
    Working,
    /// Nothing passes, and nobody is told.
    Silent,
    /// Nothing passes, and both ends notice.
    Broken,
}

#[derive(Debug)]
struct Socket {
    owner: Who,
    /// Which run of the server it goes to.
    server: u64,
    state: SocketState,
    /// Each direction keeps its order.
    last_up: Instant,
    last_down: Instant,
}

/// What a dishonest server passes on in the place of a message.
struct Corruption(Box<dyn FnMut(ServerMessage) -> Vec<ServerMessage>>);

impl fmt::Debug for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Corruption")
    }
}

/// See the module's head.
#[derive(Debug)]
pub struct World {
    now: Instant,
    start: Instant,
    random: fastrand::Rng,
    queue: BTreeMap<(Instant, u64), Happening>,
    serial: u64,
    hub: Option<Hub>,
    /// Counts the runs of the server.
    server: u64,
    sockets: BTreeMap<u64, Socket>,
    people: Vec<Person>,
    cut: BTreeSet<(Who, Who)>,
    corruptions: BTreeMap<Who, Corruption>,
    latency: Range<Duration>,
    /// Restarting ICE drops the old path at once, as webrtc-rs does; browsers keep it.
    restart_drops_path: bool,
}

impl World {
    /// An empty room with a running server.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let start = Instant::now();
        let mut random = fastrand::Rng::with_seed(seed);
        let restart_drops_path = random.bool();
        let mut world = Self {
            now: start,
            start,
            random,
            queue: BTreeMap::new(),
            serial: 0,
            hub: Some(Hub::new(HubConfig::default())),
            server: 0,
            sockets: BTreeMap::new(),
            people: Vec::new(),
            cut: BTreeSet::new(),
            corruptions: BTreeMap::new(),
            latency: Duration::from_millis(1)..Duration::from_millis(60),
            restart_drops_path,
        };
        world.schedule(start, Happening::Tick);
        world
    }

    /// The virtual time since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Somebody comes into the room.
    pub fn join(&mut self) -> Who {
        self.join_with(RoomPolicy::Open)
    }

    /// Somebody comes into the room, and chooses who else may, if nobody is there.
    pub fn join_with(&mut self, policy: RoomPolicy) -> Who {
        self.enter(&LinkSecret::from_bytes([7; 16]), policy)
    }

    /// Somebody comes into the room who claims to have the link, and has another one.
    pub fn join_as_impostor(&mut self) -> Who {
        self.enter(&LinkSecret::from_bytes([8; 16]), RoomPolicy::Open)
    }

    fn enter(&mut self, secret: &LinkSecret, policy: RoomPolicy) -> Who {
        let (mut key, mut seed, mut certificate) = ([0; 16], [0; 32], [0; 32]);
        self.random.fill(&mut key);
        self.random.fill(&mut seed);
        self.random.fill(&mut certificate);
        let who = self.people.len();
        let config = SessionConfig {
            room: LinkSecret::from_bytes([7; 16]).room_id(),
            key: SessionKey::from_bytes(key),
            auth: secret.auth_key(),
            seed: NonceSeed::from_bytes(seed),
            name: format!("Person {who}"),
            media: MediaState::default(),
            policy,
        };
        let id = config.key.peer_id();
        let session = Session::new(config, self.now);
        let certificate = Fingerprint::from_bytes(certificate);
        self.people.push(Person::new(id, certificate, session));
        self.carry_out(who);
        who
    }

    /// Somebody, by number.
    #[must_use]
    pub fn person(&self, who: Who) -> &Person {
        &self.people[who]
    }

    /// Everybody who is neither dead nor has left.
    #[must_use]
    pub fn present(&self) -> Vec<Who> {
        (0..self.people.len()).filter(|who| self.people[*who].is_present()).collect()
    }

    /// Gives somebody's session an input.
    pub fn tell(&mut self, who: Who, input: Input) {
        if let Some(session) = &mut self.people[who].session {
            session.handle(self.now, input);
        }
        self.carry_out(who);
    }

    /// Somebody changes what is sent.
    pub fn set_media(&mut self, who: Who, media: MediaState) {
        self.people[who].media = media;
        self.tell(who, Input::SetMedia(media));
    }

    /// Somebody's process dies. With `silently`, its machine does, and no socket says so.
    pub fn kill(&mut self, who: Who, silently: bool) {
        if silently {
            self.silence_socket(who);
        } else {
            self.drop_socket(who);
        }
        self.people[who].die();
    }

    /// Somebody's socket breaks, and both ends notice.
    pub fn drop_socket(&mut self, who: Who) {
        if let Some(id) = self.people[who].socket {
            self.break_socket(id);
        }
    }

    /// Nothing passes somebody's socket any more, and nobody is told.
    pub fn silence_socket(&mut self, who: Who) {
        if let Some(socket) = self.people[who].socket.and_then(|id| self.sockets.get_mut(&id)) {
            socket.state = SocketState::Silent;
        }
    }

    /// The server is killed, with everything it knew.
    pub fn stop_server(&mut self) {
        self.hub = None;
        let ids: Vec<u64> = self.sockets.keys().copied().collect();
        for id in ids {
            self.break_socket(id);
        }
    }

    /// The server goes down with a word to everybody.
    pub fn shut_server_down(&mut self) {
        if let Some(hub) = &mut self.hub {
            hub.shut_down();
        }
        self.carry_out_hub();
        self.hub = None;
    }

    /// A new server starts, which knows nothing.
    pub fn start_server(&mut self) {
        if self.hub.is_none() {
            self.server += 1;
            self.hub = Some(Hub::new(HubConfig::default()));
        }
    }

    /// No media passes between two people.
    pub fn cut_path(&mut self, a: Who, b: Who) {
        self.cut.insert((a.min(b), a.max(b)));
    }

    /// Media passes again.
    pub fn mend_path(&mut self, a: Who, b: Who) {
        self.cut.remove(&(a.min(b), a.max(b)));
    }

    /// Media passes between all.
    pub fn mend_paths(&mut self) {
        self.cut.clear();
    }

    /// How long a signalling message takes between a participant and the server.
    pub fn set_latency(&mut self, latency: Range<Duration>) {
        self.latency = latency;
    }

    /// Somebody's link to somebody else breaks for good; false if there is none.
    pub fn break_link(&mut self, who: Who, to: Who) -> bool {
        let peer = self.people[to].id;
        let Some(epoch) = self.people[who].epoch(peer) else { return false };
        let event = LinkEvent::Broken("broken by the test".to_owned());
        self.schedule(self.now, Happening::LinkSays { who, peer, epoch, event });
        true
    }

    /// Somebody else with the same link is in this one's place, as only the server can arrange.
    pub fn take_over(&mut self, who: Who, certificate: Fingerprint) {
        self.people[who].certificate = certificate;
    }

    /// From now on the server passes these on to somebody in the place of each of the hub's
    /// messages.
    pub fn corrupt(
        &mut self,
        who: Who,
        change: impl FnMut(ServerMessage) -> Vec<ServerMessage> + 'static,
    ) {
        self.corruptions.insert(who, Corruption(Box::new(change)));
    }

    /// The server is honest again.
    pub fn repent(&mut self) {
        self.corruptions.clear();
    }

    /// The server passes a message to somebody, whatever the hub thinks of it.
    pub fn forge(&mut self, to: Who, message: ServerMessage) {
        self.tell(to, Input::SocketMessage(message));
    }

    /// Lets the time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        let mut at_once = 0;
        while let Some(next) = self.next_time().filter(|next| *next <= until) {
            at_once = if next > self.now { 0 } else { at_once + 1 };
            assert!(at_once < MAX_AT_ONCE, "endless at {:?}", self.elapsed());
            self.now = self.now.max(next);
            self.step();
        }
        self.now = until;
    }

    /// Lets the time pass until `reached`, at most `limit`; whether it was.
    pub fn run_until(&mut self, limit: Duration, reached: impl Fn(&Self) -> bool) -> bool {
        let until = self.now + limit;
        while self.now < until {
            if reached(self) {
                return true;
            }
            self.run_for(TICK);
        }
        reached(self)
    }

    /// Whether everybody present sees exactly everybody else present, connected, over the same
    /// link at both ends, and with the media state they chose.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unsettled().is_none()
    }

    /// What is not as it should be, if anything.
    #[must_use]
    pub fn unsettled(&self) -> Option<String> {
        let present = self.present();
        for &a in &present {
            let person = &self.people[a];
            let others: BTreeSet<PeerId> =
                present.iter().filter(|b| **b != a).map(|b| self.people[*b].id).collect();
            let seen: BTreeSet<PeerId> = person.peers().keys().copied().collect();
            if seen != others {
                return Some(format!("{a} sees {seen:?} instead of {others:?}"));
            }
            if !person.online {
                return Some(format!("{a} is offline"));
            }
            for &b in present.iter().filter(|b| **b != a) {
                let other = &self.people[b];
                let view = person.peers()[&other.id];
                if view.connection != Connection::Connected {
                    return Some(format!("{a} to {b} is {:?}", view.connection));
                }
                if view.media != other.media {
                    return Some(format!("{a} sees the wrong media state of {b}"));
                }
                let ends = (person.link(other.id), other.link(person.id));
                let (Some(here), Some(there)) = ends else {
                    return Some(format!("{a} or {b} has no link"));
                };
                if here.epoch != there.epoch || !here.is_over_same_path_as(there) {
                    return Some(format!("{a} and {b} use different links"));
                }
                let code = view.trust.code;
                if code.is_none()
                    || code != other.peers().get(&person.id).and_then(|it| it.trust.code)
                {
                    return Some(format!("{a} and {b} have different codes"));
                }
            }
        }
        None
    }

    /// Panics unless the room settles within `limit`.
    #[track_caller]
    pub fn assert_settles_within(&mut self, limit: Duration) {
        if !self.run_until(limit, Self::is_settled) {
            panic!("after {:?}: {}", self.elapsed(), self.unsettled().unwrap_or_default());
        }
    }

    /// Everybody leaves; panics unless nothing is left behind.
    #[track_caller]
    pub fn assert_ends_cleanly(&mut self) {
        for who in self.present() {
            self.tell(who, Input::Leave);
            let person = &self.people[who];
            assert!(!person.is_present(), "{who} has not left");
            assert_eq!(person.links.len(), 0, "{who} has left links behind");
            assert_eq!(person.socket, None, "{who} has left a socket behind");
            let session = person.session.as_ref().expect("left, not dead");
            assert_eq!(session.poll_timeout(), None, "{who} wants to be woken after the end");
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let sessions = self.people.iter().filter_map(|p| p.session.as_ref()?.poll_timeout());
        sessions.chain(queued).chain(self.hub.as_ref().and_then(Hub::poll_timeout)).min()
    }

    fn step(&mut self) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
        if due(self.hub.as_ref().and_then(Hub::poll_timeout)) {
            if let Some(hub) = &mut self.hub {
                hub.handle_timeout(self.now);
            }
            return self.carry_out_hub();
        }
        let woken = (0..self.people.len())
            .find(|who| due(self.people[*who].session.as_ref().and_then(Session::poll_timeout)));
        if let Some(who) = woken {
            if let Some(session) = &mut self.people[who].session {
                session.handle_timeout(self.now);
            }
            return self.carry_out(who);
        }
        if let Some((_, happening)) = self.queue.pop_first() {
            self.happen(happening);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Tick => {
                self.tick();
                self.schedule(self.now + TICK, Happening::Tick);
            }
            Happening::Opened { socket } => {
                if !self.tell_hub(socket, HubInput::Connected) {
                    return self.happen(Happening::ClientSeesEnd { socket });
                }
                if let Some(who) = self.owner(socket) {
                    self.people[who].socket_open = true;
                    self.tell(who, Input::SocketOpened);
                }
            }
            Happening::ToServer { socket, message } => {
                if self.passes(socket) {
                    self.tell_hub(socket, HubInput::Message(message));
                }
            }
            Happening::ServerSeesEnd { socket } => {
                if self.sockets.get(&socket).is_some_and(|s| s.state != SocketState::Silent) {
                    self.tell_hub(socket, HubInput::Disconnected);
                }
            }
            Happening::ToClient { socket, message } => {
                if let Some(who) = self.owner(socket).filter(|_| self.passes(socket)) {
                    self.tell(who, Input::SocketMessage(message));
                }
            }
            Happening::Refused { socket } | Happening::ClientSeesEnd { socket } => {
                let told =
                    self.sockets.get(&socket).is_some_and(|s| s.state != SocketState::Silent);
                if let Some(who) = self.owner(socket).filter(|_| told) {
                    self.people[who].socket = None;
                    self.people[who].socket_open = false;
                    self.tell(who, Input::SocketClosed);
                }
            }
            // Also after the link was closed, as events on their way do.
            Happening::LinkSays { who, peer, epoch, event } => {
                self.people[who].link_said(peer, epoch, &event);
                if event == LinkEvent::State(LinkState::Connected) {
                    self.say_again(who, peer);
                }
                self.tell(who, Input::Link { peer, epoch, event });
            }
            Happening::PeerSays { who, peer, message } => {
                self.people[who].was_told.push(message.clone());
                self.tell(who, Input::Said { peer, message });
            }
        }
    }

    /// Whose current socket this is.
    fn owner(&self, id: u64) -> Option<Who> {
        let who = self.sockets.get(&id)?.owner;
        (self.people[who].socket == Some(id)).then_some(who)
    }

    fn passes(&self, id: u64) -> bool {
        self.sockets.get(&id).is_some_and(|socket| socket.state == SocketState::Working)
    }

    /// Whether the server got it.
    fn tell_hub(&mut self, id: u64, input: HubInput) -> bool {
        let current = self.sockets.get(&id).is_some_and(|socket| socket.server == self.server);
        let Some(hub) = self.hub.as_mut().filter(|_| current) else { return false };
        hub.handle(self.now, ConnId(id), input);
        self.carry_out_hub();
        true
    }

    fn carry_out_hub(&mut self) {
        while let Some(output) = self.hub.as_mut().and_then(Hub::poll) {
            match output {
                HubOutput::Send(ConnId(socket), message) => {
                    let owner = self.sockets.get(&socket).map(|socket| socket.owner);
                    let corruption = owner.and_then(|who| self.corruptions.get_mut(&who));
                    let messages = match corruption {
                        Some(Corruption(change)) => change(message),
                        None => vec![message],
                    };
                    for message in messages {
                        let at = self.arrival_down(socket);
                        self.schedule(at, Happening::ToClient { socket, message });
                    }
                }
                HubOutput::Close(ConnId(socket)) => {
                    let at = self.arrival_down(socket);
                    self.schedule(at, Happening::ClientSeesEnd { socket });
                }
            }
        }
    }

    fn carry_out(&mut self, who: Who) {
        while let Some(output) = self.people[who].session.as_mut().and_then(Session::poll) {
            let at = self.elapsed();
            self.people[who].note(at, &output);
            match output {
                Output::OpenSocket => self.open_socket(who),
                Output::CloseSocket => {
                    let id = self.people[who].socket.take().expect("a socket to close");
                    self.people[who].socket_open = false;
                    let at = self.arrival_up(id);
                    self.schedule(at, Happening::ServerSeesEnd { socket: id });
                }
                Output::Send(message) => {
                    let open = self.people[who].socket.filter(|_| self.people[who].socket_open);
                    let socket = open.expect("an open socket to send on");
                    let at = self.arrival_up(socket);
                    self.schedule(at, Happening::ToServer { socket, message });
                }
                Output::OpenLink { peer, epoch, offerer, .. } => {
                    let serial = self.next_serial();
                    let name = (serial, self.people[who].certificate);
                    let link = SimLink::new(name, epoch, offerer, self.now);
                    let before = self.people[who].links.insert(peer, link);
                    assert!(before.is_none(), "{who} has two links to {peer}");
                }
                Output::Link { peer, epoch, action } => {
                    let link = self.people[who].links.get_mut(&peer).expect("a link to act on");
                    assert_eq!(link.epoch, epoch, "the current link");
                    let drops = self.restart_drops_path;
                    let says = link.act(self.now, action, drops, &mut self.random);
                    self.link_says(who, peer, says);
                }
                Output::CloseLink { peer, epoch } => {
                    let link = self.people[who].links.remove(&peer).expect("a link to close");
                    assert_eq!(link.epoch, epoch, "the current link");
                }
                Output::Tell { peer, message } => {
                    self.people[who].words.insert(peer, message);
                    self.say(who, peer);
                }
                Output::Event(event) => self.people[who].hear(at, event),
            }
        }
    }

    /// What one says to the other arrives, if both ends of their link are connected.
    fn say(&mut self, who: Who, to: PeerId) {
        let own = self.people[who].id;
        let Some(other) = self.people.iter().position(|person| person.id == to) else { return };
        let passes = !self.cut.contains(&(who.min(other), who.max(other)));
        let ready = |person: &Person, peer| {
            person.link(peer).is_some_and(|link| link.told == LinkState::Connected)
        };
        let both = ready(&self.people[who], to) && ready(&self.people[other], own);
        let message = self.people[who].words.get(&to).filter(|_| passes && both).cloned();
        if let Some(message) = message {
            let at = self.now + WORD_DELAY;
            self.schedule(at, Happening::PeerSays { who: other, peer: own, message });
        }
    }

    /// Both ends of a new connection say what counts.
    fn say_again(&mut self, who: Who, peer: PeerId) {
        self.say(who, peer);
        let own = self.people[who].id;
        if let Some(other) = self.people.iter().position(|person| person.id == peer) {
            self.say(other, own);
        }
    }

    fn open_socket(&mut self, who: Who) {
        assert_eq!(self.people[who].socket, None, "{who} opens a second socket");
        let socket = self.next_serial();
        self.people[who].socket = Some(socket);
        let server = self.server;
        let (last_up, last_down) = (self.now, self.now);
        self.sockets.insert(
            socket,
            Socket { owner: who, server, state: SocketState::Working, last_up, last_down },
        );
        let up = self.hub.is_some();
        let at = self.arrival_up(socket);
        let happening =
            if up { Happening::Opened { socket } } else { Happening::Refused { socket } };
        self.schedule(at, happening);
    }

    fn break_socket(&mut self, id: u64) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.state = SocketState::Broken;
        let at = self.arrival_down(id);
        self.schedule(at, Happening::ClientSeesEnd { socket: id });
        let at = self.arrival_up(id);
        self.schedule(at, Happening::ServerSeesEnd { socket: id });
    }

    fn tick(&mut self) {
        let mut said = Vec::new();
        for a in 0..self.people.len() {
            for b in 0..self.people.len() {
                let peer = self.people[b].id;
                if a == b || self.people[a].link(peer).is_none() {
                    continue;
                }
                let passes = !self.cut.contains(&(a.min(b), a.max(b)));
                let own = self.people[a].id;
                let other = self.people[b].link(own).filter(|_| passes).map(SimLink::face);
                let now = self.now;
                let link = self.people[a].links.get_mut(&peer).expect("just seen");
                said.push((a, peer, link.tick(now, other.as_ref())));
            }
        }
        for (who, peer, says) in said {
            self.link_says(who, peer, says);
        }
    }

    /// What a link says arrives in order, a little later.
    fn link_says(&mut self, who: Who, peer: PeerId, says: Vec<LinkEvent>) {
        for event in says {
            let delay = Duration::from_millis(self.random.u64(0..20));
            let Some(link) = self.people[who].links.get_mut(&peer) else { return };
            link.said_at = link.said_at.max(self.now + delay);
            let (at, epoch) = (link.said_at, link.epoch);
            self.schedule(at, Happening::LinkSays { who, peer, epoch, event });
        }
    }

    fn delay(&mut self) -> Duration {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let range = micros(self.latency.start)..micros(self.latency.end);
        Duration::from_micros(self.random.u64(range))
    }

    fn arrival_up(&mut self, id: u64) -> Instant {
        let at = self.now + self.delay();
        let Some(socket) = self.sockets.get_mut(&id) else { return at };
        socket.last_up = socket.last_up.max(at);
        socket.last_up
    }

    fn arrival_down(&mut self, id: u64) -> Instant {
        let at = self.now + self.delay();
        let Some(socket) = self.sockets.get_mut(&id) else { return at };
        socket.last_down = socket.last_down.max(at);
        socket.last_down
    }

    fn schedule(&mut self, at: Instant, happening: Happening) {
        let serial = self.next_serial();
        self.queue.insert((at, serial), happening);
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

/// What somebody was told, and when.
pub type Heard = (Duration, SessionEvent);
