//! A hub under virtual time, and short words for what is said to it and by it.

use std::time::{Duration, Instant};

use quartet_proto::{
    ClientMessage, DescriptionKind, ErrorCode, LeaveReason, MediaState, PROTOCOL_VERSION, PeerId,
    PeerInfo, Proof, RoomId, RoomPolicy, ServerMessage, SessionKey, Word,
};
use quartet_server::{ConnId, Hub, HubConfig, Input, Output};

pub(crate) const A: ConnId = ConnId(1);
pub(crate) const B: ConnId = ConnId(2);
pub(crate) const C: ConnId = ConnId(3);
pub(crate) const D: ConnId = ConnId(4);
/// Of anything: a server looks at none.
pub(crate) const PROOF: Proof =
    Proof { word: Word::from_bytes([1; 32]), mac: Word::from_bytes([2; 32]) };
pub(crate) const MUTED: MediaState = MediaState { muted: true, camera_off: false, sharing: None };
pub(crate) const OPEN: MediaState = MediaState { muted: false, camera_off: false, sharing: None };

/// A hub, its time, and what it said since the last look.
pub(crate) struct Bench {
    pub(crate) hub: Hub,
    pub(crate) now: Instant,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(HubConfig::default())
    }

    pub(crate) fn with(config: HubConfig) -> Self {
        Self { hub: Hub::new(config), now: Instant::now() }
    }

    pub(crate) fn input(&mut self, conn: ConnId, input: Input) -> Vec<Output> {
        self.hub.handle(self.now, conn, input);
        self.outputs()
    }

    pub(crate) fn say(&mut self, conn: ConnId, message: ClientMessage) -> Vec<Output> {
        self.input(conn, Input::Message(message))
    }

    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.hub.poll()).collect()
    }

    /// Lets time pass, waking the hub only when it asks to be.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Output> {
        let end = self.now + time;
        while let Some(wake) = self.hub.poll_timeout().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.hub.handle_timeout(self.now);
        }
        self.now = end;
        self.outputs()
    }

    pub(crate) fn greeted(&mut self, conn: ConnId) {
        self.input(conn, Input::Connected);
        let answer = self.say(conn, hello());
        assert!(
            matches!(&answer[..], [Output::Send(to, ServerMessage::Hello { .. })] if *to == conn)
        );
    }

    pub(crate) fn joined(&mut self, conn: ConnId) -> PeerId {
        self.greeted(conn);
        self.say(conn, join(room(1), key_of(conn)));
        key_of(conn).peer_id()
    }
}

pub(crate) fn hello() -> ClientMessage {
    ClientMessage::Hello { version: PROTOCOL_VERSION, client: "test".into() }
}

pub(crate) fn room(n: u8) -> RoomId {
    RoomId::from_bytes([n; 16])
}

pub(crate) fn key(n: u8) -> SessionKey {
    SessionKey::from_bytes([n; 16])
}

pub(crate) fn key_of(conn: ConnId) -> SessionKey {
    key(u8::try_from(conn.0).unwrap())
}

pub(crate) fn join(room: RoomId, key: SessionKey) -> ClientMessage {
    join_as(room, key, RoomPolicy::Open, None)
}

pub(crate) fn join_as(
    room: RoomId,
    key: SessionKey,
    policy: RoomPolicy,
    members: Option<&[PeerId]>,
) -> ClientMessage {
    let members = members.map(Vec::from);
    ClientMessage::Join { room, key, name: "Somsri".into(), media: OPEN, policy, members }
}

pub(crate) fn info(conn: ConnId) -> PeerInfo {
    PeerInfo { id: key_of(conn).peer_id(), name: "Somsri".into(), media: OPEN }
}

pub(crate) fn offer(to: PeerId) -> ClientMessage {
    let (kind, sdp) = (DescriptionKind::Offer, "v=0".into());
    ClientMessage::Description { to, epoch: 1, kind, sdp, proof: PROOF }
}

pub(crate) fn welcome(you: ConnId, others: &[ConnId]) -> Output {
    welcome_to(you, others, RoomPolicy::Open, &[])
}

pub(crate) fn welcome_to(
    you: ConnId,
    others: &[ConnId],
    policy: RoomPolicy,
    knocking: &[ConnId],
) -> Output {
    let infos = |conns: &[ConnId]| conns.iter().copied().map(info).collect();
    let (peers, knocking) = (infos(others), infos(knocking));
    let you_id = key_of(you).peer_id();
    let welcome =
        ServerMessage::Welcome { you: you_id, peers, ice_servers: vec![], policy, knocking };
    Output::Send(you, welcome)
}

pub(crate) fn left(to: ConnId, who: ConnId, reason: LeaveReason) -> Output {
    Output::Send(to, ServerMessage::PeerLeft { peer: key_of(who).peer_id(), reason, by: None })
}

#[track_caller]
pub(crate) fn assert_refused(outputs: &[Output], conn: ConnId, expected: ErrorCode) {
    match outputs {
        [Output::Send(to, ServerMessage::Error { code, message })] => {
            assert_eq!((*to, *code), (conn, expected));
            assert!(!message.is_empty());
        }
        other => panic!("expected only {expected:?}: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_refused_and_closed(outputs: &[Output], conn: ConnId, expected: ErrorCode) {
    let (last, error) = outputs.split_last().expect("a close");
    assert_eq!(*last, Output::Close(conn));
    assert_refused(error, conn, expected);
}
