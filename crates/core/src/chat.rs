//! The chat of one visit: what everybody said, the same for all, across every reconnect.
//!
//! Each pair has an ordered, reliable channel, which ends with its connection. What one says goes
//! over it to each of the others and stays in a bounded [log](log), and a new channel begins with
//! both sides' saying what they have heard: so that nothing is lost with a connection, nothing
//! appears twice, and late-comers are told what was said before. Everybody tells their own words;
//! those of somebody who is gone are told by the others, and marked ([`ChatLine::passed_on_by`]).
//! The wire is in `docs/protocol.md`. Inputs by origin:
//!
//! * the user: [`Chat::say`];
//! * the session: [`Input::Joined`], [`Input::Left`];
//! * the links: [`Input::Opened`], [`Input::Closed`], [`Input::Heard`], [`Input::Sent`];
//! * time: [`Chat::handle_timeout`].
//!
//! How much comes in is limited where it does, with [`ChatAllowance`]; what is kept, here. Left out:
//! what was read, which is a matter of the window.

mod allowance;
mod channel;
mod log;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Instant,
};

use quartet_proto::{
    ChatMessage, Heard, InvalidChatText, PeerId, chat_text, display_name, limits::MAX_CHAT_CLOCK,
};

pub use self::allowance::ChatAllowance;
use self::{
    channel::Channel,
    log::{Entry, Log},
};

/// Messages that a link is given before it has said [`Input::Sent`] of the first: enough to keep it
/// busy, little enough to lose with it.
pub const CHAT_WINDOW: usize = 8;

/// The name of a message: the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChatId {
    /// Who said it.
    pub author: PeerId,
    /// Counts the author's messages, from 1.
    pub seq: u32,
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.author, self.seq)
    }
}

/// Somebody who passed a message on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Who.
    pub id: PeerId,
    /// What they are called.
    pub name: String,
}

/// Something that was said. Lines are shown in the order of [`ChatLine::order`].
#[derive(Clone, PartialEq, Eq)]
pub struct ChatLine {
    /// Its name.
    pub id: ChatId,
    /// What comes first in its order.
    pub clock: u64,
    /// What the author is or was called; a stranger's text.
    pub name: String,
    /// A stranger's text.
    pub text: String,
    /// Set when it does not come from its author: it is this person's word that it was said.
    pub passed_on_by: Option<Witness>,
}

impl ChatLine {
    /// The place among the others.
    #[must_use]
    pub fn order(&self) -> (u64, ChatId) {
        (self.clock, self.id)
    }
}

impl fmt::Debug for ChatLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChatLine({} at {}, {} bytes)", self.id, self.clock, self.text.len())
    }
}

/// What can happen to a chat, beside the user's saying something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody is in the call.
    Joined {
        /// Who.
        peer: PeerId,
        /// What they are called.
        name: String,
    },
    /// Somebody is gone.
    Left(PeerId),
    /// A channel to somebody is open; it takes the place of an earlier one.
    Opened(PeerId),
    /// The channel to somebody is no more; what it was given may or may not have arrived.
    Closed(PeerId),
    /// The link has taken the next of the messages that it was given.
    Sent(PeerId),
    /// Something came.
    Heard(PeerId, ChatMessage),
}

/// What a chat wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Say this on the channel to somebody, answered by [`Input::Sent`]. No more than
    /// [`CHAT_WINDOW`] are unanswered at once.
    Send(PeerId, ChatMessage),
    /// Show this, in the place of what was shown under the same name.
    Show(ChatLine),
}

/// The chat of one visit. See the module's head.
#[derive(Debug)]
pub struct Chat {
    own: PeerId,
    /// The highest that was seen.
    clock: u64,
    log: Log,
    /// Who is in the call.
    present: BTreeMap<PeerId, Person>,
    out: VecDeque<Output>,
}

#[derive(Debug)]
struct Person {
    name: String,
    channel: Option<Channel>,
}

impl Chat {
    /// Of the participant `own`.
    #[must_use]
    pub fn new(own: PeerId) -> Self {
        Self { own, clock: 0, log: Log::new(own), present: BTreeMap::new(), out: VecDeque::new() }
    }

    /// Says something to everybody, also to those who come later.
    ///
    /// # Errors
    ///
    /// When it cannot be said; see [`chat_text`].
    pub fn say(&mut self, now: Instant, text: &str) -> Result<(), InvalidChatText> {
        let text = chat_text(text)?.to_owned();
        let Some(seq) = self.log.upto(self.own).checked_add(1) else { return Ok(()) };
        self.clock = (self.clock + 1).min(MAX_CHAT_CLOCK);
        self.keep(self.own, seq, Entry { clock: self.clock, text, passed_on_by: None }, "");
        self.send(now);
        Ok(())
    }

    /// Takes what has happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Joined { peer, name } if peer != self.own => {
                let person = Person { name, channel: None };
                self.present.entry(peer).or_insert(person);
                self.log.returned(peer);
            }
            Input::Joined { .. } => {}
            Input::Left(peer) => self.left(peer),
            Input::Opened(peer) => {
                if let Some(person) = self.present.get_mut(&peer) {
                    person.channel = Some(Channel::new(now));
                }
            }
            Input::Closed(peer) => {
                if let Some(person) = self.present.get_mut(&peer) {
                    person.channel = None;
                }
            }
            Input::Sent(peer) => {
                if let Some(channel) = self.channel(peer) {
                    channel.sent();
                }
            }
            Input::Heard(peer, message) => self.heard(now, peer, message),
        }
        self.send(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.channels().filter_map(Channel::poll_timeout).min()
    }

    /// Does what is due; too early a call does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.send(now);
    }

    fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.present.values().filter_map(|person| person.channel.as_ref())
    }

    fn channel(&mut self, peer: PeerId) -> Option<&mut Channel> {
        self.present.get_mut(&peer)?.channel.as_mut()
    }

    /// Others may have heard more of whoever is gone, and are asked to pass it on.
    fn left(&mut self, peer: PeerId) {
        if self.present.remove(&peer).is_none() {
            return;
        }
        self.log.left(peer);
        let heard = Heard { by: peer, upto: self.log.upto(peer) };
        for person in self.present.values_mut() {
            if let Some(channel) = &mut person.channel {
                channel.ask(heard);
            }
        }
    }

    fn heard(&mut self, now: Instant, from: PeerId, message: ChatMessage) {
        let is_present = match &message {
            ChatMessage::Ask(Heard { by, .. }) | ChatMessage::PassedOn { by, .. } => {
                self.present.contains_key(by)
            }
            ChatMessage::Have { .. } | ChatMessage::Text { .. } => true,
        };
        // What a channel says belongs to nobody any more once its person is gone.
        let Some(person) = self.present.get_mut(&from) else { return };
        let Some(channel) = &mut person.channel else { return };
        match message {
            ChatMessage::Have { met, heard } => channel.met(now, met, &heard, &self.log),
            ChatMessage::Ask(heard) => {
                channel.asked(heard);
                // Somebody who was gone before we came, and is noticed only now.
                if !is_present && heard.by != self.own && self.log.name(heard.by).is_none() {
                    channel.ask_once(heard.by);
                }
            }
            ChatMessage::Text { seq, clock, text } => {
                if !believable(seq, clock, &text) || seq <= self.log.upto(from) {
                    return;
                }
                self.clock = self.clock.max(clock);
                let name = person.name.clone();
                self.keep(from, seq, Entry { clock, text, passed_on_by: None }, &name);
            }
            ChatMessage::PassedOn { by, name, seq, clock, text } => {
                let known = by == self.own || self.log.has_heard(by, seq);
                if known || !believable(seq, clock, &text) || display_name(&name).is_err() {
                    return;
                }
                let witness = Witness { id: from, name: person.name.clone() };
                if is_present || !self.log.has_room_for(by) {
                    return;
                }
                self.clock = self.clock.max(clock);
                let name = self.log.name(by).unwrap_or(&name).to_owned();
                self.keep(by, seq, Entry { clock, text, passed_on_by: Some(witness) }, &name);
            }
        }
    }

    fn keep(&mut self, author: PeerId, seq: u32, entry: Entry, name: &str) {
        let Entry { clock, text, passed_on_by } = entry.clone();
        self.log.keep(author, seq, entry, name);
        let (id, name) = (ChatId { author, seq }, name.to_owned());
        self.out.push_back(Output::Show(ChatLine { id, clock, name, text, passed_on_by }));
    }

    /// Gives every channel what it can take now.
    fn send(&mut self, now: Instant) {
        for (&peer, person) in &mut self.present {
            let Some(channel) = &mut person.channel else { continue };
            while let Some(message) = channel.next(now, &self.log) {
                self.out.push_back(Output::Send(peer, message));
            }
        }
    }
}

/// What a stranger claims to have said.
fn believable(seq: u32, clock: u64, text: &str) -> bool {
    seq > 0 && clock > 0 && clock <= MAX_CHAT_CLOCK && chat_text(text) == Ok(text)
}
