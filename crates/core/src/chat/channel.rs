//! One channel to one person, from its opening to its end: what is to be said on it, and when.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use quartet_proto::{
    ChatMessage, Heard, PeerId,
    limits::{CHAT_BYTES_PER_SECOND, CHAT_MESSAGES_PER_SECOND, MAX_CHAT_AUTHORS},
};

use super::{
    CHAT_WINDOW,
    log::{Entry, Log},
};

/// What comes together with the last step of a channel's opening can get lost in the library on the
/// other side: the first word therefore waits this long…
const SETTLING: Duration = Duration::from_millis(20);
/// …and is said again after this, until it is answered…
const REPEAT: Duration = Duration::from_secs(1);
/// …so often at most: the other side may have no chat.
const REPEATS: u32 = 10;
/// Time saved up while there is nothing to say.
const BURST: Duration = Duration::from_secs(2);
/// Bytes of a message beside its text, about.
const FRAME_BYTES: usize = 100;

/// See the module.
#[derive(Debug)]
pub(super) struct Channel {
    /// When `have` is said next; nothing else goes before the first.
    have_at: Option<Instant>,
    /// How often it may still be said again.
    repeats: u32,
    /// A `have` of theirs has come.
    met: bool,
    /// They were told so.
    told_met: bool,
    /// They have said that ours has come.
    answered: bool,
    /// Those who have left, of whom they may have heard more.
    asks: VecDeque<Heard>,
    /// Those of them whom we have never met.
    asked_once: BTreeSet<PeerId>,
    /// The number of our next message to them.
    own_next: u32,
    /// Authors whose messages are passed on once they are gone, with the number of the next one.
    pass_on: BTreeMap<PeerId, u32>,
    /// Messages that the link has not taken yet.
    unsent: usize,
    /// Until then, what was said so far takes its time.
    paid_at: Instant,
    /// Something waits for that.
    waits: bool,
}

impl Channel {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            have_at: Some(now + SETTLING),
            repeats: REPEATS,
            met: false,
            told_met: false,
            answered: false,
            asks: VecDeque::new(),
            asked_once: BTreeSet::new(),
            own_next: 1,
            pass_on: BTreeMap::new(),
            unsent: 0,
            paid_at: now,
            waits: false,
        }
    }

    /// The link has taken one.
    pub(super) fn sent(&mut self) {
        self.unsent = self.unsent.saturating_sub(1);
    }

    /// Ask for the rest of what somebody said who is gone.
    pub(super) fn ask(&mut self, heard: Heard) {
        if self.asks.len() == MAX_CHAT_AUTHORS {
            self.asks.pop_front();
        }
        self.asks.push_back(heard);
    }

    /// Ask for all that somebody said whom we have never met; once.
    pub(super) fn ask_once(&mut self, by: PeerId) {
        if self.asked_once.len() < MAX_CHAT_AUTHORS && self.asked_once.insert(by) {
            self.ask(Heard { by, upto: 0 });
        }
    }

    /// The same from them.
    pub(super) fn asked(&mut self, heard: Heard) {
        if self.pass_on.len() < MAX_CHAT_AUTHORS || self.pass_on.contains_key(&heard.by) {
            self.pass_on.insert(heard.by, heard.upto.saturating_add(1));
        }
    }

    /// A `have` of theirs. Only the first says where to begin: later ones may have crossed with
    /// what was said since.
    pub(super) fn met(&mut self, now: Instant, met: bool, heard: &[Heard], log: &Log) {
        if !self.met {
            self.met = true;
            let next = |author| {
                let heard = heard.iter().find(|heard| heard.by == author);
                heard.map_or(0, |heard| heard.upto).saturating_add(1)
            };
            self.own_next = next(log.own());
            self.pass_on.extend(log.gone().map(|author| (author, next(author))));
        }
        self.answered |= met;
        if !met || !self.told_met {
            self.have_at = Some(now);
        } else {
            self.have_at = None;
        }
    }

    /// The next message to say now.
    pub(super) fn next(&mut self, now: Instant, log: &Log) -> Option<ChatMessage> {
        self.waits = false;
        if self.unsent >= CHAT_WINDOW || !self.has_something(now, log) {
            return None;
        }
        self.waits = self.paid_at > now;
        if self.waits {
            return None;
        }
        let message = self.take(now, log)?;
        let bytes = match &message {
            ChatMessage::Text { text, .. } | ChatMessage::PassedOn { text, .. } => text.len(),
            ChatMessage::Have { .. } | ChatMessage::Ask(_) => 0,
        };
        self.pay(now, bytes);
        self.unsent += 1;
        Some(message)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.unsent >= CHAT_WINDOW {
            return None;
        }
        if self.waits { Some(self.paid_at) } else { self.have_at }
    }

    fn has_something(&self, now: Instant, log: &Log) -> bool {
        let due = self.have_at.is_some_and(|at| at <= now);
        due || (self.met && (!self.asks.is_empty() || self.waiting(log).is_some()))
    }

    fn take(&mut self, now: Instant, log: &Log) -> Option<ChatMessage> {
        if self.have_at.is_some_and(|at| at <= now) {
            return Some(self.have(now, log));
        }
        if let Some(heard) = self.asks.pop_front() {
            return Some(ChatMessage::Ask(heard));
        }
        let (author, seq, entry) = self.waiting(log)?;
        let Entry { clock, text, .. } = entry.clone();
        if author == log.own() {
            self.own_next = seq.saturating_add(1);
            return Some(ChatMessage::Text { seq, clock, text });
        }
        self.pass_on.insert(author, seq.saturating_add(1));
        let name = log.name(author)?.to_owned();
        Some(ChatMessage::PassedOn { by: author, name, seq, clock, text })
    }

    fn have(&mut self, now: Instant, log: &Log) -> ChatMessage {
        self.told_met = self.met;
        self.have_at = None;
        if !self.answered && self.repeats > 0 {
            self.repeats -= 1;
            self.have_at = Some(now + REPEAT);
        }
        let heard = log.heard().map(|(by, upto)| Heard { by, upto }).collect();
        ChatMessage::Have { met: self.met, heard }
    }

    /// What is told next: first the own words, then those of others who are gone.
    fn waiting<'a>(&self, log: &'a Log) -> Option<(PeerId, u32, &'a Entry)> {
        let own = std::iter::once((log.own(), self.own_next));
        let gone = self.pass_on.iter().map(|(&author, &next)| (author, next));
        let gone = gone.filter(|(author, _)| log.is_gone(*author));
        own.chain(gone).find_map(|(author, next)| {
            let (seq, entry) = log.next(author, next)?;
            Some((author, seq, entry))
        })
    }

    fn pay(&mut self, now: Instant, bytes: usize) {
        let saved_up = now.checked_sub(BURST).unwrap_or(now);
        let bytes =
            Duration::from_secs_f64((bytes + FRAME_BYTES) as f64 / CHAT_BYTES_PER_SECOND as f64);
        let message = Duration::from_secs(1) / CHAT_MESSAGES_PER_SECOND;
        self.paid_at = self.paid_at.max(saved_up) + bytes.max(message);
    }
}
