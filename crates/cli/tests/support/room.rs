//! A room on a server in this process, for participants that are processes of their own.

#![allow(dead_code, reason = "not every test uses everything")]

use quartet_harness::{Participant, ParticipantOptions, Programs};
use quartet_proto::{JoinLink, LinkSecret, ServerUrl};
use quartet_server::{Server, ServerConfig};

pub(crate) struct Room {
    pub(crate) link: String,
    programs: Programs,
    // In this order: the server ends with its runtime.
    server: Server,
    _runtime: tokio::runtime::Runtime,
}

impl Room {
    pub(crate) fn open() -> Self {
        Self::open_with(|_| {})
    }

    /// On a server that is set up in another way than usual.
    pub(crate) fn open_with(set_up: impl FnOnce(&mut ServerConfig)) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut config = ServerConfig::at(listen);
        set_up(&mut config);
        let server = Server::start(config).unwrap();
        let link = new_link(&server.url());
        Self { link, programs: programs(), server, _runtime: runtime }
    }

    /// Where its server listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.local_addr()
    }

    pub(crate) fn join(&self, options: &ParticipantOptions) -> Participant {
        Participant::join(&self.programs, &self.link, options).unwrap()
    }
}

pub(crate) fn programs() -> Programs {
    Programs::beside(env!("CARGO_BIN_EXE_quartet-cli")).unwrap()
}

/// A link to a new room.
pub(crate) fn new_link(server: &str) -> String {
    let server = ServerUrl::parse(server).unwrap();
    JoinLink { server, secret: LinkSecret::from_bytes(rand::random()) }.to_web_url()
}
