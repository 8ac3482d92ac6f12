//! The rules of the server: who is in which room, and who may say what to whom.
//!
//! Pure: it takes `now` and what the connections bring, and gives what they are to be sent. It
//! neither reads a clock or a socket nor has randomness. Inputs by origin:
//!
//! * the listener: [`Input::Connected`];
//! * the client: [`Input::Message`];
//! * the reader of the socket, in the place of a message: [`Input::Unreadable`],
//!   [`Input::TooLarge`], [`Input::RateLimited`];
//! * the socket's end, whatever the cause: [`Input::Disconnected`];
//! * time: [`Hub::handle_timeout`]; the process: [`Hub::shut_down`].
//!
//! Left to the shell: bytes, JSON, the rate of messages, full queues.

mod admission;
mod credentials;
mod door;
mod nodes;
mod refusal;
mod room;

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    time::{Duration, Instant, SystemTime},
};

use quartet_proto::{
    ClientMessage, ErrorCode, IceServer, LeaveReason, MediaState, PROTOCOL_VERSION, PeerId, RoomId,
    ServerMessage, display_name,
    limits::{
        HELLO_LIMIT, MAX_CANDIDATE_BYTES, MAX_SDP_BYTES, MAX_WATCHERS, RESUME_GRACE,
        ROOMLESS_LIMIT, SILENCE_LIMIT,
    },
};

use self::{
    admission::Claim,
    refusal::Refusal,
    room::{Room, Seat},
};
use crate::TurnCredentials;

/// Connections at once: with the files of the process they stay below the usual limit of 1024
/// descriptors. One more is answered with `server_full` and closed.
pub const MAX_CONNECTIONS: usize = 800;
/// Rooms at once, half as many as connections: a call has two people or more. Whoever asks for one
/// more is answered with `server_full`.
pub const MAX_ROOMS: usize = 400;
/// How long a room lasts before it is made anew, by those in it, who are told to come again: a call
/// that nobody ends is not to keep for ever what one server knows of it. The media goes on.
pub const ROOM_LIFE: Duration = Duration::from_hours(24);

/// A connection's number, chosen by the shell and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// What happens to one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// It is there.
    Connected,
    /// It brought a message.
    Message(ClientMessage),
    /// It brought something that is no message; the text says what is wrong with it.
    Unreadable(String),
    /// It brought more bytes than [`quartet_proto::limits::MAX_MESSAGE_BYTES`].
    TooLarge,
    /// It brought too much in a short time, and something was dropped. Said once a burst.
    RateLimited,
    /// It is gone.
    Disconnected,
}

/// What the shell is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this to that connection.
    Send(ConnId, ServerMessage),
    /// Close it, after what was sent to it before. The hub has forgotten it.
    Close(ConnId),
}

/// What a server offers and how much it takes.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// STUN and TURN servers for everybody who joins.
    pub ice_servers: Vec<IceServer>,
    /// And one with credentials that end.
    pub turn: Option<TurnCredentials>,
    /// [`MAX_CONNECTIONS`] unless chosen otherwise.
    pub max_connections: usize,
    /// [`MAX_ROOMS`] unless chosen otherwise.
    pub max_rooms: usize,
    /// [`ROOM_LIFE`] unless chosen otherwise.
    pub room_life: Duration,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            turn: None,
            max_connections: MAX_CONNECTIONS,
            max_rooms: MAX_ROOMS,
            room_life: ROOM_LIFE,
        }
    }
}

/// Who is there, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Connections.
    pub connections: usize,
    /// Those that look into a room.
    pub watchers: usize,
    /// Seats that are taken.
    pub participants: usize,
    /// Of these, seats that are kept for somebody whose connection is lost.
    pub away: usize,
    /// Rooms that somebody sits in or looks into.
    pub rooms: usize,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It has not said `hello`.
    New,
    /// It is in no room.
    Greeted,
    /// It looks into a room.
    Watching(RoomId),
    /// It waits to be let into a room.
    Waiting(RoomId, PeerId),
    /// It has a seat.
    Joined(RoomId, PeerId),
}

#[derive(Debug)]
struct Connection {
    stage: Stage,
    /// When it last brought anything.
    heard: Instant,
    /// Since when it is at its stage; where somebody else's doing has led it there, since it was
    /// heard before that.
    since: Instant,
    /// Not before: it was turned away.
    may_knock_at: Instant,
}

impl Connection {
    fn new(now: Instant, stage: Stage) -> Self {
        Self { stage, heard: now, since: now, may_knock_at: now }
    }

    /// When it is closed, if nothing comes, or nothing that leads anywhere.
    fn deadline(&self) -> Instant {
        let silence = self.heard + SILENCE_LIMIT;
        match self.stage {
            Stage::New => silence.min(self.since + HELLO_LIMIT),
            Stage::Greeted => silence.min(self.since + ROOMLESS_LIMIT),
            Stage::Watching(_) | Stage::Waiting(..) | Stage::Joined(..) => silence,
        }
    }
}

/// All connections and rooms of a server.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    connections: BTreeMap<ConnId, Connection>,
    /// Only rooms that somebody sits in or looks into.
    rooms: BTreeMap<RoomId, Room>,
    outputs: VecDeque<Output>,
    /// No deadline is earlier than this. Hearing from somebody moves theirs back without touching
    /// it: the hub then wakes once for nothing, instead of searching at every message.
    wake: Option<Instant>,
    /// What the calendar said at an instant, for what ends at a date.
    clock: Option<(Instant, SystemTime)>,
    closing: bool,
}

impl Hub {
    /// A hub without connections.
    #[must_use]
    pub fn new(config: HubConfig) -> Self {
        Self {
            config,
            connections: BTreeMap::new(),
            rooms: BTreeMap::new(),
            outputs: VecDeque::new(),
            wake: None,
            clock: None,
            closing: false,
        }
    }

    /// Tells the hub the date. Without one it gives no credentials that end; it goes on from the
    /// last, so only a clock that was set makes a difference.
    pub fn set_clock(&mut self, now: Instant, date: SystemTime) {
        self.clock = Some((now, date));
    }

    /// Takes what happened to `conn`. A connection that the hub has closed or never heard of can
    /// bring nothing.
    pub fn handle(&mut self, now: Instant, conn: ConnId, input: Input) {
        self.advance_clock(now);
        match input {
            Input::Connected => return self.connect(now, conn),
            Input::Disconnected => return self.forget(now, conn),
            _ => {}
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.heard = now;
        let stage = connection.stage;
        let done = match input {
            Input::Message(message) => self.message(now, conn, stage, message),
            Input::Unreadable(why) => Err(Refusal::because(ErrorCode::BadMessage, why)),
            Input::TooLarge => Err(ErrorCode::TooLarge.into()),
            Input::RateLimited => Err(ErrorCode::RateLimited.into()),
            Input::Connected | Input::Disconnected => Ok(()),
        };
        if let Err(refusal) = done {
            self.refuse(now, conn, refusal);
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wake
    }

    /// Closes silent and idle connections, and clears the seats of those who did not come back.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.wake.is_none_or(|wake| now < wake) {
            return;
        }
        let over = self.connections.iter().filter(|(_, connection)| connection.deadline() <= now);
        for conn in over.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.forget(now, conn);
            self.outputs.push_back(Output::Close(conn));
        }
        let overdue: Vec<(RoomId, PeerId)> = self
            .rooms
            .iter()
            .flat_map(|(id, room)| room.overdue(now).map(|peer| (*id, peer)))
            .collect();
        for (room, peer) in overdue {
            self.clear_seat(now, room, peer, LeaveReason::Lost);
        }
        self.renew_rooms(now);
        self.advance_clock(now);
        self.renew_credentials(now);
        let deadlines = self.connections.values().map(Connection::deadline);
        let life = self.config.room_life;
        // While no room is made, none is made anew.
        let ends = self.rooms.values().filter(|_| !self.closing).map(|room| room.since + life);
        let deadlines = deadlines.chain(ends);
        self.wake = deadlines.chain(self.rooms.values().flat_map(Room::deadlines)).min();
    }

    /// From now on no room is made any more; whoever asks for one is answered with `shutting_down`.
    pub fn close_to_new_rooms(&mut self) {
        self.closing = true;
    }

    /// Who is there now.
    #[must_use]
    pub fn census(&self) -> Census {
        let seats = || self.rooms.values().flat_map(|room| &room.seats);
        Census {
            connections: self.connections.len(),
            watchers: self.rooms.values().map(|room| room.watchers.len()).sum(),
            participants: seats().count(),
            away: seats().filter(|seat| seat.conn().is_none()).count(),
            rooms: self.rooms.len(),
        }
    }

    /// Says goodbye to everybody. The hub is empty afterwards.
    pub fn shut_down(&mut self) {
        for conn in std::mem::take(&mut self.connections).into_keys() {
            self.send(conn, Refusal::from(ErrorCode::ShuttingDown).into());
            self.outputs.push_back(Output::Close(conn));
        }
        self.rooms.clear();
        self.wake = None;
    }

    fn connect(&mut self, now: Instant, conn: ConnId) {
        if self.connections.len() >= self.config.max_connections {
            self.send(conn, Refusal::from(ErrorCode::ServerFull).into());
            self.outputs.push_back(Output::Close(conn));
            return;
        }
        let connection = Connection::new(now, Stage::New);
        self.wake_by(connection.deadline());
        self.connections.insert(conn, connection);
    }

    fn message(
        &mut self,
        now: Instant,
        conn: ConnId,
        stage: Stage,
        message: ClientMessage,
    ) -> Result<(), Refusal> {
        match (stage, message) {
            (Stage::New, ClientMessage::Hello { version, .. }) => {
                if version != PROTOCOL_VERSION {
                    return Err(ErrorCode::UnsupportedVersion.into());
                }
                self.set_stage(conn, Stage::Greeted);
                let server = concat!("quartet-server/", env!("CARGO_PKG_VERSION")).to_owned();
                self.send(conn, ServerMessage::Hello { version: PROTOCOL_VERSION, server });
                Ok(())
            }
            (Stage::New, _) => {
                Err(Refusal::because(ErrorCode::NotJoined, "the first message has to be `hello`"))
            }
            (_, ClientMessage::Hello { .. }) => {
                Err(Refusal::because(ErrorCode::BadMessage, "`hello` was said before"))
            }
            (_, ClientMessage::Ping { nonce }) => {
                self.send(conn, ServerMessage::Pong { nonce });
                Ok(())
            }
            (
                Stage::Joined(..) | Stage::Waiting(..),
                ClientMessage::Watch { .. } | ClientMessage::Join { .. },
            ) => Err(ErrorCode::AlreadyJoined.into()),
            (_, ClientMessage::Watch { room }) => self.watch(now, conn, stage, room),
            (_, ClientMessage::Join { room, key, name, media, policy, members }) => {
                let name = display_name(&name)
                    .map_err(|why| Refusal::because(ErrorCode::InvalidName, why.to_string()))?;
                let newcomer = Seat::new(conn, key, name, media);
                self.join(now, conn, stage, room, newcomer, Claim { policy, members })
            }
            (Stage::Joined(room, from), message) => {
                self.message_in_room(now, conn, room, from, message)
            }
            (Stage::Watching(room), ClientMessage::Leave) => {
                self.set_stage(conn, Stage::Greeted);
                self.stop_watching(conn, room);
                Ok(())
            }
            (Stage::Waiting(room, peer), ClientMessage::Leave) => {
                self.set_stage(conn, Stage::Greeted);
                self.stop_waiting(room, peer);
                Ok(())
            }
            _ => Err(ErrorCode::NotJoined.into()),
        }
    }

    fn message_in_room(
        &mut self,
        now: Instant,
        conn: ConnId,
        room: RoomId,
        from: PeerId,
        message: ClientMessage,
    ) -> Result<(), Refusal> {
        match message {
            ClientMessage::Description { to, epoch, kind, sdp, proof } => {
                if sdp.len() > MAX_SDP_BYTES {
                    return Err(Refusal::because(ErrorCode::BadMessage, "the SDP is too long"));
                }
                let proof = Some(proof);
                let message = ServerMessage::Description { from, epoch, kind, sdp, proof };
                self.relay(room, from, to, message)
            }
            ClientMessage::Confirm { to, epoch, proof } => {
                self.relay(room, from, to, ServerMessage::Confirm { from, epoch, proof })
            }
            ClientMessage::Candidate { to, epoch, candidate } => {
                let texts = [
                    Some(&candidate.candidate),
                    candidate.sdp_mid.as_ref(),
                    candidate.username_fragment.as_ref(),
                ];
                if texts.into_iter().flatten().any(|text| text.len() > MAX_CANDIDATE_BYTES) {
                    return Err(Refusal::because(
                        ErrorCode::BadMessage,
                        "the candidate is too long",
                    ));
                }
                self.relay(room, from, to, ServerMessage::Candidate { from, epoch, candidate })
            }
            ClientMessage::Negotiate { to, epoch, renew } => {
                self.relay(room, from, to, ServerMessage::Negotiate { from, epoch, renew })
            }
            ClientMessage::Media { media } => {
                self.set_media(room, from, media);
                Ok(())
            }
            ClientMessage::Leave => {
                self.set_stage(conn, Stage::Greeted);
                self.clear_seat(now, room, from, LeaveReason::Left);
                Ok(())
            }
            ClientMessage::Policy { policy } => {
                self.set_policy(room, from, policy);
                Ok(())
            }
            ClientMessage::Admit { peer } => self.admit(room, peer),
            ClientMessage::Refuse { peer } => self.turn_away(now, room, peer),
            ClientMessage::Remove { peer } => self.remove(now, room, from, peer),
            // Handled before a room matters.
            ClientMessage::Hello { .. }
            | ClientMessage::Watch { .. }
            | ClientMessage::Join { .. }
            | ClientMessage::Ping { .. } => Ok(()),
        }
    }

    fn watch(
        &mut self,
        now: Instant,
        conn: ConnId,
        stage: Stage,
        id: RoomId,
    ) -> Result<(), Refusal> {
        if stage != Stage::Watching(id) {
            let room = self.room_for_newcomer(now, id)?;
            if room.watchers.len() >= MAX_WATCHERS {
                return Err(Refusal::because(
                    ErrorCode::ServerFull,
                    "Many people are looking into this call: its names are not shown. You can \
                     still join.",
                ));
            }
            room.watchers.push(conn);
            self.set_stage(conn, Stage::Watching(id));
            if let Stage::Watching(before) = stage {
                self.stop_watching(conn, before);
            }
        }
        if let Some(roster) = self.rooms.get(&id).map(Room::roster) {
            self.send(conn, roster);
        }
        Ok(())
    }

    /// The room, made if need be.
    fn room_for_newcomer(&mut self, now: Instant, id: RoomId) -> Result<&mut Room, Refusal> {
        self.wake_by(now + self.config.room_life);
        let full = self.rooms.len() >= self.config.max_rooms;
        match self.rooms.entry(id) {
            Entry::Occupied(room) => Ok(room.into_mut()),
            Entry::Vacant(_) if self.closing => Err(ErrorCode::ShuttingDown.into()),
            Entry::Vacant(_) if full => Err(ErrorCode::ServerFull.into()),
            Entry::Vacant(place) => Ok(place.insert(Room::new(now))),
        }
    }

    fn relay(
        &mut self,
        room: RoomId,
        from: PeerId,
        to: PeerId,
        message: ServerMessage,
    ) -> Result<(), Refusal> {
        let seat = self.rooms.get_mut(&room).and_then(|room| room.seat_mut(to));
        match seat {
            Some(seat) if to != from => {
                // Nobody to tell while the seat is only kept: who comes back asks again.
                if let Some(conn) = seat.conn() {
                    self.send(conn, message);
                }
                Ok(())
            }
            _ => Err(ErrorCode::UnknownPeer.into()),
        }
    }

    fn set_media(&mut self, room: RoomId, peer: PeerId, media: MediaState) {
        let Some(seat) = self.rooms.get_mut(&room).and_then(|room| room.seat_mut(peer)) else {
            return;
        };
        if std::mem::replace(&mut seat.info.media, media) != media {
            self.tell_others(room, peer, &ServerMessage::PeerMedia { peer, media });
            self.tell_watchers(room);
        }
    }

    fn clear_seat(&mut self, now: Instant, id: RoomId, peer: PeerId, reason: LeaveReason) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.seats.retain(|seat| seat.info.id != peer);
        if reason == LeaveReason::Lost {
            room.door.expect_back(now, peer);
        }
        if room.seats.is_empty() {
            self.close_door(id);
        }
        self.tell_others(id, peer, &ServerMessage::PeerLeft { peer, reason, by: None });
        self.tell_watchers(id);
        self.drop_room_if_empty(id);
    }

    fn stop_watching(&mut self, conn: ConnId, id: RoomId) {
        if let Some(room) = self.rooms.get_mut(&id) {
            room.watchers.retain(|watcher| *watcher != conn);
        }
        self.drop_room_if_empty(id);
    }

    fn drop_room_if_empty(&mut self, id: RoomId) {
        if self.rooms.get(&id).is_some_and(Room::is_empty) {
            self.rooms.remove(&id);
        }
    }

    fn tell_others(&mut self, id: RoomId, peer: PeerId, notice: &ServerMessage) {
        let Some(room) = self.rooms.get(&id) else { return };
        let others = room.seats.iter().filter(|seat| seat.info.id != peer).filter_map(Seat::conn);
        self.outputs.extend(others.map(|conn| Output::Send(conn, notice.clone())));
    }

    fn tell_watchers(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get(&id) else { return };
        let roster = room.roster();
        self.outputs.extend(room.watchers.iter().map(|conn| Output::Send(*conn, roster.clone())));
    }

    fn refuse(&mut self, now: Instant, conn: ConnId, refusal: Refusal) {
        let ends = refusal.ends_connection();
        self.send(conn, refusal.into());
        if ends {
            self.forget(now, conn);
            self.outputs.push_back(Output::Close(conn));
        }
    }

    /// The connection is no more; its seat waits for it to come back.
    fn forget(&mut self, now: Instant, conn: ConnId) {
        match self.connections.remove(&conn).map(|connection| connection.stage) {
            Some(Stage::Joined(room, peer)) => {
                let until = now + RESUME_GRACE;
                if let Some(seat) = self.rooms.get_mut(&room).and_then(|room| room.seat_mut(peer)) {
                    seat.vacate(until);
                }
                self.wake_by(until);
            }
            Some(Stage::Watching(room)) => self.stop_watching(conn, room),
            Some(Stage::Waiting(room, peer)) => self.stop_waiting(room, peer),
            Some(Stage::New | Stage::Greeted) | None => {}
        }
    }

    fn set_stage(&mut self, conn: ConnId, stage: Stage) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.stage = stage;
            connection.since = connection.heard;
        }
    }

    fn send(&mut self, conn: ConnId, message: ServerMessage) {
        self.outputs.push_back(Output::Send(conn, message));
    }

    fn wake_by(&mut self, deadline: Instant) {
        self.wake = Some(self.wake.map_or(deadline, |wake| wake.min(deadline)));
    }
}
