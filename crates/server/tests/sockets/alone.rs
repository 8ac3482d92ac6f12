//! What the tests run on: one server.

use std::net::{Ipv4Addr, SocketAddr};

use quartet_server::{Server, ServerConfig};

#[cfg(unix)]
use crate::program::Program;

pub(crate) type Site = Server;

pub(crate) fn start() -> Site {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::start(ServerConfig::at(listen)).expect("a free port")
}

/// Programs of their own, for what should not share memory with the test.
#[cfg(unix)]
pub(crate) struct Programs(Program);

#[cfg(unix)]
pub(crate) fn start_programs(arguments: &[&str]) -> Programs {
    Programs(Program::start(arguments))
}

#[cfg(unix)]
impl Programs {
    pub(crate) fn count(&self) -> usize {
        1
    }

    /// Of any of them.
    pub(crate) fn address(&self, _: usize) -> SocketAddr {
        self.0.address()
    }

    /// Bytes that all of them have.
    pub(crate) fn memory(&self) -> u64 {
        self.0.memory()
    }

    /// Ends them in an orderly way; gives what they have logged.
    pub(crate) fn end(self) -> Vec<String> {
        self.0.signal("TERM");
        let (status, log) = self.0.ended();
        assert!(status.success());
        vec![log]
    }
}
