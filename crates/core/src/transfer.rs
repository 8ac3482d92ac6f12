//! Files between people: who offers what to whom, what was asked of whom, what of it is here.
//!
//! A file is named by a hash over the hashes of its chunks ([`HashList`]), so every chunk can be
//! verified by itself, whoever it comes from. Whoever wants a file asks for its list and then for
//! its chunks, a few at a time, of everybody in the call who has it. Only the receiver knows what it
//! lacks; so a pause, a connection that is lost and a restart need nothing of whoever gives, and a
//! second holder is one more to ask. A chunk that is not what it should be ends the asking of the one
//! who gave it. What was offered to everybody is given on by those who have it, and by nobody else.
//!
//! Each pair has two ordered, reliable channels: one for what is said ([`FilesMessage`]), one for the
//! bytes. Both end with their connection; a new one begins with all offers once more. The wire is in
//! `docs/protocol.md`. Inputs by origin:
//!
//! * the user: [`Input::Offer`], [`Input::Withdraw`], [`Input::Hold`], [`Input::Accept`],
//!   [`Input::Cancel`], [`Input::Pause`];
//! * the session: [`Input::Joined`], [`Input::Left`];
//! * the links: [`Input::Opened`], [`Input::Closed`], [`Input::Heard`], [`Input::Piece`],
//!   [`Input::Sent`];
//! * the disk: [`Input::Begun`], [`Input::Stored`], [`Input::Finished`], [`Input::Read`];
//! * time: [`Transfers::handle_timeout`].
//!
//! In memory are only parts that were asked for and are not written yet, and those that were read and
//! are not sent yet: both are bounded, whatever the size of a file. Left out: where files lie and
//! what they are called there, which is the shell's; how fast bytes leave, which is [`SendWindow`]'s.

mod allowance;
mod channel;
mod hashes;
mod incoming;
mod meter;
mod outgoing;
mod settling;
mod types;
mod window;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use quartet_proto::{
    FileAbsence, FileId, FileOffer, FileProgress, FilesMessage, PeerId, limits::MAX_FILES_OFFERED,
};

pub use self::{
    allowance::FilesAllowance,
    hashes::{Hash, HashList, hash_chunk},
    types::{FileFault, FilePhase, FileState, Input, Job, Output, Part},
    window::{MAX_WINDOW_BYTES, SendWindow},
};
use self::{
    channel::{Asked, Came, Channel},
    incoming::{Incoming, Stage},
    outgoing::Outgoing,
};

/// Answers that a link is given before it has said [`Input::Sent`] of the first: one that leaves,
/// and one that is ready when it has left.
pub const SEND_AHEAD: usize = 2;
/// Progress alone is shown, and told, no more often than this.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// The transfers of one visit. See the module's head.
#[derive(Debug, Default)]
pub struct Transfers {
    /// Who is in the call, and the channels to them.
    present: BTreeMap<PeerId, Option<Channel>>,
    outgoing: BTreeMap<FileId, Outgoing>,
    incoming: BTreeMap<FileId, Incoming>,
    /// Names readings, so that the answer to one for a channel that is gone is told apart.
    token: u64,
    jobs: u64,
    shown: BTreeMap<(FileId, PeerId, bool), Shown>,
    reported: BTreeMap<(FileId, PeerId), Told>,
    tick_at: Option<Instant>,
    out: VecDeque<Output>,
}

/// What was shown last of a file, and when.
#[derive(Debug)]
struct Shown {
    state: FileState,
    at: Instant,
}

/// What was last told to somebody who offers a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    state: FileProgress,
    bytes: u64,
    at: Instant,
}

impl Transfers {
    /// Nothing is offered, and nobody is there.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the user may offer one more.
    #[must_use]
    pub fn may_offer(&self) -> bool {
        self.outgoing.len() < MAX_FILES_OFFERED
    }

    /// Takes what has happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Offer(offer, to) => self.offer(offer, to),
            Input::Withdraw(file, peer) => self.withdraw(file, peer),
            Input::Hold(file, held) => self.hold(file, held),
            Input::Accept(file) => self.accept(file),
            Input::Cancel(file) => self.cancel(file),
            Input::Pause(file, paused) => self.pause(file, paused),
            Input::Joined(peer) => {
                self.present.entry(peer).or_insert(None);
                self.outgoing.values_mut().for_each(|file| file.joined(peer));
            }
            Input::Left(peer) => self.left(peer),
            Input::Opened(peer) => {
                self.closed(peer);
                if let Some(channel) = self.present.get_mut(&peer) {
                    *channel = Some(Channel::new(now));
                }
            }
            Input::Closed(peer) => self.closed(peer),
            Input::Heard(peer, message) => self.heard(now, peer, message),
            Input::Piece(peer, id, offset, bytes) => self.piece(now, peer, id, offset, &bytes),
            Input::Sent(peer) => {
                if let Some(channel) = self.channel(peer) {
                    channel.sent();
                }
            }
            Input::Begun(job, result) => self.begun(job, result),
            Input::Stored(job, part, result) => self.stored(job, part, result),
            Input::Finished(job, result) => self.finished(job, result),
            Input::Read(token, result) => self.read(token, result),
        }
        self.settle(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let channels = self.present.values().flatten().filter_map(Channel::poll_timeout);
        channels.chain(self.tick_at).min()
    }

    /// Does what is due; too early a call does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.settle(now);
        }
    }

    fn channel(&mut self, peer: PeerId) -> Option<&mut Channel> {
        self.present.get_mut(&peer)?.as_mut()
    }

    fn say(&mut self, peer: PeerId, message: FilesMessage) {
        self.out.push_back(Output::Say(peer, message));
    }

    /// Says it to those who can hear it.
    fn say_to(&mut self, peers: impl Fn(PeerId) -> bool, message: &FilesMessage) {
        for (&peer, channel) in &self.present {
            if peers(peer) && channel.as_ref().is_some_and(|channel| channel.met) {
                self.out.push_back(Output::Say(peer, message.clone()));
            }
        }
    }

    // The user.

    fn offer(&mut self, offer: FileOffer, to: Option<PeerId>) {
        let id = offer.file;
        if !offer.is_valid() || (!self.outgoing.contains_key(&id) && !self.may_offer()) {
            return;
        }
        // Somebody who has left since is nobody to offer anything to.
        if to.is_some_and(|peer| !self.present.contains_key(&peer)) {
            return;
        }
        let file = self.outgoing.entry(id).or_insert_with(|| Outgoing::new(offer));
        file.to(to, self.present.keys().copied());
        for (peer, channel) in &self.present {
            file.connected(*peer, channel.as_ref().is_some_and(|channel| channel.met));
        }
        self.tell_offer(id, |peer| to.is_none_or(|to| to == peer));
    }

    fn tell_offer(&mut self, file: FileId, peers: impl Fn(PeerId) -> bool) {
        let Some(offered) = self.outgoing.get(&file) else { return };
        let message = offered.message();
        let to: BTreeSet<_> =
            self.present.keys().copied().filter(|it| offered.is_for(*it)).collect();
        self.say_to(|peer| peers(peer) && to.contains(&peer), &message);
    }

    fn withdraw(&mut self, file: FileId, peer: PeerId) {
        if let Some(offered) = self.outgoing.get_mut(&file) {
            offered.withdraw(peer);
            self.say_to(|it| it == peer, &FilesMessage::Withdraw { file });
        }
    }

    fn hold(&mut self, file: FileId, held: bool) {
        if let Some(offered) = self.outgoing.get_mut(&file) {
            offered.held = held;
            self.tell_offer(file, |_| true);
        }
    }

    fn accept(&mut self, file: FileId) {
        let Some(incoming) = self.incoming.get_mut(&file) else { return };
        if matches!(incoming.stage, Stage::Offered | Stage::Failed(_)) {
            self.jobs += 1;
            incoming.begin(Job(self.jobs));
            self.out.push_back(Output::Begin(incoming.job, incoming.offer.clone()));
        }
    }

    fn cancel(&mut self, file: FileId) {
        let Some(incoming) = self.incoming.get_mut(&file) else { return };
        match incoming.stage {
            Stage::Offered => incoming.stage = Stage::Failed(FileFault::Refused),
            // What is getting its name is there.
            Stage::Done | Stage::Finishing => return,
            Stage::Beginning | Stage::Listing | Stage::Fetching | Stage::Failed(_) => {
                incoming.stage = Stage::Failed(FileFault::Cancelled);
                // Of what was never begun there is nothing.
                if incoming.job != Job(0) {
                    self.out.push_back(Output::Discard(incoming.job));
                }
            }
        }
        self.stop(file);
    }

    fn pause(&mut self, file: FileId, paused: bool) {
        let Some(incoming) = self.incoming.get_mut(&file) else { return };
        if incoming.is_wanted() && incoming.paused != paused {
            incoming.paused = paused;
            incoming.meter.clear();
            if paused {
                self.stop(file);
            }
        }
    }

    /// Nothing of a file is wanted from anybody for now.
    fn stop(&mut self, file: FileId) {
        for peer in self.present.keys().copied().collect::<Vec<_>>() {
            self.stop_at(file, peer);
        }
    }

    fn stop_at(&mut self, file: FileId, peer: PeerId) {
        if let Some(message) = self.channel(peer).and_then(|channel| channel.stop(file)) {
            self.say(peer, message);
        }
    }

    // The session and the links.

    fn left(&mut self, peer: PeerId) {
        self.closed(peer);
        self.present.remove(&peer);
        self.outgoing.values_mut().for_each(|file| file.left(peer));
        for file in self.incoming.keys().copied().collect::<Vec<_>>() {
            self.lost_holder(file, peer, FileFault::Gone);
        }
    }

    fn closed(&mut self, peer: PeerId) {
        if let Some(channel) = self.present.get_mut(&peer) {
            *channel = None;
        }
        self.reported.retain(|(_, to), _| *to != peer);
        self.outgoing.values_mut().for_each(|file| file.connected(peer, false));
        self.incoming.values_mut().for_each(|file| {
            file.havers.remove(&peer);
        });
    }

    /// Somebody does not have, or give, a file any more.
    fn lost_holder(&mut self, file: FileId, peer: PeerId, fault: FileFault) {
        self.stop_at(file, peer);
        let Some(incoming) = self.incoming.get_mut(&file) else { return };
        let offered = incoming.offerers.remove(&peer).is_some();
        incoming.havers.remove(&peer);
        if let Some((first, _)) = incoming.offerers.first_key_value().filter(|_| offered) {
            incoming.from = *first;
        }
        // Somebody who is gone may come back; who takes an offer back has said so.
        let over = incoming.stage == Stage::Offered
            || (incoming.is_wanted() && fault != FileFault::Gone && !incoming.has_holder());
        if offered && over && incoming.offerers.is_empty() && incoming.stage != Stage::Finishing {
            if incoming.is_wanted() {
                self.out.push_back(Output::Close(incoming.job));
            }
            incoming.stage = Stage::Failed(fault);
        }
    }

    fn heard(&mut self, now: Instant, from: PeerId, message: FilesMessage) {
        // What a channel says belongs to nobody any more once its person is gone.
        let Some(channel) = self.channel(from) else { return };
        match message {
            FilesMessage::Ready { met } => {
                if channel.ready(now, met) {
                    self.met(from);
                }
            }
            FilesMessage::Offer { offer, shared, paused } => {
                self.offered(from, offer, shared, paused)
            }
            FilesMessage::Withdraw { file } => {
                self.lost_holder(file, from, FileFault::Withdrawn);
            }
            FilesMessage::Have { file } => {
                // Also of what nobody has offered yet: those who do may be heard later.
                channel.has(file);
                if let Some(incoming) = self.incoming.get_mut(&file) {
                    incoming.havers.insert(from);
                }
            }
            FilesMessage::Report { file, state, bytes } => {
                if let Some(offered) = self.outgoing.get_mut(&file).filter(|it| it.is_for(from)) {
                    offered.reported(now, from, state, bytes);
                }
            }
            FilesMessage::Get { id, file, chunk } => {
                let part = chunk.map_or(Part::Hashes, Part::Chunk);
                channel.asked(Asked { id, file, part });
            }
            FilesMessage::Stop { ids } => channel.stopped(&ids),
            FilesMessage::Absent { id, reason } => {
                if let Some(file) = channel.absent(id) {
                    let fault = match reason {
                        FileAbsence::Unknown => FileFault::Withdrawn,
                        FileAbsence::Changed => FileFault::Changed,
                        FileAbsence::Unreadable => FileFault::Unreadable,
                    };
                    self.lost_holder(file, from, fault);
                }
            }
            // For the link, which has looked at it.
            FilesMessage::Ack { .. } => {}
        }
    }

    /// They hear what is said now: they are told everything.
    fn met(&mut self, peer: PeerId) {
        for offered in self.outgoing.values_mut() {
            offered.connected(peer, true);
            if offered.is_for(peer) {
                self.out.push_back(Output::Say(peer, offered.message()));
            }
        }
        for (&file, incoming) in &self.incoming {
            if incoming.stage == Stage::Done && incoming.shared {
                self.out.push_back(Output::Say(peer, FilesMessage::Have { file }));
            }
        }
    }

    fn offered(&mut self, from: PeerId, offer: FileOffer, shared: bool, paused: bool) {
        let file = offer.file;
        if !offer.is_valid() {
            return;
        }
        let of_theirs = self.incoming.values().filter(|it| it.offerers.contains_key(&from)).count();
        let full = of_theirs >= MAX_FILES_OFFERED;
        if !self.incoming.contains_key(&file) {
            // What nobody offers any more and nobody wants makes room.
            self.incoming.retain(|_, it| {
                !it.offerers.is_empty() || it.is_wanted() || it.stage == Stage::Done
            });
        }
        let known = self.incoming.get(&file);
        if (full && known.is_none_or(|it| !it.offerers.contains_key(&from)))
            || known.is_some_and(|it| it.offer.size != offer.size)
        {
            return;
        }
        let incoming =
            self.incoming.entry(file).or_insert_with(|| Incoming::new(offer, from, shared));
        // For everybody only if all who offer it say so.
        incoming.shared &= shared;
        if incoming.offerers.is_empty() {
            incoming.from = from;
        }
        let has =
            |channel: &Option<Channel>| channel.as_ref().is_some_and(|it| it.has.contains(&file));
        incoming.havers = self.present.iter().filter(|it| has(it.1)).map(|it| *it.0).collect();
        incoming.offerers.insert(from, paused);
        if let Stage::Failed(FileFault::Gone | FileFault::Withdrawn) = incoming.stage {
            incoming.stage = Stage::Offered;
        }
        if paused {
            self.stop_at(file, from);
        }
    }

    fn piece(&mut self, now: Instant, from: PeerId, id: u32, offset: u32, bytes: &[u8]) {
        let Some(channel) = self.channel(from) else { return };
        match channel.piece(now, id, offset, bytes) {
            Came::Nothing | Came::More => {}
            Came::Whole(file, part, content) => {
                if let Some(incoming) = self.incoming.get_mut(&file).filter(|it| it.is_wanted()) {
                    incoming.came(now, part, from, content.len());
                    self.out.push_back(Output::Store(incoming.job, part, content));
                }
            }
            Came::Nonsense(file) => {
                if let Some(incoming) = self.incoming.get_mut(&file) {
                    incoming.ban(from);
                    let alone = incoming.is_wanted() && !incoming.has_holder();
                    self.stop_at(file, from);
                    if alone {
                        self.fail(file, FileFault::Corrupt);
                    }
                }
            }
        }
    }

    // The disk.

    /// The file that a job is the present one of.
    fn of_job(&mut self, job: Job) -> Option<(FileId, &mut Incoming)> {
        let found = self.incoming.iter_mut().find(|(_, incoming)| incoming.job == job);
        found.map(|(file, incoming)| (*file, incoming))
    }

    fn begun(&mut self, job: Job, result: Result<Option<Vec<u32>>, FileFault>) {
        let Some((_, incoming)) = self.of_job(job) else { return };
        if incoming.stage != Stage::Beginning {
            return;
        }
        match result {
            Ok(found) => incoming.begun(found),
            Err(fault) => incoming.stage = Stage::Failed(fault),
        }
    }

    fn stored(&mut self, job: Job, part: Part, result: Result<(), FileFault>) {
        let Some((file, incoming)) = self.of_job(job).filter(|it| it.1.is_wanted()) else { return };
        if let Err(fault) = incoming.stored(part, result) {
            self.fail(file, fault);
        }
        // Who was found out is asked no more.
        for peer in self.present.keys().copied().collect::<Vec<_>>() {
            if !self.incoming.get(&file).is_some_and(|it| it.paused || it.may_ask(peer)) {
                self.stop_at(file, peer);
            }
        }
    }

    fn fail(&mut self, file: FileId, fault: FileFault) {
        if let Some(incoming) = self.incoming.get_mut(&file) {
            incoming.stage = Stage::Failed(fault);
            self.out.push_back(Output::Close(incoming.job));
            self.stop(file);
        }
    }

    fn finished(&mut self, job: Job, result: Result<(), FileFault>) {
        let Some((file, incoming)) = self.of_job(job) else { return };
        if incoming.stage != Stage::Finishing {
            return;
        }
        match result {
            Ok(()) => {
                incoming.stage = Stage::Done;
                if incoming.shared {
                    self.say_to(|_| true, &FilesMessage::Have { file });
                }
            }
            Err(fault) => incoming.stage = Stage::Failed(fault),
        }
    }

    fn read(&mut self, token: u64, result: Result<Bytes, FileFault>) {
        let reading = self.present.iter_mut().find_map(|(peer, channel)| {
            let channel = channel.as_mut()?;
            let (_, asked) = channel.reading.take_if(|(of, _)| *of == token)?;
            if result.is_ok() {
                channel.gives();
            }
            Some((*peer, asked))
        });
        let Some((peer, asked)) = reading else { return };
        match result {
            Ok(bytes) if !bytes.is_empty() => {
                self.out.push_back(Output::Send(peer, asked.id, bytes))
            }
            // There is no such part; who asks for it gets no answer.
            Ok(_) => {
                if let Some(channel) = self.channel(peer) {
                    channel.sent();
                }
            }
            Err(fault) => {
                self.say(peer, FilesMessage::Absent { id: asked.id, reason: fault.absence() });
                if let Some(offered) = self.outgoing.get_mut(&asked.file) {
                    offered.fail(fault);
                    self.say_to(|_| true, &FilesMessage::Withdraw { file: asked.file });
                }
            }
        }
    }
}
