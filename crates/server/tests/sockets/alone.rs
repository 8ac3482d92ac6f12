//! What the tests run on: one server.

use std::net::{Ipv4Addr, SocketAddr};

use quartet_server::{Server, ServerConfig};

pub(crate) type Site = Server;

pub(crate) fn start() -> Site {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::start(ServerConfig::at(listen)).expect("a free port")
}
