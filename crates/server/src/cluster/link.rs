//! Two nodes, and messages between them that arrive once and in order, or not at all.
//!
//! What carries them (Redis) may lose, and after an outage repeat and reorder. So each side numbers
//! its letters, keeps them until they are acknowledged, and sends them again. When that fails, for
//! want of memory or of a sign of life, the link *breaks*: both sides forget everything about it,
//! and with it every connection that was served over it, whose clients come again.
//!
//! Each side has a number for its own state of the link, higher for each new one. A message counts
//! only for the pair of states that it names, so nothing of before a break is ever taken for what
//! comes after. Letters wait until both sides know each other's number.
//!
//! Pure: no clock, no Redis. Inputs: [`Link::push`], [`Link::receive`], [`Link::tick`].

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::wire::{Body, Envelope, Letter, NodeId};

/// A sign of life, with the acknowledgement of what has come.
pub(super) const BEAT_INTERVAL: Duration = Duration::from_secs(1);
/// A node silent for this long is dead, like a client (`SILENCE_LIMIT`).
pub(super) const NODE_SILENCE_LIMIT: Duration = Duration::from_secs(5);
/// Not acknowledged for this long, as the other side's beats show: it was lost on the way.
const RESEND_AFTER: Duration = Duration::from_millis(500);
/// Acknowledged at once after so many letters without a beat, so that the sender can forget them.
const ACK_EVERY: u64 = 64;
/// Letters that are kept although one before them is missing. Redis keeps their order, except where
/// one was sent again.
const MOST_EARLY: usize = 1024;
/// Bytes that may wait for an acknowledgement: an outage of some seconds of a thousand calls.
const WAITING_BYTES: usize = 8 * 1024 * 1024;
/// And what they may be more for [`Body::Gone`] and its like, which keep both sides agreed.
const WAITING_BYTES_AT_MOST: usize = 2 * WAITING_BYTES;

/// More waits than may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What a message did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    /// The other side has begun anew: what was served over the link is no more.
    pub(super) broke: bool,
    /// To be acted on, in this order.
    pub(super) bodies: Vec<Body>,
    /// The other side lives.
    pub(super) heard: bool,
}

#[derive(Debug)]
pub(super) struct Link {
    own: NodeId,
    /// The number of this side.
    of: u64,
    /// The number of the other side, once it is known.
    to: Option<u64>,
    last_number: u64,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// All up to this one have come.
    received: u64,
    /// Came before one that is missing.
    early: BTreeMap<u64, Body>,
    acknowledged: u64,
    heard: Instant,
    beat_at: Instant,
    /// On its way out.
    outbox: VecDeque<Envelope>,
}

#[derive(Debug)]
struct Waiting {
    letter: Letter,
    sent: Instant,
}

impl Link {
    /// A link to a node about which nothing is known; `of` is higher than any before.
    pub(super) fn new(now: Instant, own: NodeId, of: u64) -> Self {
        let mut link = Self {
            own,
            of,
            to: None,
            last_number: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            received: 0,
            early: BTreeMap::new(),
            acknowledged: 0,
            heard: now,
            beat_at: now,
            outbox: VecDeque::new(),
        };
        link.beat(now);
        link
    }

    /// Sends a letter. Refused when too much is waiting, unless it is `vital` for the two sides'
    /// common view.
    pub(super) fn push(&mut self, now: Instant, body: Body, vital: bool) -> Result<(), Full> {
        let cost = body.cost();
        let most = if vital { WAITING_BYTES_AT_MOST } else { WAITING_BYTES };
        if self.waiting_bytes + cost > most {
            return Err(Full);
        }
        self.waiting_bytes += cost;
        self.last_number += 1;
        let letter = Letter { number: self.last_number, body };
        if self.to.is_some() {
            let envelope = self.envelope(Some(letter.clone()));
            self.outbox.push_back(envelope);
        }
        self.waiting.push_back(Waiting { letter, sent: now });
        Ok(())
    }

    /// A connection is gone: what it wanted must not come later than that. Its client may be in the
    /// room by another node when this one reaches the owner again, and would be put out by itself.
    pub(super) fn take_back_entries(&mut self, gone: u64) {
        for waiting in &mut self.waiting {
            if matches!(waiting.letter.body, Body::Enter { conn, .. } if conn == gone) {
                self.waiting_bytes -= waiting.letter.body.cost();
                waiting.letter.body = Body::Gone { conn: gone };
                self.waiting_bytes += waiting.letter.body.cost();
            }
        }
    }

    /// Takes what came. A message that belongs to another pair of states is answered with a sign
    /// of life, from which its sender learns ours.
    pub(super) fn receive(&mut self, now: Instant, envelope: Envelope) -> Received {
        let mut received = Received::default();
        match self.to {
            Some(to) if envelope.of < to => return received,
            Some(to) if envelope.of > to => {
                received.broke = true;
                self.begin_again(now, envelope.of);
            }
            Some(_) => {}
            None => self.meet(now, envelope.of),
        }
        received.heard = true;
        self.heard = now;
        if envelope.to != self.of {
            self.beat(now);
            return received;
        }
        self.forget_until(envelope.ack);
        match envelope.letter {
            Some(letter) if letter.number == self.received + 1 => {
                received.bodies.push(letter.body);
                self.received = letter.number;
                while let Some(body) = self.early.remove(&(self.received + 1)) {
                    received.bodies.push(body);
                    self.received += 1;
                }
                if self.received - self.acknowledged >= ACK_EVERY {
                    self.beat(now);
                }
            }
            Some(letter) if letter.number > self.received && self.early.len() < MOST_EARLY => {
                self.early.insert(letter.number, letter.body);
            }
            // It is here already, or comes again.
            Some(_) => {}
            None => self.resend_overdue(now),
        }
        received
    }

    /// Gives a sign of life when it is time to. `false` when the other side has given none for too
    /// long: the link is of no use any more.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        if self.beat_at <= now {
            self.beat(now);
        }
        now < self.heard + NODE_SILENCE_LIMIT
    }

    /// Redis is back: nobody could be heard while it was away.
    pub(super) fn resume(&mut self, now: Instant) {
        self.heard = now;
        self.beat(now);
    }

    /// The next message to send.
    pub(super) fn poll(&mut self) -> Option<Envelope> {
        self.outbox.pop_front()
    }

    fn beat(&mut self, now: Instant) {
        self.beat_at = now + BEAT_INTERVAL;
        let envelope = self.envelope(None);
        self.outbox.push_back(envelope);
    }

    fn envelope(&mut self, letter: Option<Letter>) -> Envelope {
        self.acknowledged = self.received;
        let (of, to) = (self.of, self.to.unwrap_or(0));
        Envelope { from: self.own.clone(), of, to, ack: self.received, letter }
    }

    /// The other side's number is known now.
    fn meet(&mut self, now: Instant, of: u64) {
        self.to = Some(of);
        self.resend(now, |_| true);
    }

    /// The other side has forgotten everything, and so do we.
    fn begin_again(&mut self, now: Instant, of: u64) {
        let own = self.own.clone();
        *self = Self { to: Some(of), ..Self::new(now, own, self.of) };
    }

    fn forget_until(&mut self, ack: u64) {
        while let Some(waiting) = self.waiting.front()
            && waiting.letter.number <= ack
        {
            self.waiting_bytes -= waiting.letter.body.cost();
            self.waiting.pop_front();
        }
    }

    fn resend_overdue(&mut self, now: Instant) {
        self.resend(now, |waiting| waiting.sent + RESEND_AFTER <= now);
    }

    fn resend(&mut self, now: Instant, which: impl Fn(&Waiting) -> bool) {
        let chosen = self.waiting.iter_mut().filter(|waiting| which(waiting));
        let letters: Vec<Letter> = chosen
            .map(|waiting| {
                waiting.sent = now;
                waiting.letter.clone()
            })
            .collect();
        for letter in letters {
            let envelope = self.envelope(Some(letter));
            self.outbox.push_back(envelope);
        }
    }
}
