//! The life of the connection to the signalling server: open, join, stay, come back.

use std::time::{Duration, Instant};

use quartet_proto::{
    ClientMessage, PROTOCOL_VERSION, PeerId,
    limits::{PING_INTERVAL, SILENCE_LIMIT},
};

use super::{Outbox, Output};
use crate::backoff::Backoff;

/// To open a socket: DNS, TCP, TLS and WebSocket over a bad mobile network.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// From the wish to join to the first welcome, with as many tries as fit. It covers a server that
/// is just starting; after it the user is told.
pub(super) const JOIN_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No socket until then.
    Waiting { until: Instant },
    /// A socket is being opened, until then at the latest.
    Opening { until: Instant },
    /// Open; the join is not answered.
    Joining,
    /// In the room, since then.
    Online { since: Instant },
}

/// What became of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// As before.
    Unchanged,
    /// It was lost and is tried again.
    Lost,
    /// [`JOIN_LIMIT`] has passed.
    Unreachable,
}

#[derive(Debug)]
pub(super) struct Signalling {
    stage: Stage,
    backoff: Backoff,
    /// Until the first answer to a join; somebody who waits to be let in has had one.
    join_by: Option<Instant>,
    /// There was a welcome.
    joined: bool,
    /// While a socket is open: the server's last message, or the opening.
    heard: Instant,
    /// While a socket is open.
    ping_at: Instant,
    nonce: u32,
}

impl Signalling {
    pub(super) fn new(now: Instant, own: PeerId, out: &mut Outbox) -> Self {
        out.push(Output::OpenSocket);
        Self {
            stage: Stage::Opening { until: now + OPEN_LIMIT },
            backoff: Backoff::new(own),
            join_by: Some(now + JOIN_LIMIT),
            joined: false,
            heard: now,
            ping_at: now,
            nonce: 0,
        }
    }

    pub(super) fn is_joining(&self) -> bool {
        self.stage == Stage::Joining
    }

    pub(super) fn is_online(&self) -> bool {
        matches!(self.stage, Stage::Online { .. })
    }

    pub(super) fn has_joined_before(&self) -> bool {
        self.joined
    }

    /// The socket is open. Hello and join go together: one round trip less before the welcome.
    pub(super) fn opened(&mut self, now: Instant, join: ClientMessage, out: &mut Outbox) {
        if !matches!(self.stage, Stage::Opening { .. }) {
            return;
        }
        self.stage = Stage::Joining;
        self.heard = now;
        self.ping_at = now + PING_INTERVAL;
        let client = concat!("quartet/", env!("CARGO_PKG_VERSION")).to_owned();
        out.send(ClientMessage::Hello { version: PROTOCOL_VERSION, client });
        out.send(join);
    }

    /// Any message.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn welcomed(&mut self, now: Instant) {
        self.stage = Stage::Online { since: now };
        self.join_by = None;
        self.joined = true;
    }

    /// Somebody has to let this one in, for which there is time: true when that is news.
    pub(super) fn waits(&mut self) -> bool {
        !self.joined && self.join_by.take().is_some()
    }

    /// The socket ended by itself.
    pub(super) fn closed(&mut self, now: Instant) -> Fate {
        if matches!(self.stage, Stage::Waiting { .. }) {
            return Fate::Unchanged;
        }
        self.retry(now)
    }

    /// The socket is of no use (any more).
    pub(super) fn abandon(&mut self, now: Instant, out: &mut Outbox) -> Fate {
        self.end(out);
        self.retry(now)
    }

    /// For good.
    pub(super) fn end(&self, out: &mut Outbox) {
        if !matches!(self.stage, Stage::Waiting { .. }) {
            out.push(Output::CloseSocket);
        }
    }

    /// There may be a way now where there was none, or the other way round.
    pub(super) fn network_changed(&mut self, now: Instant, out: &mut Outbox) -> Fate {
        // A try over the old network would take long to fail. And a socket from an address that is
        // gone swallows what is said: that shows only after [`SILENCE_LIMIT`], and until then
        // nobody hears of the new address. To come back costs three round trips.
        let stage = self.stage;
        if !matches!(stage, Stage::Waiting { .. }) {
            out.push(Output::CloseSocket);
        }
        self.backoff.reset();
        self.open(now, out);
        let lost = matches!(stage, Stage::Joining | Stage::Online { .. });
        if lost { Fate::Lost } else { Fate::Unchanged }
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        let next = match self.stage {
            Stage::Waiting { until } | Stage::Opening { until } => until,
            Stage::Joining | Stage::Online { .. } => self.ping_at.min(self.heard + SILENCE_LIMIT),
        };
        self.join_by.map_or(next, |join_by| join_by.min(next))
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) -> Fate {
        if self.join_by.is_some_and(|join_by| join_by <= now) {
            return Fate::Unreachable;
        }
        match self.stage {
            Stage::Waiting { until } if until <= now => self.open(now, out),
            Stage::Opening { until } if until <= now => return self.abandon(now, out),
            Stage::Joining | Stage::Online { .. } => {
                if self.heard + SILENCE_LIMIT <= now {
                    return self.abandon(now, out);
                }
                if self.ping_at <= now {
                    self.ping_at = now + PING_INTERVAL;
                    self.nonce = self.nonce.wrapping_add(1);
                    out.send(ClientMessage::Ping { nonce: self.nonce });
                }
            }
            Stage::Waiting { .. } | Stage::Opening { .. } => {}
        }
        Fate::Unchanged
    }

    fn open(&mut self, now: Instant, out: &mut Outbox) {
        self.stage = Stage::Opening { until: now + OPEN_LIMIT };
        out.push(Output::OpenSocket);
    }

    fn retry(&mut self, now: Instant) -> Fate {
        let lasted = match self.stage {
            Stage::Online { since } => now - since,
            _ => Duration::ZERO,
        };
        if !self.joined && self.join_by.is_none() {
            // The place in front of the door is lost; the server is to be found again soon.
            self.join_by = Some(now + JOIN_LIMIT);
        }
        self.stage = Stage::Waiting { until: now + self.backoff.delay_after(lasted) };
        Fate::Lost
    }
}
