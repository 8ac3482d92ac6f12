//! A file that is offered from here: to whom, and how far each of them is.

use std::{collections::BTreeMap, time::Instant};

use quartet_proto::{FileOffer, FileProgress, FilesMessage, PeerId};

use super::{FileFault, FilePhase, FileState, meter::Meter};

/// People of whom it is known how far they are, those included who have left: a server that makes
/// people come and go all the time costs no more.
const MOST_PEOPLE: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Outgoing {
    offer: FileOffer,
    /// It is for everybody in the call, but those from whom it was taken back.
    everyone: bool,
    pub(super) held: bool,
    /// Why it is offered no more.
    fault: Option<FileFault>,
    people: BTreeMap<PeerId, Person>,
}

/// Somebody whom it is or was offered to.
#[derive(Debug, Default)]
struct Person {
    /// Their last word on it.
    said: Option<FileProgress>,
    bytes: u64,
    meter: Meter,
    withdrawn: bool,
    gone: bool,
    connected: bool,
}

impl Outgoing {
    pub(super) fn new(offer: FileOffer) -> Self {
        Self { offer, everyone: false, held: false, fault: None, people: BTreeMap::new() }
    }

    /// The user offers it (once more).
    pub(super) fn to(&mut self, peer: Option<PeerId>, present: impl Iterator<Item = PeerId>) {
        self.fault = None;
        self.everyone |= peer.is_none();
        for peer in peer.into_iter().chain(present.filter(|_| peer.is_none())) {
            let person = self.people.entry(peer).or_default();
            person.withdrawn = false;
            // What they did not want they may want now.
            if !matches!(person.said, Some(FileProgress::Done)) {
                person.said = None;
            }
        }
    }

    pub(super) fn joined(&mut self, peer: PeerId) {
        if self.everyone && self.fault.is_none() {
            if self.people.len() >= MOST_PEOPLE
                && let Some(gone) = self.people.iter().find(|it| it.1.gone).map(|it| *it.0)
            {
                self.people.remove(&gone);
            }
            self.people.entry(peer).or_default();
        }
        if let Some(person) = self.people.get_mut(&peer) {
            person.gone = false;
        }
    }

    pub(super) fn left(&mut self, peer: PeerId) {
        if let Some(person) = self.people.get_mut(&peer) {
            (person.gone, person.connected) = (true, false);
        }
    }

    pub(super) fn connected(&mut self, peer: PeerId, connected: bool) {
        if let Some(person) = self.people.get_mut(&peer) {
            person.connected = connected;
            person.meter.clear();
        }
    }

    pub(super) fn withdraw(&mut self, peer: PeerId) {
        if let Some(person) = self.people.get_mut(&peer) {
            person.withdrawn = true;
        }
    }

    /// It cannot be given any more.
    pub(super) fn fail(&mut self, fault: FileFault) {
        self.fault = Some(fault);
    }

    /// Whether somebody may have it.
    pub(super) fn is_for(&self, peer: PeerId) -> bool {
        self.fault.is_none() && self.people.get(&peer).is_some_and(|person| !person.withdrawn)
    }

    pub(super) fn message(&self) -> FilesMessage {
        let (offer, shared, paused) = (self.offer.clone(), self.everyone, self.held);
        FilesMessage::Offer { offer, shared, paused }
    }

    pub(super) fn reported(&mut self, now: Instant, peer: PeerId, state: FileProgress, bytes: u64) {
        let size = self.offer.size;
        let Some(person) = self.people.get_mut(&peer) else { return };
        let bytes = bytes.min(size);
        // What was there before is no speed.
        if person.said.is_some_and(|said| said == FileProgress::Sending) {
            person.meter.add(now, bytes.saturating_sub(person.bytes));
        } else {
            person.meter.clear();
        }
        person.said = Some(state);
        person.bytes = if state == FileProgress::Done { size } else { bytes };
    }

    /// As it is shown of each.
    pub(super) fn states(&mut self, now: Instant) -> Vec<FileState> {
        let (offer, held, fault) = (&self.offer, self.held, self.fault);
        let states = self.people.iter_mut().map(|(peer, person)| {
            let phase = person.phase(held, fault);
            let rate = if phase == FilePhase::Sending { person.meter.rate(now) } else { 0 };
            FileState {
                peer: *peer,
                outgoing: true,
                offer: offer.clone(),
                phase,
                bytes: person.bytes,
                rate,
                held: phase == FilePhase::Paused && !held,
            }
        });
        states.collect()
    }
}

impl Person {
    fn phase(&self, held: bool, fault: Option<FileFault>) -> FilePhase {
        let over = match self.said {
            Some(FileProgress::Done) => return FilePhase::Done,
            Some(FileProgress::Refused) => Some(FileFault::Refused),
            Some(FileProgress::Cancelled) => Some(FileFault::Cancelled),
            Some(FileProgress::Failed) => Some(FileFault::Unwritable),
            _ => None,
        };
        let withdrawn = self.withdrawn.then_some(FileFault::Withdrawn);
        let gone = self.gone.then_some(FileFault::Gone);
        if let Some(fault) = over.or(fault).or(withdrawn).or(gone) {
            return FilePhase::Failed(fault);
        }
        match self.said {
            None => FilePhase::Offered,
            _ if !self.connected => FilePhase::Accepted,
            Some(FileProgress::Paused) => FilePhase::Paused,
            Some(_) if held => FilePhase::Paused,
            Some(FileProgress::Sending) => FilePhase::Sending,
            Some(_) => FilePhase::Accepted,
        }
    }
}
