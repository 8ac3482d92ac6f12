//! A hub on its own, or one of several, behind the same door.

use std::time::Instant;

use super::{Cluster, Command, News};
use crate::{ConnId, Hub, Input, Output};

/// What a server's task runs.
#[derive(Debug)]
pub enum Node {
    /// All rooms are here.
    Alone(Box<Hub>),
    /// Rooms are shared out.
    Among(Box<Cluster>),
}

impl Node {
    /// As [`Hub::handle`].
    pub fn handle(&mut self, now: Instant, conn: ConnId, input: Input) {
        match self {
            Self::Alone(hub) => hub.handle(now, conn, input),
            Self::Among(cluster) => cluster.handle(now, conn, input),
        }
    }

    /// As [`Cluster::handle_news`].
    pub fn handle_news(&mut self, now: Instant, news: News) {
        if let Self::Among(cluster) = self {
            cluster.handle_news(now, news);
        }
    }

    /// As [`Hub::poll`].
    pub fn poll(&mut self) -> Option<Output> {
        match self {
            Self::Alone(hub) => hub.poll(),
            Self::Among(cluster) => cluster.poll(),
        }
    }

    /// As [`Cluster::poll_command`].
    pub fn poll_command(&mut self) -> Option<Command> {
        match self {
            Self::Alone(_) => None,
            Self::Among(cluster) => cluster.poll_command(),
        }
    }

    /// As [`Hub::poll_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Alone(hub) => hub.poll_timeout(),
            Self::Among(cluster) => Some(cluster.poll_timeout()),
        }
    }

    /// As [`Hub::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Alone(hub) => hub.handle_timeout(now),
            Self::Among(cluster) => cluster.handle_timeout(now),
        }
    }

    /// As [`Hub::shut_down`].
    pub fn shut_down(&mut self, now: Instant) {
        match self {
            Self::Alone(hub) => hub.shut_down(),
            Self::Among(cluster) => cluster.shut_down(now),
        }
    }

    /// The hub of the rooms that are here.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        match self {
            Self::Alone(hub) => hub,
            Self::Among(cluster) => &cluster.hub,
        }
    }

    /// The same, for what concerns all rooms alike (such as the date).
    pub fn hub_mut(&mut self) -> &mut Hub {
        match self {
            Self::Alone(hub) => hub,
            Self::Among(cluster) => &mut cluster.hub,
        }
    }
}
