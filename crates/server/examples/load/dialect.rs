//! The same words in the two dialects: Quartet's protocol, and what socket.io makes of them
//! (Engine.IO 4 and Socket.IO 5, over a WebSocket from the start).

use quartet_proto::{PeerId, RoomId, SessionKey};
use serde_json::json;

/// People in a room.
const ROOM: usize = 4;
/// Stands before the time of sending in a candidate that goes one way.
const ONCE: &str = " t=";
/// And in one that goes round.
const ROUND: &str = " r=";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dialect {
    Quartet,
    SocketIo,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The server speaks first, and has spoken.
    Opened,
    Greeted,
    Joined,
    /// The server's ping.
    Ping,
    /// Sent so many microseconds after the start of the world, once or to go round.
    Candidate {
        sent: u64,
        round: bool,
    },
    /// Not for measuring: news of the room, answers to pings.
    Other,
    /// The server says no.
    Refused(String),
}

impl Dialect {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Quartet => "/ws",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// Whether the client waits for the server's first word.
    pub(crate) fn server_opens(self) -> bool {
        self == Self::SocketIo
    }

    pub(crate) fn hello(self) -> String {
        match self {
            Self::Quartet => {
                let version = quartet_proto::PROTOCOL_VERSION;
                json!({ "type": "hello", "version": version, "client": "load" }).to_string()
            }
            Self::SocketIo => "40".to_owned(),
        }
    }

    pub(crate) fn join(self, number: usize) -> String {
        let room = RoomId::from_bytes(sixteen(number / ROOM));
        let name = format!("Guest {number}");
        let media = json!({ "muted": false, "camera_off": false });
        match self {
            Self::Quartet => {
                let key = SessionKey::from_bytes(sixteen(number));
                json!({ "type": "join", "room": room, "key": key, "name": name, "media": media })
                    .to_string()
            }
            Self::SocketIo => {
                let join = json!({ "room": room, "id": id(number), "name": name, "media": media });
                format!("420{}", json!(["join", join]))
            }
        }
    }

    /// What comes before and after the time of sending.
    pub(crate) fn candidate(self, number: usize, round: bool) -> (String, String) {
        let mark = if round { ROUND } else { ONCE };
        let line = format!(
            "candidate:1 1 udp 2130706431 192.0.2.7 54321 typ host generation 0 ufrag EsAw{mark}#"
        );
        let candidate = json!({
            "candidate": line, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "EsAw",
        });
        let to = id(number / ROOM * ROOM + (number + 1) % ROOM);
        let text = match self {
            Self::Quartet => {
                json!({ "type": "candidate", "to": to, "epoch": 1, "candidate": candidate })
                    .to_string()
            }
            Self::SocketIo => {
                let message = json!({ "to": to, "epoch": 1, "candidate": candidate });
                format!("42{}", json!(["candidate", message]))
            }
        };
        let (before, after) = text.split_once('#').expect("the mark is in it");
        (before.to_owned(), after.to_owned())
    }

    /// What keeps the connection, said by the client every two seconds.
    pub(crate) fn ping(self) -> Option<&'static str> {
        (self == Self::Quartet).then_some(r#"{"type":"ping","nonce":1}"#)
    }

    /// The answer to [`Heard::Ping`].
    pub(crate) fn pong(self) -> &'static str {
        "3"
    }

    pub(crate) fn read(self, text: &str) -> Heard {
        for (mark, round) in [(ONCE, false), (ROUND, true)] {
            if let Some((_, rest)) = text.split_once(mark) {
                let digits = rest.split('"').next().unwrap_or_default();
                if let Ok(sent) = digits.parse() {
                    return Heard::Candidate { sent, round };
                }
            }
        }
        let starts = |word: &str| text.starts_with(word);
        match self {
            Self::Quartet if starts(r#"{"type":"hello""#) => Heard::Greeted,
            Self::Quartet if starts(r#"{"type":"welcome""#) => Heard::Joined,
            Self::Quartet if starts(r#"{"type":"error""#) => Heard::Refused(text.to_owned()),
            Self::SocketIo if starts("0") => Heard::Opened,
            Self::SocketIo if starts("40") => Heard::Greeted,
            Self::SocketIo if starts("430") => Heard::Joined,
            Self::SocketIo if starts("44") => Heard::Refused(text.to_owned()),
            Self::SocketIo if text == "2" => Heard::Ping,
            Self::Quartet | Self::SocketIo => Heard::Other,
        }
    }
}

fn id(number: usize) -> PeerId {
    SessionKey::from_bytes(sixteen(number)).peer_id()
}

fn sixteen(number: usize) -> [u8; 16] {
    (number as u128 + 1).to_be_bytes()
}
