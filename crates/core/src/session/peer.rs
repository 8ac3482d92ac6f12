//! Somebody in the room, and what makes them leave it.

use std::{
    mem,
    time::{Duration, Instant},
};

use quartet_proto::{MediaState, PeerId, PeerInfo};

use super::{Connection, Outbox, SessionEvent, Trust};
use crate::negotiator::{Credentials, DISCONNECTED_LIMIT, Negotiator};

/// Somebody whom the server does not list stays this long while the link is connected: long enough
/// for both sides to find a restarted server, as their tries are at most 8 s apart.
const ABSENCE_LIMIT: Duration = Duration::from_secs(30);
/// And this long without a connected link, if the server has just been found again: the others may
/// be about to find it too.
const RETURN_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Peer {
    info: PeerInfo,
    pub(super) negotiator: Negotiator,
    /// What the user was told last.
    told: Connection,
    /// Likewise.
    told_trust: Trust,
    /// The server does not list them.
    absence: Option<Absence>,
}

/// Somebody is still here whom the server does not list.
#[derive(Debug, Clone, Copy)]
struct Absence {
    /// With a connected link until then.
    until: Instant,
    /// This long without one.
    patience: Duration,
    /// Without one, until then.
    alone_until: Option<Instant>,
}

impl Peer {
    pub(super) fn new(own: PeerId, info: PeerInfo, credentials: Credentials) -> Self {
        let negotiator = Negotiator::new(own, info.id, credentials);
        let (told, told_trust) = (Connection::Connecting, Trust::default());
        Self { info, negotiator, told, told_trust, absence: None }
    }

    /// The server lists them again, or still.
    pub(super) fn is_back(&mut self, info: PeerInfo, out: &mut Outbox) {
        self.absence = None;
        let PeerInfo { name, media, .. } = info;
        self.info.name = name;
        self.set_media(media, out);
    }

    pub(super) fn set_media(&mut self, media: MediaState, out: &mut Outbox) {
        if mem::replace(&mut self.info.media, media) != media {
            out.event(SessionEvent::PeerMedia(self.info.id, media));
        }
    }

    /// The server is gone, so it is not known who is there.
    pub(super) fn unheard(&mut self) {
        self.absence = None;
        self.negotiator.lost_reach();
    }

    /// The server, which may have been restarted, does not list them.
    pub(super) fn not_listed(&mut self, now: Instant) {
        self.absent(now, RETURN_LIMIT, RETURN_LIMIT);
    }

    /// The server has waited for them in vain.
    pub(super) fn lost(&mut self, now: Instant) {
        self.absent(now, Duration::ZERO, DISCONNECTED_LIMIT);
    }

    /// Keeps up with the link.
    pub(super) fn settle(&mut self, now: Instant, out: &mut Outbox) {
        let connection = self.negotiator.connection();
        if mem::replace(&mut self.told, connection) != connection {
            out.event(SessionEvent::PeerConnection(self.info.id, connection));
        }
        let trust = self.negotiator.trust();
        if mem::replace(&mut self.told_trust, trust) != trust {
            out.event(SessionEvent::PeerTrust(self.info.id, trust));
        }
        if let Some(absence) = &mut self.absence {
            if connection == Connection::Connected {
                absence.alone_until = None;
            } else {
                absence.alone_until.get_or_insert(now + absence.patience);
            }
        }
    }

    pub(super) fn is_gone(&self, now: Instant) -> bool {
        self.gone_at().is_some_and(|at| at <= now)
    }

    pub(super) fn leave(mut self, out: &mut Outbox) {
        self.negotiator.close(out);
        out.event(SessionEvent::PeerLeft(self.info));
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.negotiator.poll_timeout().into_iter().chain(self.gone_at()).min()
    }

    fn absent(&mut self, now: Instant, alone: Duration, patience: Duration) {
        self.negotiator.lost_reach();
        let alone_until = (!self.negotiator.is_connected()).then(|| now + alone);
        self.absence = Some(Absence { until: now + ABSENCE_LIMIT, patience, alone_until });
    }

    fn gone_at(&self) -> Option<Instant> {
        let Absence { until, alone_until, .. } = self.absence?;
        Some(alone_until.map_or(until, |alone| alone.min(until)))
    }
}
