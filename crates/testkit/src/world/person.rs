//! Somebody in the world: a session, what it was told to do, and what its user was told.

use std::{collections::BTreeMap, time::Duration};

use quartet_core::{
    LinkEvent, LinkState,
    session::{Connection, Output, Session, SessionEnd, SessionEvent, Trust},
};
use quartet_proto::{
    ClientMessage, Epoch, Fingerprint, MediaState, PeerId, PeerInfo, PeerMessage, RoomPolicy,
};

use super::{Heard, link::SimLink};

/// Somebody else, as this person's user sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// How well connected.
    pub connection: Connection,
    /// What they send.
    pub media: MediaState,
    /// How sure it is that it is them.
    pub trust: Trust,
}

/// A link that was closed while it was connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Teardown {
    /// When, since the world began.
    pub at: Duration,
    /// To whom.
    pub peer: PeerId,
    /// Which.
    pub epoch: Epoch,
}

/// Somebody in the world.
#[derive(Debug)]
pub struct Person {
    /// Who.
    pub id: PeerId,
    /// The same for the whole visit.
    pub certificate: Fingerprint,
    /// What their user chose.
    pub media: MediaState,
    /// Signalling, as their user was told.
    pub online: bool,
    /// What their user was told.
    pub heard: Vec<Heard>,
    /// What was sent to the server.
    pub sent: Vec<(Duration, ClientMessage)>,
    /// When links were opened, to whom and in which epoch.
    pub opened: Vec<(Duration, PeerId, Epoch)>,
    /// Connected links that were closed.
    pub teardowns: Vec<Teardown>,
    /// Who gets in, as their user was told.
    pub policy: RoomPolicy,
    /// Who wants to come in, as their user was told.
    pub knocking: BTreeMap<PeerId, PeerInfo>,
    /// They were told to wait.
    pub waited: bool,
    /// What the others said past the server.
    pub was_told: Vec<PeerMessage>,
    /// What is said to the others past the server.
    pub(super) words: BTreeMap<PeerId, PeerMessage>,
    pub(super) session: Option<Session>,
    pub(super) socket: Option<u64>,
    pub(super) socket_open: bool,
    pub(super) links: BTreeMap<PeerId, SimLink>,
    peers: BTreeMap<PeerId, View>,
    ended: Option<SessionEnd>,
}

impl Person {
    pub(super) fn new(id: PeerId, certificate: Fingerprint, session: Session) -> Self {
        Self {
            id,
            certificate,
            media: MediaState::default(),
            online: true,
            heard: Vec::new(),
            sent: Vec::new(),
            opened: Vec::new(),
            teardowns: Vec::new(),
            policy: RoomPolicy::Open,
            knocking: BTreeMap::new(),
            waited: false,
            was_told: Vec::new(),
            words: BTreeMap::new(),
            session: Some(session),
            socket: None,
            socket_open: false,
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            ended: None,
        }
    }

    /// Neither dead nor out of the room.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.session.is_some() && self.ended.is_none()
    }

    /// Why the visit is over, if it is.
    #[must_use]
    pub fn ended(&self) -> Option<&SessionEnd> {
        self.ended.as_ref()
    }

    /// The others, as their user sees them.
    #[must_use]
    pub fn peers(&self) -> &BTreeMap<PeerId, View> {
        &self.peers
    }

    /// The epoch of the link to somebody, if there is one.
    #[must_use]
    pub fn epoch(&self, peer: PeerId) -> Option<Epoch> {
        self.link(peer).map(|link| link.epoch)
    }

    /// How many messages of a kind were sent since then.
    pub fn count_sent(&self, since: Duration, kind: impl Fn(&ClientMessage) -> bool) -> usize {
        self.sent.iter().filter(|(at, message)| *at >= since && kind(message)).count()
    }

    pub(super) fn link(&self, peer: PeerId) -> Option<&SimLink> {
        self.links.get(&peer)
    }

    pub(super) fn link_said(&mut self, peer: PeerId, epoch: Epoch, event: &LinkEvent) {
        let LinkEvent::State(state) = event else { return };
        if let Some(link) = self.links.get_mut(&peer).filter(|link| link.epoch == epoch) {
            link.told = *state;
        }
    }

    pub(super) fn die(&mut self) {
        self.session = None;
        self.socket = None;
        self.socket_open = false;
        self.links.clear();
    }

    /// Before it is carried out.
    pub(super) fn note(&mut self, at: Duration, output: &Output) {
        match output {
            Output::Send(message) => self.sent.push((at, message.clone())),
            Output::OpenLink { peer, epoch, .. } => self.opened.push((at, *peer, *epoch)),
            Output::CloseLink { peer, epoch }
                if self.link(*peer).is_some_and(|link| link.told == LinkState::Connected) =>
            {
                self.teardowns.push(Teardown { at, peer: *peer, epoch: *epoch });
            }
            _ => {}
        }
    }

    pub(super) fn hear(&mut self, at: Duration, event: SessionEvent) {
        assert_eq!(self.ended, None, "nothing comes after the end");
        match &event {
            SessionEvent::Signalling { online } => self.online = *online,
            SessionEvent::PeerJoined(info) => {
                let (connection, trust) = (Connection::Connecting, Trust::default());
                let view = View { connection, media: info.media, trust };
                let before = self.peers.insert(info.id, view);
                assert_eq!(before, None, "{} joins twice", info.id);
            }
            SessionEvent::PeerLeft(info) => {
                assert!(self.peers.remove(&info.id).is_some(), "{} leaves twice", info.id);
            }
            SessionEvent::PeerMedia(id, media) => {
                self.peers.get_mut(id).expect("somebody known").media = *media;
            }
            SessionEvent::PeerConnection(id, connection) => {
                self.peers.get_mut(id).expect("somebody known").connection = *connection;
            }
            SessionEvent::PeerTrust(id, trust) => {
                self.peers.get_mut(id).expect("somebody known").trust = *trust;
            }
            SessionEvent::Ended(end) => {
                self.ended = Some(end.clone());
                self.peers.clear();
            }
            SessionEvent::Waiting => self.waited = true,
            SessionEvent::Policy { policy, .. } => self.policy = *policy,
            SessionEvent::Knock(info) => {
                let before = self.knocking.insert(info.id, info.clone());
                assert_eq!(before, None, "{} knocks twice", info.id);
            }
            SessionEvent::KnockOver(id) => {
                assert!(self.knocking.remove(id).is_some(), "{id} did not knock");
            }
            SessionEvent::PeerRemoved { peer, .. } => {
                assert!(self.peers.contains_key(peer), "somebody known");
            }
            SessionEvent::Joined { you, .. } => assert_eq!(*you, self.id),
            SessionEvent::Error { .. } => {}
        }
        self.heard.push((at, event));
    }
}
