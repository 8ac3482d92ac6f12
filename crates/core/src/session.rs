//! One visit to a room: the connection to the signalling server, who is there, and one
//! [negotiator](crate::negotiator) for each of them.
//!
//! [`Input`] lists what comes in, by origin, and [`Output`] what is wanted. The media does not
//! depend on signalling: when the server is gone, links stay as they are, and everything that
//! needed it is done when it is back. Left out: sockets, JSON, links, and who is in a room that one
//! only looks into.

mod acquaintances;
mod admission;
mod door;
mod peer;
mod signalling;
mod types;

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    mem,
    time::{Duration, Instant},
};

use quartet_proto::{
    ClientMessage, ErrorCode, IceServer, LeaveReason, MediaState, PeerId, PeerInfo, PeerMessage,
    RoomPolicy, ServerMessage,
    limits::{MAX_NAME_CHARS, ROOM_CAPACITY},
};

pub use self::types::{
    Connection, Input, Mark, Output, SessionConfig, SessionEnd, SessionEvent, Trust,
};
use self::{
    acquaintances::Acquaintances,
    door::Door,
    peer::Peer,
    signalling::{Fate, Signalling},
};
use crate::negotiator::{Credentials, Reach};

/// People known at once: a full room, and as many who are still connected though a restarted
/// server does not list them. A server that names more is not believed.
const MAX_PEERS: usize = 2 * ROOM_CAPACITY;
/// STUN and TURN servers taken from the server; each costs every link sockets and time.
const MAX_ICE_SERVERS: usize = 8;
/// The user is not told the same again within this time.
const ERROR_INTERVAL: Duration = Duration::from_secs(30);

/// One visit to a room. See the module's head.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    own: PeerId,
    signalling: Signalling,
    /// What the user was told last.
    told_online: bool,
    /// What the server was told last.
    told_media: MediaState,
    peers: BTreeMap<PeerId, Peer>,
    known: Acquaintances,
    door: Door,
    /// What the members were told last.
    word: Option<PeerMessage>,
    told_error: Option<(ErrorCode, Instant)>,
    ended: bool,
    out: Outbox,
}

impl Session {
    /// A visit that begins now: the first output asks for a socket.
    #[must_use]
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let mut out = Outbox::default();
        let own = config.key.peer_id();
        Self {
            own,
            signalling: Signalling::new(now, own, &mut out),
            told_online: true,
            told_media: config.media,
            peers: BTreeMap::new(),
            known: Acquaintances::default(),
            door: Door::new(config.policy),
            word: None,
            told_error: None,
            ended: false,
            out,
            config,
        }
    }

    /// Takes what has happened. After [`SessionEvent::Ended`] nothing matters any more.
    pub fn handle(&mut self, now: Instant, input: Input) {
        if self.ended {
            return;
        }
        match input {
            Input::Leave => self.leave(),
            Input::SetMedia(media) => {
                self.config.media = media;
                self.tell_media();
            }
            Input::ConfirmCode { peer, code, matches } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.negotiator.confirm_code(code, matches);
                }
            }
            Input::SetPolicy(policy) => self.choose_policy(now, policy),
            Input::Admit(peer) => self.admit(now, peer),
            Input::Refuse(peer) => self.turn_away(peer),
            Input::Remove(peer) => self.remove(now, peer),
            Input::Said { peer, message } => self.said(now, peer, message),
            Input::NetworkChanged => {
                let fate = self.signalling.network_changed(now, &mut self.out);
                self.follow(fate);
                for peer in self.peers.values_mut() {
                    peer.negotiator.network_changed(now, &mut self.out);
                }
            }
            Input::SocketOpened => {
                let SessionConfig { room, ref key, ref name, media, .. } = self.config;
                self.told_media = media;
                let (key, name) = (key.clone(), name.clone());
                let policy = self.door.policy;
                let members = self
                    .signalling
                    .has_joined_before()
                    .then(|| self.door.members(self.peers.keys()));
                let join = ClientMessage::Join { room, key, name, media, policy, members };
                self.signalling.opened(now, join, &mut self.out);
            }
            Input::SocketMessage(message) => {
                self.signalling.heard(now);
                self.message(now, message);
            }
            Input::SocketClosed => {
                let fate = self.signalling.closed(now);
                self.follow(fate);
            }
            Input::Link { peer, epoch, event } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.negotiator.link_event(now, epoch, event, &mut self.out);
                }
            }
        }
        self.settle(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.queue.pop_front()
    }

    /// When [`Self::handle_timeout`] is due; never after the end.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.ended {
            return None;
        }
        let peers = self.peers.values().filter_map(Peer::poll_timeout);
        peers.chain([self.signalling.poll_timeout()]).chain(self.door.poll_timeout()).min()
    }

    /// Does what is due; too early a call does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.ended {
            return;
        }
        let fate = self.signalling.handle_timeout(now, &mut self.out);
        self.follow(fate);
        for peer in self.peers.values_mut() {
            peer.negotiator.handle_timeout(now, &mut self.out);
        }
        self.settle(now);
    }

    fn message(&mut self, now: Instant, message: ServerMessage) {
        if let ServerMessage::Error { code, message } = message {
            return self.refused(now, code, message);
        }
        if self.signalling.is_joining() {
            match message {
                ServerMessage::Welcome { you, peers, ice_servers, policy, knocking } => {
                    self.welcome(now, you, peers, ice_servers, policy, knocking);
                }
                // Who was in the room before stays in the call, and sees that the server is away.
                ServerMessage::Waiting if self.signalling.waits() => {
                    self.out.event(SessionEvent::Waiting);
                }
                _ => {}
            }
            return;
        }
        if !self.signalling.is_online() {
            return;
        }
        match message {
            ServerMessage::IceServers { ice_servers } => self.renew_ice_servers(ice_servers),
            ServerMessage::PeerJoined { peer } => self.peer_joined(now, peer, Reach::First),
            ServerMessage::PeerLeft { peer, reason, by } => {
                self.peer_left(now, peer, reason, by);
            }
            ServerMessage::Knock { peer } => self.knock(peer),
            ServerMessage::KnockOver { peer } => self.knock_over(peer),
            ServerMessage::Policy { policy, by } => {
                self.server_says_policy(now, policy, Some(by));
            }
            ServerMessage::PeerMedia { peer, media } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.set_media(media, &mut self.out);
                }
            }
            ServerMessage::Description { from, epoch, kind, sdp, proof } => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    let (description, guarded) = ((sdp, proof.as_ref()), self.door.is_guarded());
                    let out = &mut self.out;
                    peer.negotiator.description(now, epoch, kind, description, guarded, out);
                }
            }
            ServerMessage::Confirm { from, epoch, proof } => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.negotiator.confirm(now, epoch, &proof, &mut self.out);
                }
            }
            ServerMessage::Candidate { from, epoch, candidate } => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.negotiator.candidate(epoch, candidate, &mut self.out);
                }
            }
            ServerMessage::Negotiate { from, epoch, renew } => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.negotiator.negotiate(now, epoch, renew, &mut self.out);
                }
            }
            ServerMessage::Hello { .. }
            | ServerMessage::Roster { .. }
            | ServerMessage::Welcome { .. }
            | ServerMessage::Waiting
            | ServerMessage::Pong { .. }
            | ServerMessage::Error { .. } => {}
        }
    }

    fn welcome(
        &mut self,
        now: Instant,
        you: PeerId,
        listed: Vec<PeerInfo>,
        ice_servers: Vec<IceServer>,
        policy: RoomPolicy,
        knocking: Vec<PeerInfo>,
    ) {
        if you != self.own {
            // Who offers depends on the ids: with the wrong one no pair would ever connect.
            let message = "the server mistook this participant for another".to_owned();
            return self.refused(now, ErrorCode::BadMessage, message);
        }
        let again = self.signalling.has_joined_before();
        self.signalling.welcomed(now);
        self.renew_ice_servers(ice_servers);
        let peers = self.believable(listed);
        if !again {
            self.out.event(SessionEvent::Joined { you, present: peers.clone() });
            self.enter_by(policy, &peers);
        }
        self.tell_online(true);
        self.tell_media();
        for (id, peer) in &mut self.peers {
            if !peers.iter().any(|listed| listed.id == *id) {
                peer.not_listed(now);
            }
        }
        if again {
            self.server_says_policy(now, policy, None);
            if policy < self.door.policy {
                // It has forgotten, or was never told.
                self.out.send(ClientMessage::Policy { policy: self.door.policy });
            }
        }
        let here = knocking.iter().chain(&peers).map(|info| info.id);
        self.those_wait(&here.collect::<Vec<_>>());
        let reach = if again { Reach::Again } else { Reach::First };
        for peer in peers {
            self.peer_joined(now, peer, reach);
        }
        for peer in knocking {
            self.knock(peer);
        }
    }

    /// Whoever comes in has to believe that those who are there belong there.
    fn enter_by(&mut self, policy: RoomPolicy, present: &[PeerInfo]) {
        self.door = Door::new(policy);
        for peer in present {
            self.door.admit(peer.id);
        }
        if policy != RoomPolicy::Open {
            self.out.event(SessionEvent::Policy { policy, by: None });
        }
    }

    /// For new links, and for restarts of those that are there.
    fn renew_ice_servers(&mut self, mut ice_servers: Vec<IceServer>) {
        ice_servers.truncate(MAX_ICE_SERVERS);
        if mem::replace(&mut self.out.ice_servers, ice_servers) != self.out.ice_servers {
            for peer in self.peers.values() {
                peer.negotiator.renew_ice_servers(&mut self.out);
            }
        }
    }

    /// The others whom the server lists: each once, and no more than fit.
    fn believable(&self, listed: Vec<PeerInfo>) -> Vec<PeerInfo> {
        let mut peers: Vec<PeerInfo> = Vec::new();
        for info in listed {
            let known = info.id == self.own || peers.iter().any(|peer| peer.id == info.id);
            if !known && peers.len() < MAX_PEERS {
                peers.push(clipped(info));
            }
        }
        peers
    }

    fn peer_joined(&mut self, now: Instant, info: PeerInfo, reach: Reach) {
        if info.id == self.own {
            return;
        }
        if self.door.was_removed_here(info.id) {
            // It has forgotten that, or never heard of it.
            self.out.send(ClientMessage::Remove { peer: info.id });
        }
        if self.door.is_shunned(info.id) {
            return;
        }
        let info = clipped(info);
        if !self.peers.contains_key(&info.id) && !self.door.passes(info.id) {
            tracing::info!("the server names somebody whom nobody has let in");
            return self.door.strange(now, info);
        }
        self.door.admit(info.id);
        self.knock_over(info.id);
        let full = self.peers.len() >= MAX_PEERS;
        match self.peers.entry(info.id) {
            Entry::Occupied(peer) => {
                let peer = peer.into_mut();
                peer.is_back(info, &mut self.out);
                peer.negotiator.reached(now, Reach::Again, &mut self.out);
            }
            Entry::Vacant(_) if full => tracing::warn!("the server names more people than fit"),
            Entry::Vacant(place) => {
                self.out.event(SessionEvent::PeerJoined(info.clone()));
                let SessionConfig { auth, seed, .. } = &self.config;
                let credentials = Credentials {
                    key: auth.clone(),
                    seed: seed.clone(),
                    acquaintance: self.known.meet(),
                    certificate: self.known.certificate(info.id),
                };
                let peer = place.insert(Peer::new(self.own, info, credentials));
                peer.negotiator.reached(now, reach, &mut self.out);
            }
        }
    }

    fn peer_left(&mut self, now: Instant, id: PeerId, reason: LeaveReason, by: Option<PeerId>) {
        self.stranger_left(id);
        match reason {
            LeaveReason::Removed => self.removed_by(id, by),
            LeaveReason::Left => {
                self.door.forget(id);
                if let Some(peer) = self.peers.remove(&id) {
                    peer.leave(&mut self.out);
                }
            }
            // Lost by the server; its link may be alive.
            LeaveReason::Lost => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.lost(now);
                }
            }
        }
    }

    /// The server says no.
    fn refused(&mut self, now: Instant, code: ErrorCode, message: String) {
        tracing::info!(?code, "the server refused something");
        match code {
            ErrorCode::Replaced | ErrorCode::Removed => {
                return self.end(SessionEnd::Refused { code, message });
            }
            // The addressee has just left, or is not back yet: its negotiator copes.
            ErrorCode::UnknownPeer => return,
            ErrorCode::ShuttingDown => {
                let fate = self.signalling.abandon(now, &mut self.out);
                return self.follow(fate);
            }
            _ => {}
        }
        if self.signalling.is_joining() && code != ErrorCode::RateLimited {
            if !self.signalling.has_joined_before() {
                return self.end(SessionEnd::Refused { code, message });
            }
            // The media goes on, and the reason may pass: a place becomes free, say.
            let fate = self.signalling.abandon(now, &mut self.out);
            self.follow(fate);
        } else if code == ErrorCode::NotJoined {
            // The server has lost this participant: come back.
            let fate = self.signalling.abandon(now, &mut self.out);
            self.follow(fate);
        }
        let told = self.told_error.is_some_and(|(c, at)| c == code && now < at + ERROR_INTERVAL);
        if !told {
            self.told_error = Some((code, now));
            self.out.event(SessionEvent::Error { code, message });
        }
    }

    fn follow(&mut self, fate: Fate) {
        match fate {
            Fate::Unchanged => {}
            Fate::Lost => {
                self.tell_online(false);
                // Who is in the room is said again.
                self.nobody_waits();
                for peer in self.peers.values_mut() {
                    peer.unheard();
                }
            }
            Fate::Unreachable => self.end(SessionEnd::Unreachable),
        }
    }

    fn leave(&mut self) {
        if self.signalling.is_online() {
            self.out.send(ClientMessage::Leave);
        }
        self.end(SessionEnd::Left);
    }

    fn end(&mut self, end: SessionEnd) {
        for peer in self.peers.values_mut() {
            peer.negotiator.close(&mut self.out);
        }
        self.peers.clear();
        self.signalling.end(&mut self.out);
        self.out.event(SessionEvent::Ended(end));
        self.ended = true;
    }

    /// Draws the conclusions: who is gone, and what there is to tell.
    fn settle(&mut self, now: Instant) {
        for (id, peer) in &mut self.peers {
            peer.settle(now, &mut self.out);
            if let Some(certificate) = peer.negotiator.certificate() {
                self.known.proven(*id, certificate);
            }
        }
        for (_, peer) in self.peers.extract_if(.., |_, peer| peer.is_gone(now)) {
            peer.leave(&mut self.out);
        }
        self.settle_door(now);
    }

    fn tell_online(&mut self, online: bool) {
        if mem::replace(&mut self.told_online, online) != online {
            self.out.event(SessionEvent::Signalling { online });
        }
    }

    fn tell_media(&mut self) {
        let media = self.config.media;
        if self.signalling.is_online() && mem::replace(&mut self.told_media, media) != media {
            self.out.send(ClientMessage::Media { media });
        }
    }
}

/// With a name that is no longer than a name may be.
fn clipped(mut info: PeerInfo) -> PeerInfo {
    if let Some((end, _)) = info.name.char_indices().nth(MAX_NAME_CHARS) {
        info.name.truncate(end);
    }
    info
}

/// What is wanted and not done yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Output>,
    /// For new links and restarts.
    pub(crate) ice_servers: Vec<IceServer>,
}

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    pub(crate) fn send(&mut self, message: ClientMessage) {
        self.push(Output::Send(message));
    }

    pub(crate) fn open_link(&mut self, peer: PeerId, epoch: u32, offerer: bool) {
        let ice_servers = self.ice_servers.clone();
        self.push(Output::OpenLink { peer, epoch, offerer, ice_servers });
    }

    fn event(&mut self, event: SessionEvent) {
        self.push(Output::Event(event));
    }
}
