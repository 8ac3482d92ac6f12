//! Whom this participant takes for one, whatever the server says: the members' side of knocking,
//! locking and removing. `docs/protocol.md` has the rules, under “room”.
//!
//! Only keeps and decides; [`Session`](super::Session) says and does.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use quartet_proto::{
    PeerId, PeerInfo, PeerMessage, RoomPolicy,
    limits::{MAX_MEMBERS, MAX_ROOM_IDS, MAX_WAITING},
};

use super::MAX_PEERS;

/// A member's word about somebody new goes over one hop, as the server's goes over two. Only when it
/// does not come is the user asked.
const ADMISSION_PATIENCE: Duration = Duration::from_secs(3);
/// Ids that are kept in a list, the newest; it bounds what people cost who come and go without end.
const MAX_KEPT: usize = 64;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) policy: RoomPolicy,
    /// The higher the newer.
    change: u32,
    /// Were let in, or came through an open door.
    admitted: Vec<PeerId>,
    /// Of them, whom the user here let in: those are vouched for before they come.
    let_in: Vec<PeerId>,
    /// Whom the user here put out.
    removed: Vec<PeerId>,
    /// And whom others did.
    shunned: Vec<PeerId>,
    /// Wait in front of the server's door.
    knocking: BTreeMap<PeerId, PeerInfo>,
    /// Are in the room, says the server, but nobody let them in.
    strangers: BTreeMap<PeerId, Stranger>,
}

#[derive(Debug)]
struct Stranger {
    info: PeerInfo,
    /// When the user is asked; `None` once that has happened.
    ask_at: Option<Instant>,
}

impl Door {
    pub(super) fn new(policy: RoomPolicy) -> Self {
        Self {
            policy,
            change: 0,
            admitted: Vec::new(),
            let_in: Vec::new(),
            removed: Vec::new(),
            shunned: Vec::new(),
            knocking: BTreeMap::new(),
            strangers: BTreeMap::new(),
        }
    }

    // The policy. Each is true when it has changed.

    /// The user wants it.
    pub(super) fn choose(&mut self, policy: RoomPolicy) -> bool {
        if self.policy == policy {
            return false;
        }
        self.change = self.change.saturating_add(1);
        self.policy = policy;
        true
    }

    /// The server may close the door, and not open it.
    pub(super) fn server_says(&mut self, policy: RoomPolicy) -> bool {
        let stricter = policy > self.policy;
        self.policy = self.policy.max(policy);
        stricter
    }

    /// A member, who was told by whoever changed it.
    pub(super) fn member_says(&mut self, policy: RoomPolicy, change: u32) -> bool {
        let before = self.policy;
        if change > self.change {
            (self.policy, self.change) = (policy, change);
        } else if change == self.change {
            self.policy = self.policy.max(policy);
        }
        self.policy != before
    }

    /// Not everybody with the link gets in.
    pub(super) fn is_guarded(&self) -> bool {
        self.policy != RoomPolicy::Open
    }

    // Who is a participant.

    pub(super) fn passes(&self, peer: PeerId) -> bool {
        !self.is_shunned(peer) && (self.policy == RoomPolicy::Open || self.admitted.contains(&peer))
    }

    pub(super) fn is_shunned(&self, peer: PeerId) -> bool {
        self.shunned.contains(&peer) || self.was_removed_here(peer)
    }

    pub(super) fn was_removed_here(&self, peer: PeerId) -> bool {
        self.removed.contains(&peer)
    }

    pub(super) fn admit(&mut self, peer: PeerId) {
        keep(&mut self.admitted, peer);
    }

    /// The user lets them in.
    pub(super) fn let_in(&mut self, peer: PeerId) {
        self.admit(peer);
        keep(&mut self.let_in, peer);
    }

    /// They have left; if they come again, they are somebody new.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.admitted.retain(|id| *id != peer);
        self.let_in.retain(|id| *id != peer);
    }

    /// Somebody else has put them out.
    pub(super) fn shun(&mut self, peer: PeerId) {
        self.forget(peer);
        keep(&mut self.shunned, peer);
    }

    /// The user puts them out.
    pub(super) fn remove(&mut self, peer: PeerId) {
        self.forget(peer);
        keep(&mut self.removed, peer);
    }

    /// What the others are told, who are those of `present`.
    pub(super) fn word<'a>(&self, present: impl Iterator<Item = &'a PeerId>) -> PeerMessage {
        // What others said is not passed on, but for those who have come by it: lists that hold each
        // other's ids would never get shorter.
        let mut admitted: Vec<PeerId> = present.copied().collect();
        for peer in self.let_in.iter().rev() {
            if !admitted.contains(peer) {
                admitted.push(*peer);
            }
        }
        admitted.truncate(MAX_ROOM_IDS);
        let removed = self.removed.iter().rev().take(MAX_ROOM_IDS).copied().collect();
        PeerMessage::Room { policy: self.policy, change: self.change, admitted, removed }
    }

    /// Those for whom this one vouches to a server that has forgotten the room.
    pub(super) fn members<'a>(&self, present: impl Iterator<Item = &'a PeerId>) -> Vec<PeerId> {
        let mut members: Vec<PeerId> = present.copied().collect();
        for peer in self.admitted.iter().rev() {
            if !members.contains(peer) {
                members.push(*peer);
            }
        }
        members.truncate(MAX_MEMBERS);
        members
    }

    // Who waits to be let in: at the server's door, and at this one.

    /// True when the user is to be asked.
    pub(super) fn knock(&mut self, info: &PeerInfo) -> bool {
        let known = self.knocking.contains_key(&info.id) || self.strangers.contains_key(&info.id);
        if known || self.knocking.len() >= MAX_WAITING {
            return false;
        }
        self.knocking.insert(info.id, info.clone());
        true
    }

    /// True when the user was asked.
    pub(super) fn knock_over(&mut self, peer: PeerId) -> bool {
        self.knocking.remove(&peer).is_some()
    }

    pub(super) fn is_knocking(&self, peer: PeerId) -> bool {
        self.knocking.contains_key(&peer)
    }

    /// Nobody has let them in yet, as far as is known.
    pub(super) fn strange(&mut self, now: Instant, info: PeerInfo) {
        let full = self.strangers.len() >= MAX_PEERS;
        if let Some(stranger) = self.strangers.get_mut(&info.id) {
            stranger.info = info;
        } else if !full {
            // The user may have been asked already.
            let asked = self.knocking.remove(&info.id).is_some();
            let ask_at = (!asked).then(|| now + ADMISSION_PATIENCE);
            self.strangers.insert(info.id, Stranger { info, ask_at });
        }
    }

    /// Takes a stranger out, and says whether the user was asked about them.
    pub(super) fn take_stranger(&mut self, peer: PeerId) -> Option<(PeerInfo, bool)> {
        let stranger = self.strangers.remove(&peer)?;
        Some((stranger.info, stranger.ask_at.is_none()))
    }

    pub(super) fn forget_strangers(&mut self) {
        self.strangers.clear();
    }

    pub(super) fn strangers(&self) -> Vec<PeerId> {
        self.strangers.keys().copied().collect()
    }

    /// Everybody about whom the user was asked and who is not in `but`.
    pub(super) fn asked_except(&self, but: &[PeerId]) -> Vec<PeerId> {
        let strangers = self.strangers.iter().filter(|(_, it)| it.ask_at.is_none());
        let asked = self.knocking.keys().chain(strangers.map(|(id, _)| id)).copied();
        asked.filter(|id| !but.contains(id)).collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.strangers.values().filter_map(|stranger| stranger.ask_at).min()
    }

    /// About whom the user is to be asked now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<PeerInfo> {
        let due = self.strangers.values_mut().filter(|it| it.ask_at.is_some_and(|at| at <= now));
        due.map(|stranger| {
            stranger.ask_at = None;
            stranger.info.clone()
        })
        .collect()
    }
}

/// Adds an id to a list, which keeps the newest.
fn keep(list: &mut Vec<PeerId>, peer: PeerId) {
    if list.contains(&peer) {
        return;
    }
    if list.len() >= MAX_KEPT {
        list.remove(0);
    }
    list.push(peer);
}
