//! The rules of the server: anything from many connections, in any order, at any time.

#![no_main]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime},
};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use quartet_proto::{
    ClientMessage, ErrorCode, MediaState, PROTOCOL_VERSION, PeerId, RoomId, RoomPolicy,
    ServerMessage, SessionKey,
    limits::{MAX_MESSAGE_BYTES, MAX_WATCHERS, RESUME_GRACE, ROOM_CAPACITY},
};
use quartet_server::{Census, ConnId, Hub, HubConfig, Input, Output, TurnCredentials};

const MAX_CONNECTIONS: usize = 12;
const MAX_ROOMS: usize = 3;
/// So short that rooms end while something happens.
const ROOM_LIFE: Duration = Duration::from_secs(90);
/// To everybody in a room and before it, some words each.
const MAX_OUTPUTS: usize = 200;

#[derive(Debug, Arbitrary)]
enum Step {
    /// One more connection, which says `hello` or not.
    Connect {
        greets: bool,
    },
    /// A connection says something; which of them is the first number, modulo their count.
    Says(u8, Words),
    /// Bytes, as they come from a socket: often no message at all.
    Writes(u8, String),
    Unreadable(u8),
    TooLarge(u8),
    RateLimited(u8),
    Gone(u8),
    Passes {
        milliseconds: u16,
    },
    CloseToNewRooms,
}

#[derive(Debug, Arbitrary)]
enum Words {
    Hello { version: u8 },
    Watch { room: u8 },
    Join { room: u8, key: u8, name: String, policy: u8, members: Option<Vec<u8>> },
    Policy(u8),
    Admit(u8),
    Refuse(u8),
    Remove(u8),
    Negotiate { to: u8, epoch: u32 },
    Media { muted: bool },
    Ping(u32),
    Leave,
}

fn key(number: u8) -> SessionKey {
    SessionKey::from_bytes([number % 10; 16])
}

fn peer(number: u8) -> PeerId {
    key(number).peer_id()
}

fn room(number: u8) -> RoomId {
    RoomId::from_bytes([number % 5; 16])
}

fn policy(number: u8) -> RoomPolicy {
    [RoomPolicy::Open, RoomPolicy::Knock, RoomPolicy::Locked][usize::from(number % 3)]
}

impl From<Words> for ClientMessage {
    fn from(words: Words) -> Self {
        match words {
            Words::Hello { version } => {
                Self::Hello { version: version.into(), client: String::new() }
            }
            Words::Watch { room: number } => Self::Watch { room: room(number) },
            Words::Join { room: number, key: own, name, policy: chosen, members } => Self::Join {
                room: room(number),
                key: key(own),
                name: if name.is_empty() { "Ann".to_owned() } else { name },
                media: MediaState::default(),
                policy: policy(chosen),
                members: members.map(|all| all.into_iter().map(peer).collect()),
            },
            Words::Policy(chosen) => Self::Policy { policy: policy(chosen) },
            Words::Admit(who) => Self::Admit { peer: peer(who) },
            Words::Refuse(who) => Self::Refuse { peer: peer(who) },
            Words::Remove(who) => Self::Remove { peer: peer(who) },
            Words::Negotiate { to, epoch } => {
                Self::Negotiate { to: peer(to), epoch, renew: epoch % 2 == 0 }
            }
            Words::Media { muted } => {
                Self::Media { media: MediaState { muted, ..MediaState::default() } }
            }
            Words::Ping(nonce) => Self::Ping { nonce },
            Words::Leave => Self::Leave,
        }
    }
}

struct World {
    hub: Hub,
    now: Instant,
    /// What the hub has not closed, and whose sockets are there.
    open: BTreeSet<ConnId>,
    next: u64,
}

impl World {
    fn input(&mut self, conn: ConnId, input: Input) {
        self.hub.handle(self.now, conn, input);
        self.look();
    }

    /// Of the open connections, or, seldom, one that is not.
    fn conn(&self, number: u8) -> ConnId {
        let open = self.open.iter().nth(usize::from(number) % self.open.len().max(1));
        open.copied().filter(|_| number < 250).unwrap_or(ConnId(number.into()))
    }

    fn look(&mut self) {
        let mut count = 0;
        while let Some(output) = self.hub.poll() {
            count += 1;
            match output {
                Output::Send(conn, message) => {
                    assert!(self.open.contains(&conn), "nothing is sent after the end");
                    check(&message);
                }
                Output::Close(conn) => assert!(self.open.remove(&conn), "closed once"),
            }
        }
        assert!(count <= MAX_OUTPUTS, "{count} outputs for one input");
        let census = self.hub.census();
        assert_eq!(census.connections, self.open.len());
        assert!(census.connections <= MAX_CONNECTIONS && census.rooms <= MAX_ROOMS);
        assert!(census.participants <= census.rooms * ROOM_CAPACITY);
        assert!(census.watchers <= census.rooms * MAX_WATCHERS);
        assert!(census.away <= census.participants);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.hub.poll_timeout().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.hub.handle_timeout(self.now);
            self.look();
            let next = self.hub.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "what was due is done");
        }
        self.now = end;
    }
}

fn check(message: &ServerMessage) {
    let text = serde_json::to_string(message).expect("our messages are JSON");
    assert!(text.len() <= MAX_MESSAGE_BYTES, "a client may refuse this");
    match message {
        ServerMessage::Welcome { you, peers, .. } => {
            assert!(peers.len() < ROOM_CAPACITY && peers.iter().all(|peer| peer.id != *you));
        }
        ServerMessage::Roster { peers, .. } => assert!(peers.len() <= ROOM_CAPACITY),
        ServerMessage::Error { code, message } => {
            assert!(!message.is_empty() && message.len() <= 256);
            assert_ne!(*code, ErrorCode::AddressLimited, "the hub knows no addresses");
        }
        _ => {}
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let hub = Hub::new(HubConfig {
        max_connections: MAX_CONNECTIONS,
        max_rooms: MAX_ROOMS,
        room_life: ROOM_LIFE,
        turn: Some(TurnCredentials::new("secret", vec!["turn:a".into()], ROOM_LIFE)),
        ..HubConfig::default()
    });
    let mut world = World { hub, now: Instant::now(), open: BTreeSet::new(), next: 0 };
    world.hub.set_clock(world.now, SystemTime::UNIX_EPOCH);
    for step in steps {
        match step {
            Step::Connect { greets } => {
                let conn = ConnId(world.next);
                world.next += 1;
                world.open.insert(conn);
                world.input(conn, Input::Connected);
                let version = PROTOCOL_VERSION;
                let hello = ClientMessage::Hello { version, client: String::new() };
                if greets {
                    world.input(conn, Input::Message(hello));
                }
            }
            Step::Says(who, words) => world.input(world.conn(who), Input::Message(words.into())),
            Step::Writes(who, text) => {
                let input = match serde_json::from_str(&text) {
                    Ok(message) => Input::Message(message),
                    Err(error) => Input::Unreadable(error.to_string()),
                };
                world.input(world.conn(who), input);
            }
            Step::Unreadable(who) => {
                let much = "\u{e01}".repeat(usize::from(who) * 4);
                world.input(world.conn(who), Input::Unreadable(format!("?{much}")));
            }
            Step::TooLarge(who) => world.input(world.conn(who), Input::TooLarge),
            Step::RateLimited(who) => world.input(world.conn(who), Input::RateLimited),
            Step::Gone(who) => {
                let conn = world.conn(who);
                world.open.remove(&conn);
                world.input(conn, Input::Disconnected);
            }
            Step::Passes { milliseconds } => world.pass(Duration::from_millis(milliseconds.into())),
            Step::CloseToNewRooms => world.hub.close_to_new_rooms(),
        }
    }
    while let Some(conn) = world.open.pop_first() {
        world.input(conn, Input::Disconnected);
    }
    world.pass(RESUME_GRACE);
    assert_eq!(world.hub.census(), Census::default(), "nobody has left anything behind");
    // It may still wake once for something that is over.
    world.pass(ROOM_LIFE);
    assert_eq!(world.hub.poll_timeout(), None);
});
