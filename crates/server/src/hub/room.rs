//! A room: the seats in it, and who looks in.

use std::time::Instant;

use quartet_proto::{ErrorCode, MediaState, PeerId, PeerInfo, SessionKey};

use super::{ConnId, door::Door, refusal::Refusal};

#[derive(Debug)]
pub(super) struct Room {
    /// When it was made.
    pub(super) since: Instant,
    /// In the order in which they were taken.
    pub(super) seats: Vec<Seat>,
    pub(super) watchers: Vec<ConnId>,
    /// Of a room that somebody sits in.
    pub(super) door: Door,
}

impl Room {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, seats: Vec::new(), watchers: Vec::new(), door: Door::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty() && self.watchers.is_empty()
    }

    pub(super) fn peers(&self) -> Vec<PeerInfo> {
        self.seats.iter().map(|seat| seat.info.clone()).collect()
    }

    pub(super) fn seat_mut(&mut self, peer: PeerId) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.info.id == peer)
    }

    /// When seats that wait for somebody are given up, and credentials of the others renewed.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = Instant> {
        self.seats.iter().filter_map(|seat| match seat.holder {
            Holder::Here(_) => seat.renew_at,
            Holder::AwayUntil(deadline) => Some(deadline),
        })
    }

    /// Who has been away for too long.
    pub(super) fn overdue(&self, now: Instant) -> impl Iterator<Item = PeerId> {
        self.seats
            .iter()
            .filter(
                move |seat| matches!(seat.holder, Holder::AwayUntil(deadline) if deadline <= now),
            )
            .map(|seat| seat.info.id)
    }
}

/// A participant's place, which outlives a dropped connection for a while.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) key: SessionKey,
    pub(super) info: PeerInfo,
    /// When who sits here is to get fresh credentials; never, where none end.
    pub(super) renew_at: Option<Instant>,
    holder: Holder,
}

#[derive(Debug)]
enum Holder {
    Here(ConnId),
    AwayUntil(Instant),
}

impl Seat {
    pub(super) fn new(conn: ConnId, key: SessionKey, name: &str, media: MediaState) -> Self {
        let info = PeerInfo { id: key.peer_id(), name: name.to_owned(), media };
        Self { key, info, renew_at: None, holder: Holder::Here(conn) }
    }

    pub(super) fn conn(&self) -> Option<ConnId> {
        match self.holder {
            Holder::Here(conn) => Some(conn),
            Holder::AwayUntil(_) => None,
        }
    }

    /// Seats the connection of somebody who shows the same key, and gives back the one that sat
    /// here.
    pub(super) fn take_over(
        &mut self,
        newcomer: &Self,
        conn: ConnId,
    ) -> Result<Option<ConnId>, Refusal> {
        if self.key != newcomer.key {
            return Err(Refusal::because(ErrorCode::BadMessage, "this key is of no use here"));
        }
        let before = self.conn();
        self.holder = Holder::Here(conn);
        Ok(before)
    }

    /// Keeps the place free until then.
    pub(super) fn vacate(&mut self, deadline: Instant) {
        self.holder = Holder::AwayUntil(deadline);
    }
}
