//! A file that others offer: who has it, what of it is here, and how that is shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use quartet_proto::{FileOffer, FileProgress, PeerId, chunk_count, chunk_range};

use super::{FileFault, FilePhase, FileState, Job, Part, meter::Meter};

/// See the module.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) offer: FileOffer,
    /// Whoever has it may give it to the others.
    pub(super) shared: bool,
    /// Who is shown as the one it comes from.
    pub(super) from: PeerId,
    /// Who offers it, and whether they hold it back.
    pub(super) offerers: BTreeMap<PeerId, bool>,
    /// Who else has it.
    pub(super) havers: BTreeSet<PeerId>,
    /// Who gave something that it is not.
    banned: BTreeSet<PeerId>,
    pub(super) stage: Stage,
    /// The present run, or the last.
    pub(super) job: Job,
    pub(super) paused: bool,
    /// Chunks that are neither here nor being written.
    missing: BTreeSet<u32>,
    /// Parts that are being verified and written, and who gave them.
    storing: BTreeMap<Part, PeerId>,
    /// Bytes that are here.
    bytes: u64,
    pub(super) meter: Meter,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Offered,
    /// The disk looks for what there is of it.
    Beginning,
    /// The list of its hashes is wanted.
    Listing,
    Fetching,
    /// It gets its name.
    Finishing,
    Done,
    Failed(FileFault),
}

impl Incoming {
    pub(super) fn new(offer: FileOffer, from: PeerId, shared: bool) -> Self {
        Self {
            offer,
            shared,
            from,
            offerers: BTreeMap::new(),
            havers: BTreeSet::new(),
            banned: BTreeSet::new(),
            stage: Stage::Offered,
            job: Job(0),
            paused: false,
            missing: BTreeSet::new(),
            storing: BTreeMap::new(),
            bytes: 0,
            meter: Meter::default(),
        }
    }

    /// The user wants it, and it is not here yet.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self.stage, Stage::Beginning | Stage::Listing | Stage::Fetching | Stage::Finishing)
    }

    /// Somebody in the call has it, as far as they say.
    pub(super) fn has_holder(&self) -> bool {
        self.holders().next().is_some()
    }

    fn holders(&self) -> impl Iterator<Item = PeerId> + '_ {
        let havers = self.havers.iter().filter(|_| self.shared);
        let all = self.offerers.keys().chain(havers).copied();
        all.filter(|peer| !self.banned.contains(peer))
    }

    /// Whether it can be asked of somebody now.
    pub(super) fn may_ask(&self, peer: PeerId) -> bool {
        let held = self.offerers.get(&peer).copied();
        !self.paused
            && matches!(self.stage, Stage::Listing | Stage::Fetching)
            && (held == Some(false)
                || (held.is_none() && self.shared && self.havers.contains(&peer)))
            && !self.banned.contains(&peer)
    }

    /// Its offerers hold it back, and nobody else gives it.
    pub(super) fn is_held(&self) -> bool {
        self.has_holder() && self.holders().all(|peer| self.offerers.get(&peer) == Some(&true))
    }

    /// Somebody has given what it is not: they are asked no more.
    pub(super) fn ban(&mut self, peer: PeerId) {
        self.banned.insert(peer);
    }

    /// The user wants it (again).
    pub(super) fn begin(&mut self, job: Job) {
        self.stage = Stage::Beginning;
        self.job = job;
        self.paused = false;
        self.banned.clear();
        self.missing.clear();
        self.storing.clear();
        self.meter.clear();
    }

    /// What there is of it was found.
    pub(super) fn begun(&mut self, found: Option<Vec<u32>>) {
        self.missing = (0..chunk_count(self.offer.size)).collect();
        self.bytes = 0;
        self.stage = if found.is_some() { Stage::Fetching } else { Stage::Listing };
        for chunk in found.into_iter().flatten() {
            if self.missing.remove(&chunk) {
                self.bytes += chunk_range(self.offer.size, chunk).1 as u64;
            }
        }
    }

    /// The part that is wanted next, beside what is asked for already.
    pub(super) fn next_part(&self, is_asked: impl Fn(Part) -> bool) -> Option<Part> {
        /// Parts that may wait for the disk: what others send meanwhile is little.
        const MOST_STORING: usize = 16;
        if self.storing.len() >= MOST_STORING {
            return None;
        }
        if self.stage == Stage::Listing {
            let waits = is_asked(Part::Hashes) || self.storing.contains_key(&Part::Hashes);
            return (!waits).then_some(Part::Hashes);
        }
        self.missing.iter().map(|chunk| Part::Chunk(*chunk)).find(|part| !is_asked(*part))
    }

    /// A part has come.
    pub(super) fn came(&mut self, now: Instant, part: Part, from: PeerId, bytes: usize) {
        if let Part::Chunk(chunk) = part {
            self.missing.remove(&chunk);
            self.meter.add(now, bytes as u64);
        }
        self.storing.insert(part, from);
    }

    /// A part was verified and written, or not; the fault is what the whole file suffers from.
    pub(super) fn stored(
        &mut self,
        part: Part,
        result: Result<(), FileFault>,
    ) -> Result<(), FileFault> {
        let Some(from) = self.storing.remove(&part) else { return Ok(()) };
        match (result, part) {
            (Ok(()), Part::Hashes) => self.stage = Stage::Fetching,
            (Ok(()), Part::Chunk(chunk)) => {
                self.bytes += chunk_range(self.offer.size, chunk).1 as u64;
            }
            (Err(FileFault::Corrupt), _) => {
                if let Part::Chunk(chunk) = part {
                    self.missing.insert(chunk);
                }
                self.ban(from);
                if !self.has_holder() {
                    return Err(FileFault::Corrupt);
                }
            }
            (Err(fault), _) => return Err(fault),
        }
        Ok(())
    }

    /// All of it is here.
    pub(super) fn is_complete(&self) -> bool {
        self.stage == Stage::Fetching && self.missing.is_empty() && self.storing.is_empty()
    }

    /// For the one who offers it; none before the user has decided.
    pub(super) fn progress(&self) -> Option<FileProgress> {
        Some(match self.stage {
            Stage::Offered => return None,
            Stage::Failed(FileFault::Refused) => FileProgress::Refused,
            Stage::Failed(FileFault::Cancelled) => FileProgress::Cancelled,
            Stage::Failed(FileFault::Withdrawn | FileFault::Gone) => return None,
            Stage::Failed(_) => FileProgress::Failed,
            Stage::Done => FileProgress::Done,
            _ if self.paused => FileProgress::Paused,
            Stage::Beginning => FileProgress::Accepted,
            Stage::Listing | Stage::Fetching | Stage::Finishing => FileProgress::Sending,
        })
    }

    /// Bytes that are here and verified.
    pub(super) fn bytes(&self) -> u64 {
        if self.stage == Stage::Done { self.offer.size } else { self.bytes }
    }

    /// As it is shown; `reachable` when somebody who has it can be asked.
    pub(super) fn state(&mut self, now: Instant, reachable: bool) -> FileState {
        let held = self.is_held();
        let phase = match self.stage {
            Stage::Offered => FilePhase::Offered,
            Stage::Failed(fault) => FilePhase::Failed(fault),
            Stage::Done => FilePhase::Done,
            _ if self.paused || held => FilePhase::Paused,
            Stage::Beginning => FilePhase::Accepted,
            _ if !reachable => FilePhase::Accepted,
            Stage::Listing | Stage::Fetching | Stage::Finishing => FilePhase::Sending,
        };
        let rate = if phase == FilePhase::Sending { self.meter.rate(now) } else { 0 };
        FileState {
            peer: self.from,
            outgoing: false,
            offer: self.offer.clone(),
            phase,
            bytes: self.bytes(),
            rate,
            held: held && !self.paused,
        }
    }
}
