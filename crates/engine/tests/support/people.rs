//! Engines in a room, for tests.

#![allow(dead_code, reason = "not every test uses everything")]

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use quartet_core::EncodedFrame;
use quartet_engine::{
    Command, Engine, EngineConfig, Event, EventReceiver, IceConfig, JoinRequest, Selected,
    TileSink, VoiceTap,
};
use quartet_media::{PcmFrame, TestPattern, Tone};
use quartet_proto::{JoinLink, LinkSecret, ServerUrl};
use quartet_server::{Server, ServerConfig};

pub(crate) fn server() -> (Server, JoinLink) {
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = Server::start(ServerConfig::at(listen)).unwrap();
    let link = link(&server.url());
    (server, link)
}

pub(crate) fn link(server: &str) -> JoinLink {
    JoinLink {
        server: ServerUrl::parse(server).unwrap(),
        secret: LinkSecret::from_bytes(rand::random()),
    }
}

pub(crate) struct Person {
    pub(crate) engine: Engine,
    pub(crate) events: EventReceiver,
    name: &'static str,
}

impl Person {
    pub(crate) fn new(name: &'static str) -> Self {
        let (engine, events) = Engine::start(EngineConfig::default());
        Self { engine, events, name }
    }

    /// With a test picture and a tone.
    pub(crate) fn with_tone(name: &'static str, hz: f64) -> Self {
        let person = Self::new(name);
        person.engine.send(Command::Select(Selected {
            video: Some(Arc::new(TestPattern::new(name))),
            audio: Some(Arc::new(Tone::new(hz))),
            speaker: None,
        }));
        person
    }

    pub(crate) fn join(&self, link: &JoinLink) {
        self.engine.send(Command::Join(JoinRequest {
            link: link.clone(),
            name: self.name.to_owned(),
            ice: IceConfig { bind: vec!["127.0.0.1".parse().unwrap()], ..IceConfig::default() },
            policy: quartet_proto::RoomPolicy::Open,
        }));
    }

    /// Waits until `look` finds something in an event.
    pub(crate) async fn hear<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(Event) -> Option<T>,
    ) -> T {
        let mut heard = Vec::new();
        let search = async {
            while let Some(event) = self.events.recv().await {
                if !matches!(event, Event::Levels { .. } | Event::Stats(_)) {
                    heard.push(format!("{event:?}"));
                }
                if let Some(found) = look(event) {
                    return Some(found);
                }
            }
            None
        };
        match tokio::time::timeout(Duration::from_secs(15), search).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!("{}: the engine ended before {what}; heard {heard:?}", self.name),
            Err(_) => panic!("{}: no {what} in 15 s; heard {heard:?}", self.name),
        }
    }
}

/// Keeps what it gets.
#[derive(Debug, Default)]
pub(crate) struct Pictures(pub(crate) Mutex<Vec<EncodedFrame>>);

impl TileSink for Pictures {
    fn picture(&self, frame: &EncodedFrame) -> bool {
        self.0.lock().push(frame.clone());
        true
    }
}

/// Keeps what it gets.
#[derive(Debug, Default)]
pub(crate) struct Sound(pub(crate) Mutex<Vec<f32>>);

impl VoiceTap for Sound {
    fn voice(&self, frame: &PcmFrame) {
        self.0.lock().extend_from_slice(frame);
    }
}

/// Waits, for 15 s at most, until it is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let wait = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(15), wait).await.is_ok(), "never: {what}");
}
