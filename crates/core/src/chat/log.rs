//! What was said, by author, as far as it is kept.

use std::collections::BTreeMap;

use quartet_proto::{
    PeerId,
    limits::{CHAT_HISTORY, CHAT_HISTORY_BYTES, MAX_CHAT_AUTHORS},
};

use super::Witness;

/// A message, beside its name.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) clock: u64,
    pub(super) text: String,
    /// Who says that the author has said it; none when the author did.
    pub(super) passed_on_by: Option<Witness>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    own: PeerId,
    authors: BTreeMap<PeerId, Author>,
    /// Counts those who have left.
    departures: u64,
}

#[derive(Debug)]
struct Author {
    name: String,
    /// The highest number that came from the author.
    upto: u32,
    messages: BTreeMap<u32, Entry>,
    /// Of all texts.
    bytes: usize,
    /// The how manieth to leave, once gone.
    gone: Option<u64>,
}

impl Log {
    pub(super) fn new(own: PeerId) -> Self {
        Self { own, authors: BTreeMap::new(), departures: 0 }
    }

    pub(super) fn own(&self) -> PeerId {
        self.own
    }

    /// The highest number that came from the author; 0 for none.
    pub(super) fn upto(&self, author: PeerId) -> u32 {
        self.authors.get(&author).map_or(0, |author| author.upto)
    }

    /// Everybody of whom something came, and the highest number of it.
    pub(super) fn heard(&self) -> impl Iterator<Item = (PeerId, u32)> {
        let others = self.authors.iter().filter(|(id, author)| **id != self.own && author.upto > 0);
        others.map(|(&id, author)| (id, author.upto))
    }

    /// Those of whom something is kept and who are gone.
    pub(super) fn gone(&self) -> impl Iterator<Item = PeerId> {
        let gone = self.authors.iter().filter(|(_, author)| author.gone.is_some());
        gone.map(|(&id, _)| id)
    }

    pub(super) fn is_gone(&self, author: PeerId) -> bool {
        self.authors.get(&author).is_some_and(|author| author.gone.is_some())
    }

    /// What the author is called, if something of them is kept.
    pub(super) fn name(&self, author: PeerId) -> Option<&str> {
        self.authors.get(&author).map(|author| author.name.as_str())
    }

    /// A message came, from its author or another; it may have been forgotten since.
    pub(super) fn has_heard(&self, author: PeerId, seq: u32) -> bool {
        self.authors
            .get(&author)
            .is_some_and(|author| seq <= author.upto || author.messages.contains_key(&seq))
    }

    /// What somebody else says of this author can be kept without forgetting another.
    pub(super) fn has_room_for(&self, author: PeerId) -> bool {
        self.authors.contains_key(&author) || self.authors.len() < MAX_CHAT_AUTHORS
    }

    /// The author's next message of this number or higher.
    pub(super) fn next(&self, author: PeerId, seq: u32) -> Option<(u32, &Entry)> {
        let messages = &self.authors.get(&author)?.messages;
        messages.range(seq..).next().map(|(&seq, entry)| (seq, entry))
    }

    /// Keeps a message, and forgets what there is no room for.
    pub(super) fn keep(&mut self, author: PeerId, seq: u32, entry: Entry, name: &str) {
        if !self.has_room_for(author) {
            self.forget_one();
        }
        let gone = entry.passed_on_by.is_some().then_some(self.departures);
        let kept = self.authors.entry(author).or_insert_with(|| Author {
            name: name.to_owned(),
            upto: 0,
            messages: BTreeMap::new(),
            bytes: 0,
            gone,
        });
        if entry.passed_on_by.is_none() {
            kept.upto = seq;
        }
        kept.bytes += entry.text.len();
        if let Some(replaced) = kept.messages.insert(seq, entry) {
            kept.bytes -= replaced.text.len();
        }
        while kept.messages.len() > CHAT_HISTORY || kept.bytes > CHAT_HISTORY_BYTES {
            let Some((_, oldest)) = kept.messages.pop_first() else { break };
            kept.bytes -= oldest.text.len();
        }
    }

    pub(super) fn left(&mut self, author: PeerId) {
        self.departures += 1;
        if let Some(author) = self.authors.get_mut(&author) {
            author.gone = Some(self.departures);
        }
    }

    pub(super) fn returned(&mut self, author: PeerId) {
        if let Some(author) = self.authors.get_mut(&author) {
            author.gone = None;
        }
    }

    /// Whoever has been gone for longest; there is always somebody, as fewer can be present.
    fn forget_one(&mut self) {
        let gone = self.authors.iter().filter_map(|(&id, author)| Some((author.gone?, id)));
        if let Some((_, id)) = gone.min() {
            self.authors.remove(&id);
        }
    }
}
