//! How a connection gets to the owner of the room that it wants into, and what goes between the two
//! from then on.
//!
//! One wish at a time: while it is not answered, what else the connection brings waits. It leaves
//! the room where it is (to look in) only when the new owner has let it in.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use quartet_proto::{ClientMessage, ErrorCode, RoomId, ServerMessage};

use super::{
    Cluster, Command, LEASE,
    wire::{Body, NodeId, Outcome, wanted_room},
};
use crate::{ConnId, Hub, Input, Output};

/// From the wish to the refusal. Longer than a dead owner keeps its [`LEASE`], shorter than clients
/// wait for their first welcome (10 s).
const MOVE_LIMIT: Duration = Duration::from_secs(8);
/// An owner that does not answer for this long may have lost the room: Redis is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Messages that wait for a wish to be answered. Clients say nothing but pings meanwhile.
const WAITING_MESSAGES: usize = 16;

/// A connection of this node in another node's hub.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) home: NodeId,
    /// It has a seat there, as far as is known: what it may not say then is refused there.
    seated: bool,
    /// When it last brought anything.
    pub(super) heard: Instant,
}

/// A wish on its way.
#[derive(Debug)]
pub(super) struct Moving {
    /// `join` or `watch`.
    message: ClientMessage,
    room: RoomId,
    give_up_at: Instant,
    ask_at: Instant,
    /// The owner that was asked to let it in, and which time that was.
    asked: Option<(NodeId, u64)>,
    waiting: VecDeque<ClientMessage>,
    /// Something was dropped, and the client told.
    told: bool,
}

impl Moving {
    pub(super) fn asked_node(self) -> Option<NodeId> {
        self.asked.map(|(node, _)| node)
    }

    /// That node will not answer any more.
    pub(super) fn lost_node(&mut self, now: Instant, node: &NodeId) {
        if self.was_asked(node) {
            self.asked = None;
            self.ask_at = now + ASK_AGAIN;
        }
    }

    /// `false` when it is dropped and the client is to be told.
    fn wait(&mut self, message: ClientMessage) -> bool {
        if self.waiting.len() < WAITING_MESSAGES {
            self.waiting.push_back(message);
            return true;
        }
        std::mem::replace(&mut self.told, true)
    }

    fn was_asked(&self, node: &NodeId) -> bool {
        self.asked.as_ref().is_some_and(|(asked, _)| asked == node)
    }
}

impl Cluster {
    /// A message, or what came in the place of one.
    pub(super) fn take(&mut self, now: Instant, conn: ConnId, input: Input) {
        let home = self.away.get_mut(&conn).map(|away| {
            away.heard = now;
            away.home.clone()
        });
        let moving = self.moving.get_mut(&conn);
        match (input, home, moving) {
            (Input::Message(message), home, moving)
                if !matches!(message, ClientMessage::Ping { .. }) =>
            {
                match (moving, home) {
                    (Some(moving), _) => {
                        if !moving.wait(message) {
                            self.refuse(conn, ErrorCode::RateLimited);
                        }
                        self.hub.alive(now, conn);
                    }
                    (None, home) => self.message(now, conn, home, message),
                }
            }
            (input, Some(_), _) => self.answer(now, conn, input),
            (input, None, _) => self.hub.handle(now, conn, input),
        }
    }

    /// What concerns the socket is answered here: Redis may be away, the socket about to end.
    fn answer(&mut self, now: Instant, conn: ConnId, input: Input) {
        let answer = match input {
            Input::Message(ClientMessage::Ping { nonce }) => ServerMessage::Pong { nonce },
            Input::Unreadable(why) => Hub::refusal(ErrorCode::BadMessage, Some(why)),
            Input::RateLimited => Hub::refusal(ErrorCode::RateLimited, None),
            Input::TooLarge => {
                self.refuse(conn, ErrorCode::TooLarge);
                self.forget(now, conn);
                return self.outputs.push_back(Output::Close(conn));
            }
            Input::Message(_) | Input::Connected | Input::Disconnected => return,
        };
        self.outputs.push_back(Output::Send(conn, answer));
    }

    fn message(
        &mut self,
        now: Instant,
        conn: ConnId,
        home: Option<NodeId>,
        message: ClientMessage,
    ) {
        match (wanted_room(&message).filter(|_| self.may_wish(conn)), home) {
            (Some(room), _) => self.wish(now, conn, room, message),
            (None, Some(home)) => self.say(now, conn, &home, message),
            (None, None) => self.hub.handle(now, conn, Input::Message(message)),
        }
    }

    fn may_wish(&self, conn: ConnId) -> bool {
        match self.away.get(&conn) {
            Some(away) => !away.seated,
            None => self.hub.is_greeted(conn) && !self.hub.is_seated(conn),
        }
    }

    fn say(&mut self, now: Instant, conn: ConnId, home: &NodeId, message: ClientMessage) {
        if message == ClientMessage::Leave
            && let Some(away) = self.away.get_mut(&conn)
        {
            away.seated = false;
        }
        if !self.tell(now, home, Body::Said { conn: conn.0, message }) {
            self.dismiss(now, conn);
        }
    }

    fn wish(&mut self, now: Instant, conn: ConnId, room: RoomId, message: ClientMessage) {
        match self.admits(now, &message) {
            Some(true) => self.enter_here(now, conn, message),
            None if self.up => {
                let claims_from = self.claims_from.filter(|from| now < *from);
                let moving = Moving {
                    message,
                    room,
                    give_up_at: now + MOVE_LIMIT,
                    ask_at: claims_from.unwrap_or(now + ASK_AGAIN),
                    asked: None,
                    waiting: VecDeque::new(),
                    told: false,
                };
                self.moving.insert(conn, moving);
                if claims_from.is_none() {
                    self.commands.push_back(Command::Claim { room, asked: now });
                }
            }
            Some(false) | None => self.refuse(conn, ErrorCode::Unavailable),
        }
    }

    /// Into a room of this node, from wherever it is.
    fn enter_here(&mut self, now: Instant, conn: ConnId, message: ClientMessage) {
        let was_away = self.away.contains_key(&conn);
        if was_away {
            self.hub.adopt(now, conn);
        }
        self.hub.handle(now, conn, Input::Message(message));
        if was_away && self.hub.is_inside(conn) {
            if let Some(away) = self.away.remove(&conn) {
                self.tell(now, &away.home, Body::Gone { conn: conn.0 });
            }
        } else if was_away {
            self.hub.handle(now, conn, Input::Disconnected);
        }
        self.deliver(now);
    }

    /// Redis has said whose a room is.
    pub(super) fn claimed(&mut self, now: Instant, room: RoomId, owner: NodeId, asked: Instant) {
        let ours = owner == self.own;
        if ours && now < asked + LEASE {
            let until = self.leases.entry(room).or_insert(asked + LEASE);
            *until = (*until).max(asked + LEASE);
        }
        let moving = self.moving.iter().filter(|(_, moving)| moving.room == room);
        for conn in moving.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            if !ours {
                self.ask(now, conn, &owner);
            } else if self.leases.contains_key(&room)
                && let Some(moving) = self.stop_moving(now, conn, None)
            {
                self.enter_here(now, conn, moving.message);
                self.go_on(now, conn, moving.waiting);
            }
        }
    }

    fn ask(&mut self, now: Instant, conn: ConnId, owner: &NodeId) {
        self.last_attempt += 1;
        let attempt = self.last_attempt;
        let Some(moving) = self.moving.get_mut(&conn) else { return };
        if moving.was_asked(owner) {
            return;
        }
        let message = moving.message.clone();
        let before = moving.asked.replace((owner.clone(), attempt));
        if let Some((before, _)) = before {
            self.leave_unless_home(now, conn, &before);
        }
        self.link(now, owner);
        self.tell(now, owner, Body::Enter { conn: conn.0, attempt, message });
    }

    /// Wishes that take long: Redis is asked again, or they are given up.
    pub(super) fn hurry(&mut self, now: Instant) {
        let mut late = Vec::new();
        for (conn, moving) in &mut self.moving {
            if moving.give_up_at <= now {
                late.push(*conn);
            } else if moving.ask_at <= now {
                moving.ask_at = now + ASK_AGAIN;
                self.commands.push_back(Command::Claim { room: moving.room, asked: now });
            }
        }
        for conn in late {
            self.give_up(now, conn);
        }
    }

    /// Says that a wish cannot be fulfilled now.
    pub(super) fn give_up(&mut self, now: Instant, conn: ConnId) {
        let Some(moving) = self.stop_moving(now, conn, None) else { return };
        self.refuse(conn, ErrorCode::Unavailable);
        self.go_on(now, conn, moving.waiting);
    }

    /// Ends a wish; whoever else than `but` was asked to fulfil it is told to forget it.
    fn stop_moving(&mut self, now: Instant, conn: ConnId, but: Option<&NodeId>) -> Option<Moving> {
        let moving = self.moving.remove(&conn)?;
        if let Some((node, _)) = &moving.asked
            && but != Some(node)
        {
            self.leave_unless_home(now, conn, node);
        }
        Some(moving)
    }

    /// What waited for the answer.
    fn go_on(&mut self, now: Instant, conn: ConnId, waiting: VecDeque<ClientMessage>) {
        for message in waiting {
            // It may have been closed meanwhile, or wish again.
            if self.sockets.contains(&conn) {
                self.take(now, conn, Input::Message(message));
            }
        }
    }

    fn leave_unless_home(&mut self, now: Instant, conn: ConnId, node: &NodeId) {
        if self.away.get(&conn).is_none_or(|away| away.home != *node) {
            self.tell(now, node, Body::Gone { conn: conn.0 });
        }
    }

    /// Does what another node has written.
    pub(super) fn act(&mut self, now: Instant, node: &NodeId, body: Body) {
        match body {
            Body::Enter { conn, attempt, message } => {
                self.let_in(now, node, conn, attempt, message)
            }
            Body::Entered { conn, attempt, outcome } => {
                self.entered(now, node, ConnId(conn), attempt, outcome);
            }
            Body::Said { conn, message } => {
                let Some(guest) = self.guests.conn(node, conn) else { return };
                let elsewhere = wanted_room(&message).is_some()
                    && !self.hub.is_seated(guest)
                    && self.admits(now, &message) != Some(true);
                if elsewhere {
                    self.tell(now, node, Body::Returned { conn, message });
                } else {
                    self.hub.handle(now, guest, Input::Message(message));
                }
            }
            Body::Returned { conn, message } => {
                let conn = ConnId(conn);
                if let Some(away) = self.away.get_mut(&conn)
                    && away.home == *node
                {
                    away.seated = false;
                    self.take(now, conn, Input::Message(message));
                }
            }
            Body::Gone { conn } => {
                if let Some(guest) = self.guests.conn(node, conn) {
                    self.guests.remove(guest);
                    self.hub.handle(now, guest, Input::Disconnected);
                }
            }
            Body::Send { conn, message } => {
                let conn = ConnId(conn);
                if self.is_served_by(conn, node) {
                    self.outputs.push_back(Output::Send(conn, message));
                }
            }
            Body::Close { conn } => {
                let conn = ConnId(conn);
                if self.is_served_by(conn, node) {
                    self.forget(now, conn);
                    self.outputs.push_back(Output::Close(conn));
                }
            }
        }
    }

    fn is_served_by(&self, conn: ConnId, node: &NodeId) -> bool {
        self.away.get(&conn).is_some_and(|away| away.home == *node)
            || self.moving.get(&conn).is_some_and(|moving| moving.was_asked(node))
    }

    /// A connection of another node wants into a room of this one.
    fn let_in(
        &mut self,
        now: Instant,
        node: &NodeId,
        conn: u64,
        attempt: u64,
        message: ClientMessage,
    ) {
        let outcome = if self.admits(now, &message) == Some(true) {
            let guest = self.guests.conn(node, conn).unwrap_or_else(|| {
                let guest = self.guests.add(node, conn);
                self.hub.adopt(now, guest);
                guest
            });
            self.hub.handle(now, guest, Input::Message(message));
            // What it is told comes before the outcome.
            self.deliver(now);
            if self.hub.is_inside(guest) {
                Outcome::Inside
            } else {
                self.guests.remove(guest);
                self.hub.handle(now, guest, Input::Disconnected);
                Outcome::Refused
            }
        } else {
            Outcome::NotMine
        };
        self.tell(now, node, Body::Entered { conn, attempt, outcome });
    }

    /// The owner's answer.
    fn entered(
        &mut self,
        now: Instant,
        node: &NodeId,
        conn: ConnId,
        attempt: u64,
        outcome: Outcome,
    ) {
        let asked = self.moving.get(&conn).and_then(|moving| moving.asked.as_ref());
        if asked.is_none_or(|(asked, latest)| asked != node || *latest != attempt) {
            // Too late: it was told to forget the wish, unless the connection lives there anyway.
            if outcome == Outcome::Refused {
                self.comes_home(now, conn, node);
            }
            return;
        }
        match outcome {
            Outcome::NotMine => {
                if let Some(moving) = self.moving.get_mut(&conn) {
                    moving.lost_node(now, node);
                }
            }
            Outcome::Inside => {
                let Some(moving) = self.stop_moving(now, conn, Some(node)) else { return };
                let seated = matches!(moving.message, ClientMessage::Join { .. });
                let away = Away { home: node.clone(), seated, heard: now };
                match self.away.insert(conn, away) {
                    Some(before) if before.home != *node => {
                        self.tell(now, &before.home, Body::Gone { conn: conn.0 });
                    }
                    Some(_) => {}
                    None => self.hub.handle(now, conn, Input::Disconnected),
                }
                self.go_on(now, conn, moving.waiting);
            }
            Outcome::Refused => {
                let Some(moving) = self.stop_moving(now, conn, Some(node)) else { return };
                self.comes_home(now, conn, node);
                self.go_on(now, conn, moving.waiting);
            }
        }
    }

    /// A node that refused a connection has let go of it: if it lived there, it is ours again.
    fn comes_home(&mut self, now: Instant, conn: ConnId, node: &NodeId) {
        if self.away.get(&conn).is_some_and(|away| away.home == *node) {
            self.away.remove(&conn);
            self.hub.adopt(now, conn);
        }
    }
}
