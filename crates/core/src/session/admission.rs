//! What a session does about who gets in: [`Door`](super::door::Door) keeps and decides it.

use std::time::Instant;

use quartet_proto::{
    ClientMessage, PeerId, PeerInfo, PeerMessage, RoomPolicy, limits::MAX_ROOM_IDS,
};

use super::{Output, Session, SessionEvent, clipped};
use crate::negotiator::Reach;

impl Session {
    /// The user changes who gets in.
    pub(super) fn choose_policy(&mut self, now: Instant, policy: RoomPolicy) {
        if self.door.choose(policy) {
            self.policy_changed(now, Some(self.own));
        }
        self.send_if_online(ClientMessage::Policy { policy });
    }

    /// The user lets somebody in.
    pub(super) fn admit(&mut self, now: Instant, peer: PeerId) {
        if self.door.is_knocking(peer) {
            self.door.let_in(peer);
            self.send_if_online(ClientMessage::Admit { peer });
        } else if let Some((info, asked)) = self.door.take_stranger(peer) {
            self.door.let_in(peer);
            self.asked_no_more(peer, asked);
            self.peer_joined(now, info, Reach::Again);
        }
    }

    /// The user turns somebody away.
    pub(super) fn turn_away(&mut self, peer: PeerId) {
        if self.door.is_knocking(peer) {
            self.send_if_online(ClientMessage::Refuse { peer });
        } else if let Some((_, asked)) = self.door.take_stranger(peer) {
            // Sits in the room already, with a server that has let them in.
            self.asked_no_more(peer, asked);
            self.door.remove(peer);
            self.send_if_online(ClientMessage::Remove { peer });
        }
    }

    /// The user puts somebody out.
    pub(super) fn remove(&mut self, now: Instant, peer: PeerId) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        self.door.remove(peer);
        self.send_if_online(ClientMessage::Remove { peer });
        self.put_out(peer, Some(self.own));
        if self.door.choose(self.door.policy.max(RoomPolicy::Knock)) {
            self.policy_changed(now, Some(self.own));
        }
    }

    /// A member says, past the server, how it sees the room.
    pub(super) fn said(&mut self, now: Instant, from: PeerId, message: PeerMessage) {
        let PeerMessage::Room { policy, change, mut admitted, mut removed } = message else {
            return;
        };
        if !self.peers.contains_key(&from) {
            return;
        }
        admitted.truncate(MAX_ROOM_IDS);
        removed.truncate(MAX_ROOM_IDS);
        if self.door.member_says(policy, change) {
            self.policy_changed(now, Some(from));
        }
        for peer in removed {
            // Two who put each other out are out for each other; a third believes both.
            if peer != self.own && peer != from && !self.door.is_shunned(peer) {
                self.removed_by(peer, Some(from));
            }
        }
        for peer in admitted {
            if peer == self.own || self.door.is_shunned(peer) {
                continue;
            }
            self.door.admit(peer);
            self.come_in(now, peer);
        }
    }

    /// The server, or a member, says that somebody was put out.
    pub(super) fn removed_by(&mut self, peer: PeerId, by: Option<PeerId>) {
        self.door.shun(peer);
        if let Some((_, asked)) = self.door.take_stranger(peer) {
            self.asked_no_more(peer, asked);
        }
        self.put_out(peer, by);
    }

    /// The server says who gets in.
    pub(super) fn server_says_policy(
        &mut self,
        now: Instant,
        policy: RoomPolicy,
        by: Option<PeerId>,
    ) {
        if self.door.server_says(policy) {
            self.policy_changed(now, by);
        }
    }

    /// The server says that somebody waits.
    pub(super) fn knock(&mut self, info: PeerInfo) {
        let peer = info.id;
        let info = clipped(info);
        if self.door.is_shunned(peer) {
            // Not `refuse`, whoever removed them: they would come again.
            self.out.send(ClientMessage::Remove { peer });
        } else if self.door.knock(&info) {
            self.out.event(SessionEvent::Knock(info));
        }
    }

    pub(super) fn knock_over(&mut self, peer: PeerId) {
        if self.door.knock_over(peer) {
            self.out.event(SessionEvent::KnockOver(peer));
        }
    }

    /// Only those whom the server names still wait, and the others are asked about no more.
    pub(super) fn those_wait(&mut self, waiting: &[PeerId]) {
        for peer in self.door.asked_except(waiting) {
            self.knock_over(peer);
            if let Some((_, asked)) = self.door.take_stranger(peer) {
                self.asked_no_more(peer, asked);
            }
        }
    }

    /// The server is gone: nobody can be let in, or connected anew.
    pub(super) fn nobody_waits(&mut self) {
        self.those_wait(&[]);
        self.door.forget_strangers();
    }

    /// A stranger has left the room.
    pub(super) fn stranger_left(&mut self, peer: PeerId) {
        if let Some((_, asked)) = self.door.take_stranger(peer) {
            self.asked_no_more(peer, asked);
        }
    }

    /// Asks about those for whom nobody has spoken, and tells the members what is new.
    pub(super) fn settle_door(&mut self, now: Instant) {
        for info in self.door.due(now) {
            self.out.event(SessionEvent::Knock(info));
        }
        let word = self.door.word(self.peers.keys());
        if self.word.as_ref() != Some(&word) {
            for peer in self.peers.keys() {
                self.out.push(Output::Tell { peer: *peer, message: word.clone() });
            }
            self.word = Some(word);
        }
    }

    fn policy_changed(&mut self, now: Instant, by: Option<PeerId>) {
        let policy = self.door.policy;
        self.out.event(SessionEvent::Policy { policy, by });
        if policy == RoomPolicy::Open {
            for peer in self.door.strangers() {
                self.come_in(now, peer);
            }
        }
    }

    /// A stranger is one no more.
    fn come_in(&mut self, now: Instant, peer: PeerId) {
        if let Some((info, asked)) = self.door.take_stranger(peer) {
            self.asked_no_more(peer, asked);
            self.peer_joined(now, info, Reach::Again);
        }
    }

    fn put_out(&mut self, peer: PeerId, by: Option<PeerId>) {
        if let Some(gone) = self.peers.remove(&peer) {
            self.out.event(SessionEvent::PeerRemoved { peer, by });
            gone.leave(&mut self.out);
        }
    }

    fn asked_no_more(&mut self, peer: PeerId, asked: bool) {
        if asked {
            self.out.event(SessionEvent::KnockOver(peer));
        }
    }

    fn send_if_online(&mut self, message: ClientMessage) {
        if self.signalling.is_online() {
            self.out.send(message);
        }
    }
}
