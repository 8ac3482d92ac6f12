//! Who gets into a room, and who waits in front of it.

use std::time::{Duration, Instant};

use quartet_proto::{
    ErrorCode, PeerId, RoomPolicy,
    limits::{MAX_WAITING, REFUSAL_PAUSE, RETURN_LIMIT},
};

use super::room::Seat;

/// Ids kept in each list of a door, the newest. Far more than people come and go in a call; it only
/// bounds what those can make the server keep who do nothing else.
const MAX_KEPT: usize = 64;

/// The way into a room that somebody is in.
#[derive(Debug, Default)]
pub(super) struct Door {
    pub(super) policy: RoomPolicy,
    /// In the order in which they knocked.
    pub(super) waiting: Vec<Seat>,
    /// May come back: their seat was given up, or somebody who came back vouches for them.
    returning: Kept,
    /// Were turned away just now.
    refused: Kept,
    /// Were put out, for as long as somebody is in the room.
    removed: Vec<PeerId>,
}

/// What somebody without a seat gets who asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// A seat, if there is one.
    Seat,
    /// A place in front of the door.
    Wait,
    /// Neither.
    Nothing(ErrorCode),
}

impl Door {
    /// Of a room that is made.
    pub(super) fn of(policy: RoomPolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    pub(super) fn entry(&self, now: Instant, peer: PeerId) -> Entry {
        if self.removed.contains(&peer) {
            return Entry::Nothing(ErrorCode::Removed);
        }
        match self.policy {
            RoomPolicy::Open => Entry::Seat,
            _ if self.returning.has(now, peer) => Entry::Seat,
            RoomPolicy::Locked => Entry::Nothing(ErrorCode::RoomLocked),
            RoomPolicy::Knock if self.refused.has(now, peer) => Entry::Nothing(ErrorCode::Refused),
            RoomPolicy::Knock => Entry::Wait,
        }
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    pub(super) fn waiting_mut(&mut self, peer: PeerId) -> Option<&mut Seat> {
        self.waiting.iter_mut().find(|knocker| knocker.info.id == peer)
    }

    /// Takes somebody out of those who wait.
    pub(super) fn take_waiting(&mut self, peer: PeerId) -> Option<Seat> {
        let place = self.waiting.iter().position(|knocker| knocker.info.id == peer)?;
        Some(self.waiting.remove(place))
    }

    /// They may come back for a while, whatever the policy.
    pub(super) fn expect_back(&mut self, now: Instant, peer: PeerId) {
        self.returning.keep(now, peer, RETURN_LIMIT);
    }

    pub(super) fn refuse(&mut self, now: Instant, peer: PeerId) {
        self.refused.keep(now, peer, REFUSAL_PAUSE);
    }

    /// They may not come back.
    pub(super) fn remove(&mut self, peer: PeerId) {
        self.returning.forget(peer);
        if self.removed.len() >= MAX_KEPT {
            self.removed.remove(0);
        }
        self.removed.push(peer);
    }

    pub(super) fn is_expected(&self, now: Instant, peer: PeerId) -> bool {
        self.returning.has(now, peer)
    }
}

/// Ids, each for some time.
#[derive(Debug, Default)]
struct Kept(Vec<(PeerId, Instant)>);

impl Kept {
    fn has(&self, now: Instant, peer: PeerId) -> bool {
        self.0.iter().any(|(id, until)| *id == peer && now < *until)
    }

    fn keep(&mut self, now: Instant, peer: PeerId, time: Duration) {
        self.0.retain(|(id, until)| *id != peer && now < *until);
        if self.0.len() >= MAX_KEPT {
            self.0.remove(0);
        }
        self.0.push((peer, now + time));
    }

    fn forget(&mut self, peer: PeerId) {
        self.0.retain(|(id, _)| *id != peer);
    }
}
