//! The way into a room: `join`, knocking, and what those inside do about it.

use std::time::Instant;

use quartet_proto::{
    ErrorCode, LeaveReason, PeerId, RoomId, RoomPolicy, ServerMessage,
    limits::{MAX_MEMBERS, REFUSAL_PAUSE, ROOM_CAPACITY},
};

use super::{
    ConnId, Hub, Output, Stage,
    door::{Door, Entry},
    refusal::Refusal,
    room::{Room, Seat},
};

/// What a `join` says of the room beside who wants to come in.
#[derive(Debug)]
pub(super) struct Claim {
    /// For the room that it makes.
    pub(super) policy: RoomPolicy,
    /// The others whom somebody knows who comes back.
    pub(super) members: Option<Vec<PeerId>>,
}

impl Hub {
    /// Gives `newcomer` a seat, or the one that is theirs already, or a place in front of the door.
    pub(super) fn join(
        &mut self,
        now: Instant,
        conn: ConnId,
        stage: Stage,
        id: RoomId,
        newcomer: Seat,
        claim: Claim,
    ) -> Result<(), Refusal> {
        if claim.members.as_ref().is_some_and(|members| members.len() > MAX_MEMBERS) {
            return Err(Refusal::because(ErrorCode::BadMessage, "too many members are named"));
        }
        let you = newcomer.info.id;
        let room = self.room_for_newcomer(now, id)?;
        if room.seats.is_empty() {
            room.door = Door::of(claim.policy);
            self.seat(conn, stage, id, newcomer);
        } else if let Some(seat) = room.seat_mut(you) {
            let media = newcomer.info.media;
            let before = seat.take_over(&newcomer, conn)?;
            self.replace(now, before);
            self.enter(conn, stage, id, you);
            self.set_media(id, you, media);
        } else if let Some(knocker) = room.door.waiting_mut(you) {
            let before = knocker.take_over(&newcomer, conn)?;
            self.replace(now, before);
            self.wait(conn, stage, id, you);
            return Ok(());
        } else {
            let full = room.seats.len() >= ROOM_CAPACITY;
            match room.door.entry(now, you) {
                Entry::Nothing(code) => return Err(code.into()),
                _ if full => return Err(ErrorCode::RoomFull.into()),
                Entry::Seat => {
                    let policy = room.door.policy;
                    let claimed = claim.policy;
                    self.seat(conn, stage, id, newcomer);
                    // Anybody can come into an open room, and lock it: who comes back to a server
                    // that has forgotten the room, after a stranger, has locked it before.
                    if policy == RoomPolicy::Open && claim.members.is_some() {
                        self.set_policy(id, you, claimed.max(policy));
                    }
                }
                Entry::Wait => return self.knock(now, conn, stage, id, newcomer),
            }
        }
        self.vouch(now, id, claim.members.unwrap_or_default());
        Ok(())
    }

    /// Lets in somebody who waits.
    pub(super) fn admit(&mut self, id: RoomId, peer: PeerId) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(&id).ok_or(ErrorCode::UnknownPeer)?;
        let place = room.door.waiting_mut(peer).and_then(|knocker| knocker.conn());
        let conn = place.ok_or(ErrorCode::UnknownPeer)?;
        if room.seats.len() >= ROOM_CAPACITY {
            return Err(ErrorCode::RoomFull.into());
        }
        let knocker = room.door.take_waiting(peer).ok_or(ErrorCode::UnknownPeer)?;
        self.tell_everybody(id, &ServerMessage::KnockOver { peer });
        self.seat(conn, Stage::Waiting(id, peer), id, knocker);
        Ok(())
    }

    /// Turns away somebody who waits, for a while.
    pub(super) fn turn_away(
        &mut self,
        now: Instant,
        id: RoomId,
        peer: PeerId,
    ) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(&id).ok_or(ErrorCode::UnknownPeer)?;
        let knocker = room.door.take_waiting(peer).ok_or(ErrorCode::UnknownPeer)?;
        room.door.refuse(now, peer);
        // Another key on the same connection does not help.
        if let Some(connection) = knocker.conn().and_then(|conn| self.connections.get_mut(&conn)) {
            connection.may_knock_at = now + REFUSAL_PAUSE;
        }
        self.send_back(id, &knocker, ErrorCode::Refused.into());
        Ok(())
    }

    /// Somebody who waits has gone.
    pub(super) fn stop_waiting(&mut self, id: RoomId, peer: PeerId) {
        let room = self.rooms.get_mut(&id);
        if room.and_then(|room| room.door.take_waiting(peer)).is_some() {
            self.tell_everybody(id, &ServerMessage::KnockOver { peer });
        }
    }

    /// Puts somebody out for good. The link would let them straight back into an open room, with
    /// another key: they have to knock from now on.
    pub(super) fn remove(
        &mut self,
        now: Instant,
        id: RoomId,
        by: PeerId,
        peer: PeerId,
    ) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(&id).filter(|_| peer != by).ok_or(ErrorCode::UnknownPeer)?;
        if let Some(place) = room.seats.iter().position(|seat| seat.info.id == peer) {
            let seat = room.seats.remove(place);
            room.door.remove(peer);
            if let Some(conn) = seat.conn() {
                // First out of the list, so that its end does not look for the seat.
                self.connections.remove(&conn);
                self.refuse(now, conn, ErrorCode::Removed.into());
            }
            let (reason, by) = (LeaveReason::Removed, Some(by));
            self.tell_everybody(id, &ServerMessage::PeerLeft { peer, reason, by });
            self.tell_watchers(id);
        } else if let Some(knocker) = room.door.take_waiting(peer) {
            room.door.remove(peer);
            self.tell_everybody(id, &ServerMessage::KnockOver { peer });
            if let Some(conn) = knocker.conn() {
                self.connections.remove(&conn);
                self.refuse(now, conn, ErrorCode::Removed.into());
            }
        } else if room.door.is_expected(now, peer) {
            room.door.remove(peer);
        } else {
            return Err(ErrorCode::UnknownPeer.into());
        }
        let policy = self.rooms.get(&id).map_or(RoomPolicy::Open, |room| room.door.policy);
        self.set_policy(id, by, policy.max(RoomPolicy::Knock));
        Ok(())
    }

    pub(super) fn set_policy(&mut self, id: RoomId, by: PeerId, policy: RoomPolicy) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if std::mem::replace(&mut room.door.policy, policy) == policy {
            return;
        }
        self.tell_everybody(id, &ServerMessage::Policy { policy, by });
        self.tell_watchers(id);
        match policy {
            RoomPolicy::Knock => {}
            RoomPolicy::Open => self.admit_all(id, |_, _| true),
            RoomPolicy::Locked => self.send_all_back(id, &|| ErrorCode::RoomLocked.into()),
        }
    }

    /// Nobody is in the room any more: nobody can let anybody in, and what was chosen ends.
    pub(super) fn close_door(&mut self, id: RoomId) {
        self.send_all_back(id, &|| {
            Refusal::because(ErrorCode::Refused, "Nobody is in this call any more.")
        });
        if let Some(room) = self.rooms.get_mut(&id) {
            room.door = Door::default();
        }
    }

    /// Somebody who was in the room names others who were, to a server that may not know them.
    fn vouch(&mut self, now: Instant, id: RoomId, members: Vec<PeerId>) {
        let Some(room) = self.rooms.get_mut(&id).filter(|_| !members.is_empty()) else { return };
        for member in members {
            if room.seat_mut(member).is_none() {
                room.door.expect_back(now, member);
            }
        }
        self.admit_all(id, |door, peer| door.entry(now, peer) == Entry::Seat);
    }

    /// Lets in those who wait and whom `wanted` names, as far as there is room.
    fn admit_all(&mut self, id: RoomId, wanted: impl Fn(&Door, PeerId) -> bool) {
        let Some(room) = self.rooms.get(&id) else { return };
        let ids = room.door.waiting.iter().map(|knocker| knocker.info.id);
        let wanted: Vec<PeerId> = ids.filter(|peer| wanted(&room.door, *peer)).collect();
        for peer in wanted {
            if let Err(refusal) = self.admit(id, peer) {
                let knocker = self.rooms.get_mut(&id).and_then(|room| room.door.take_waiting(peer));
                if let Some(knocker) = knocker {
                    self.send_back(id, &knocker, refusal);
                }
            }
        }
    }

    fn send_all_back(&mut self, id: RoomId, refusal: &dyn Fn() -> Refusal) {
        let room = self.rooms.get_mut(&id);
        let waiting = room.map(|room| std::mem::take(&mut room.door.waiting)).unwrap_or_default();
        for knocker in waiting {
            self.send_back(id, &knocker, refusal());
        }
    }

    /// The connection of somebody who waited stays, in no room.
    fn send_back(&mut self, id: RoomId, knocker: &Seat, refusal: Refusal) {
        if let Some(conn) = knocker.conn() {
            self.set_stage(conn, Stage::Greeted);
            self.send(conn, refusal.into());
        }
        self.tell_everybody(id, &ServerMessage::KnockOver { peer: knocker.info.id });
    }

    fn knock(
        &mut self,
        now: Instant,
        conn: ConnId,
        stage: Stage,
        id: RoomId,
        newcomer: Seat,
    ) -> Result<(), Refusal> {
        if self.connections.get(&conn).is_some_and(|it| now < it.may_knock_at) {
            return Err(ErrorCode::Refused.into());
        }
        let Some(room) = self.rooms.get_mut(&id).filter(|room| !room.door.is_crowded()) else {
            return Err(Refusal::because(
                ErrorCode::ServerFull,
                "Many people are waiting to be let into this call. Try again in a while.",
            ));
        };
        let info = newcomer.info.clone();
        room.door.waiting.push(newcomer);
        self.wait(conn, stage, id, info.id);
        self.tell_everybody(id, &ServerMessage::Knock { peer: info });
        Ok(())
    }

    fn wait(&mut self, conn: ConnId, stage: Stage, id: RoomId, you: PeerId) {
        self.set_stage(conn, Stage::Waiting(id, you));
        if let Stage::Watching(before) = stage {
            self.stop_watching(conn, before);
        }
        self.send(conn, ServerMessage::Waiting);
    }

    /// Puts a newcomer on a seat, of which there is one.
    fn seat(&mut self, conn: ConnId, stage: Stage, id: RoomId, newcomer: Seat) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let info = newcomer.info.clone();
        room.seats.push(newcomer);
        self.enter(conn, stage, id, info.id);
        self.tell_others(id, info.id, &ServerMessage::PeerJoined { peer: info });
        self.tell_watchers(id);
    }

    fn enter(&mut self, conn: ConnId, stage: Stage, id: RoomId, you: PeerId) {
        self.set_stage(conn, Stage::Joined(id, you));
        if let Stage::Watching(before) = stage {
            self.stop_watching(conn, before);
        }
        let ice_servers = self.ice_servers_from_now(id, you);
        let Some(room) = self.rooms.get(&id) else { return };
        let welcome = ServerMessage::Welcome {
            you,
            peers: room.peers().into_iter().filter(|peer| peer.id != you).collect(),
            ice_servers,
            policy: room.door.policy,
            knocking: room.door.waiting.iter().map(|knocker| knocker.info.clone()).collect(),
        };
        self.send(conn, welcome);
    }

    /// Another connection has shown the same key.
    fn replace(&mut self, now: Instant, before: Option<ConnId>) {
        if let Some(before) = before {
            // First out of the list, so that its end does not empty the seat.
            self.connections.remove(&before);
            self.refuse(now, before, ErrorCode::Replaced.into());
        }
    }

    fn tell_everybody(&mut self, id: RoomId, notice: &ServerMessage) {
        let Some(room) = self.rooms.get(&id) else { return };
        let everybody = room.seats.iter().filter_map(Seat::conn);
        self.outputs.extend(everybody.map(|conn| Output::Send(conn, notice.clone())));
    }
}

impl Room {
    /// Who looks in, and is told.
    pub(super) fn roster(&self) -> ServerMessage {
        ServerMessage::Roster { peers: self.peers(), policy: self.door.policy }
    }
}
