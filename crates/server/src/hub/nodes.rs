//! What a node among several asks of its hub: see [`crate::cluster`]; and sending people away who are
//! to come again, which a server on its own does, too.

use std::time::Instant;

use quartet_proto::{ErrorCode, PeerId, RoomId, ServerMessage};

use super::{ConnId, Connection, Hub, Output, Refusal, Stage};

impl Hub {
    /// Takes over a connection that has said `hello` elsewhere. Not counted among
    /// [`super::HubConfig::max_connections`]: the node that holds its socket counts it.
    pub(crate) fn adopt(&mut self, now: Instant, conn: ConnId) {
        let connection = Connection::new(now, Stage::Greeted);
        self.wake_by(connection.deadline());
        self.connections.insert(conn, connection);
    }

    /// A sign of life that says nothing.
    pub(crate) fn alive(&mut self, now: Instant, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.heard = now;
        }
    }

    /// It has said `hello`.
    pub(crate) fn is_greeted(&self, conn: ConnId) -> bool {
        self.stage(conn).is_some_and(|stage| stage != Stage::New)
    }

    /// It is in a room in any way, also looking in only.
    pub(crate) fn is_inside(&self, conn: ConnId) -> bool {
        self.stage(conn).is_some_and(|stage| !matches!(stage, Stage::New | Stage::Greeted))
    }

    /// It has a seat or waits for one, and may neither `join` nor `watch`.
    pub(crate) fn is_seated(&self, conn: ConnId) -> bool {
        matches!(self.stage(conn), Some(Stage::Joined(..) | Stage::Waiting(..)))
    }

    /// Somebody is in it in any way.
    pub(crate) fn has_room(&self, room: RoomId) -> bool {
        self.rooms.contains_key(&room)
    }

    /// This participant is in the room, or its seat is kept.
    pub(crate) fn keeps_seat(&self, room: RoomId, peer: PeerId) -> bool {
        let seats = self.rooms.get(&room).map(|room| &room.seats);
        seats.is_some_and(|seats| seats.iter().any(|seat| seat.info.id == peer))
    }

    /// Ends the rooms that have lasted for as long as they may: whoever is inside makes them anew.
    pub(super) fn renew_rooms(&mut self, now: Instant) {
        let life = self.config.room_life;
        let old = self.rooms.iter().filter(|(_, room)| !self.closing && room.since + life <= now);
        for id in old.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.evict(id);
        }
    }

    /// Ends a room that has gone to another node: everybody in it is sent there, by being told to
    /// come again.
    pub(crate) fn evict(&mut self, room: RoomId) {
        let Some(room) = self.rooms.remove(&room) else { return };
        let seated = room.seats.iter().chain(&room.door.waiting).filter_map(super::Seat::conn);
        for conn in seated.chain(room.watchers.iter().copied()).collect::<Vec<_>>() {
            self.dismiss(conn);
        }
    }

    /// Tells a connection to come again, and closes it.
    pub(crate) fn dismiss(&mut self, conn: ConnId) {
        self.connections.remove(&conn);
        self.send(conn, Refusal::from(ErrorCode::ShuttingDown).into());
        self.outputs.push_back(Output::Close(conn));
    }

    /// What the hub says when it refuses something; `why` in the place of the usual words.
    pub(crate) fn refusal(code: ErrorCode, why: Option<String>) -> ServerMessage {
        why.map_or_else(|| code.into(), |why| Refusal::because(code, why)).into()
    }

    fn stage(&self, conn: ConnId) -> Option<Stage> {
        self.connections.get(&conn).map(|connection| connection.stage)
    }
}
