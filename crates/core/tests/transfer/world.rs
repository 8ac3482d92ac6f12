//! Some people in one call, with channels between every two of them and a disk each, in virtual
//! time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use quartet_core::transfer::{
    FileFault, FilePhase, FileState, HashList, Input, Job, Output, Part, SEND_AHEAD, Transfers,
    hash_chunk,
};
use quartet_proto::{FileId, FileOffer, PeerId, chunk_bytes, chunk_range, limits::MAX_PIECE_BYTES};

/// On the way, on a good line.
const DELAY: Duration = Duration::from_millis(20);
/// What a line carries in a millisecond.
const BYTES_PER_MS: usize = 4_000;
/// A disk takes so long for anything.
const DISK: Duration = Duration::from_millis(2);

pub(crate) fn id(number: u64) -> PeerId {
    PeerId::from_u64(number)
}

/// A file in memory.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) offer: FileOffer,
    pub(crate) content: Vec<u8>,
    pub(crate) list: HashList,
}

impl File {
    /// Of so many bytes, which are like no other's.
    pub(crate) fn new(name: &str, size: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(size as u64 ^ name.len() as u64);
        let mut content = vec![0; size];
        random.fill(&mut content);
        let size = size as u64;
        let hashes = content.chunks(chunk_bytes(size) as usize).map(hash_chunk).collect();
        let list = HashList::new(size, hashes).unwrap();
        let offer =
            FileOffer { file: list.file(), name: name.to_owned(), size, kind: String::new() };
        Self { offer, content, list }
    }

    pub(crate) fn id(&self) -> FileId {
        self.offer.file
    }
}

/// What of a file is on somebody's disk.
#[derive(Debug, Default, Clone)]
struct Kept {
    list: Option<HashList>,
    chunks: BTreeMap<u32, Bytes>,
}

/// What is on somebody's disk.
#[derive(Debug, Default, Clone)]
pub(crate) struct Disk {
    /// What the user has there, whole.
    pub(crate) files: BTreeMap<FileId, File>,
    kept: BTreeMap<FileId, Kept>,
    /// What has come and got its name.
    pub(crate) finished: BTreeMap<FileId, Vec<u8>>,
    /// How often each chunk was written.
    pub(crate) written: BTreeMap<(FileId, u32), usize>,
    /// Nothing more can be written.
    pub(crate) full: bool,
    /// What is read is not what was offered.
    pub(crate) changed: bool,
    /// So many chunks that are given are wrong, unnoticed.
    pub(crate) lies: bool,
}

#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) transfers: Transfers,
    pub(crate) disk: Disk,
    jobs: BTreeMap<Job, FileOffer>,
    pub(crate) shown: BTreeMap<(FileId, PeerId, bool), FileState>,
    unsent: BTreeMap<PeerId, usize>,
    /// Bytes that came from each.
    pub(crate) came: BTreeMap<PeerId, usize>,
}

#[derive(Debug)]
struct Happening {
    at: Instant,
    number: u64,
    to: PeerId,
    /// On which connection, with whom.
    on: Option<(PeerId, u64)>,
    input: Input,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) people: BTreeMap<PeerId, Person>,
    /// The number of the connection of a pair, from both ends.
    links: BTreeMap<(PeerId, PeerId), u64>,
    /// When the line from one to another is free.
    free: BTreeMap<(PeerId, PeerId), Instant>,
    happenings: Vec<Happening>,
    count: u64,
}

impl World {
    pub(crate) fn of(numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut world = Self {
            now: Instant::now(),
            people: BTreeMap::new(),
            links: BTreeMap::new(),
            free: BTreeMap::new(),
            happenings: Vec::new(),
            count: 0,
        };
        numbers.into_iter().for_each(|number| world.join(id(number), Disk::default()));
        world.run(Duration::from_secs(1));
        world
    }

    pub(crate) fn join(&mut self, peer: PeerId, disk: Disk) {
        let person = Person {
            transfers: Transfers::new(),
            disk,
            jobs: BTreeMap::new(),
            shown: BTreeMap::new(),
            unsent: BTreeMap::new(),
            came: BTreeMap::new(),
        };
        let others: Vec<_> = self.people.keys().copied().collect();
        self.people.insert(peer, person);
        for other in others {
            self.tell(peer, Input::Joined(other));
            self.tell(other, Input::Joined(peer));
            self.connect(peer, other);
        }
    }

    /// Somebody is gone; what was on their disk.
    pub(crate) fn leave(&mut self, peer: PeerId) -> Disk {
        let others: Vec<_> = self.people.keys().copied().filter(|it| *it != peer).collect();
        for other in others {
            self.disconnect(peer, other);
            self.tell(other, Input::Left(peer));
        }
        self.happenings.retain(|it| it.to != peer);
        self.people.remove(&peer).unwrap().disk
    }

    pub(crate) fn connect(&mut self, a: PeerId, b: PeerId) {
        self.disconnect(a, b);
        self.count += 1;
        let link = self.count;
        for (at, with) in [(a, b), (b, a)] {
            self.links.insert((at, with), link);
            self.happen(DELAY, at, Some((with, link)), Input::Opened(with));
        }
    }

    pub(crate) fn disconnect(&mut self, a: PeerId, b: PeerId) {
        for (at, with) in [(a, b), (b, a)] {
            if self.links.remove(&(at, with)).is_some() {
                if let Some(person) = self.people.get_mut(&at) {
                    person.unsent.remove(&with);
                }
                self.tell(at, Input::Closed(with));
            }
        }
    }

    pub(crate) fn are_connected(&self, a: PeerId, b: PeerId) -> bool {
        self.links.contains_key(&(a, b))
    }

    /// A file is put on somebody's disk, and offered.
    pub(crate) fn offer(&mut self, by: PeerId, file: &File, to: Option<PeerId>) {
        let person = self.people.get_mut(&by).unwrap();
        person.disk.files.insert(file.id(), file.clone());
        self.tell(by, Input::Offer(file.offer.clone(), to));
    }

    fn happen(&mut self, after: Duration, to: PeerId, on: Option<(PeerId, u64)>, input: Input) {
        self.count += 1;
        let (at, number) = (self.now + after, self.count);
        self.happenings.push(Happening { at, number, to, on, input });
    }

    pub(crate) fn tell(&mut self, peer: PeerId, input: Input) {
        let now = self.now;
        let Some(person) = self.people.get_mut(&peer) else { return };
        person.transfers.handle(now, input);
        self.carry_out(peer);
    }

    fn carry_out(&mut self, peer: PeerId) {
        while let Some(output) = self.people.get_mut(&peer).and_then(|it| it.transfers.poll()) {
            match output {
                Output::Say(to, message) => {
                    let Some(&link) = self.links.get(&(peer, to)) else { continue };
                    self.happen(DELAY, to, Some((peer, link)), Input::Heard(peer, message));
                }
                Output::Send(to, request, bytes) => self.send(peer, to, request, &bytes),
                Output::Show(state) => {
                    let key = (state.offer.file, state.peer, state.outgoing);
                    assert!(state.bytes <= state.offer.size);
                    self.people.get_mut(&peer).unwrap().shown.insert(key, state);
                }
                other => {
                    if let Some(input) = self.people.get_mut(&peer).unwrap().obey(other) {
                        self.happen(DISK, peer, None, input);
                    }
                }
            }
        }
    }

    fn send(&mut self, from: PeerId, to: PeerId, request: u32, bytes: &Bytes) {
        let Some(&link) = self.links.get(&(from, to)) else { return };
        let unsent = self.people.get_mut(&from).unwrap().unsent.entry(to).or_default();
        *unsent += 1;
        assert!(*unsent <= SEND_AHEAD, "the link was given too much");
        for begin in (0..bytes.len()).step_by(MAX_PIECE_BYTES) {
            let piece = bytes.slice(begin..bytes.len().min(begin + MAX_PIECE_BYTES));
            let free = self.free.entry((from, to)).or_insert(self.now);
            let time = Duration::from_micros((piece.len() * 1000 / BYTES_PER_MS) as u64);
            *free = (*free).max(self.now) + time;
            let after = *free - self.now;
            let input = Input::Piece(from, request, begin as u32, piece);
            self.happen(after + DELAY, to, Some((from, link)), input);
        }
        let after = self.free[&(from, to)] - self.now;
        self.happen(after, from, Some((to, link)), Input::Sent(to));
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self.happenings.iter().map(|it| (it.at, it.number)).min();
            let timeouts = self
                .people
                .iter()
                .filter_map(|(peer, it)| Some((it.transfers.poll_timeout()?, *peer)));
            let timeout = timeouts.min();
            let at = next.map(|it| it.0).into_iter().chain(timeout.map(|it| it.0)).min();
            let Some(at) = at.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            if let Some((due, peer)) = timeout.filter(|it| it.0 <= at) {
                self.people.get_mut(&peer).unwrap().transfers.handle_timeout(self.now.max(due));
                let again = self.people[&peer].transfers.poll_timeout();
                assert!(again.is_none_or(|again| again > due), "it is woken for nothing");
                self.carry_out(peer);
                continue;
            }
            let Some((_, number)) = next else { break };
            let place = self.happenings.iter().position(|it| it.number == number).unwrap();
            let Happening { to, on, input, .. } = self.happenings.swap_remove(place);
            if on.is_some_and(|(with, link)| self.links.get(&(to, with)) != Some(&link)) {
                continue;
            }
            if let Some(person) = self.people.get_mut(&to) {
                match &input {
                    Input::Sent(peer) => *person.unsent.entry(*peer).or_default() -= 1,
                    Input::Piece(peer, .., bytes) => {
                        *person.came.entry(*peer).or_default() += bytes.len();
                    }
                    _ => {}
                }
            }
            self.tell(to, input);
        }
        self.now = end;
    }

    /// What somebody sees of a file that comes.
    pub(crate) fn incoming(&self, peer: PeerId, file: &File) -> Option<&FileState> {
        let shown = self.people[&peer].shown.iter();
        shown.filter(|(key, _)| key.0 == file.id() && !key.2).map(|it| it.1).next_back()
    }

    pub(crate) fn phase(&self, peer: PeerId, file: &File) -> Option<FilePhase> {
        self.incoming(peer, file).map(|state| state.phase)
    }

    /// What the one who offers sees of one of the others.
    pub(crate) fn outgoing(&self, by: PeerId, to: PeerId, file: &File) -> FilePhase {
        self.people[&by].shown[&(file.id(), to, true)].phase
    }

    /// It is there, not a byte wrong.
    #[track_caller]
    pub(crate) fn assert_has(&self, peer: PeerId, file: &File) {
        let disk = &self.people[&peer].disk;
        assert!(
            disk.finished.get(&file.id()) == Some(&file.content),
            "{:?}",
            self.phase(peer, file)
        );
        assert_eq!(self.phase(peer, file), Some(FilePhase::Done));
    }
}

impl Person {
    /// What the engine's thread for the disk does.
    fn obey(&mut self, output: Output) -> Option<Input> {
        let disk = &mut self.disk;
        match output {
            Output::Begin(job, offer) => {
                let kept = disk.kept.entry(offer.file).or_default();
                let found = kept.list.is_some().then(|| kept.chunks.keys().copied().collect());
                self.jobs.insert(job, offer);
                Some(Input::Begun(job, Ok(found)))
            }
            Output::Store(job, part, bytes) => {
                let offer = &self.jobs[&job];
                let kept = disk.kept.entry(offer.file).or_default();
                let result = match part {
                    _ if disk.full => Err(FileFault::DiskFull),
                    Part::Hashes => {
                        kept.list = HashList::read(offer.file, offer.size, &bytes);
                        kept.list.as_ref().map(|_| ()).ok_or(FileFault::Corrupt)
                    }
                    Part::Chunk(chunk) if kept.list.as_ref().unwrap().proves(chunk, &bytes) => {
                        kept.chunks.insert(chunk, bytes);
                        *disk.written.entry((offer.file, chunk)).or_default() += 1;
                        Ok(())
                    }
                    Part::Chunk(_) => Err(FileFault::Corrupt),
                };
                Some(Input::Stored(job, part, result))
            }
            Output::Finish(job) => {
                let file = self.jobs[&job].file;
                let kept = disk.kept.remove(&file).unwrap();
                // Nothing came twice, and all of it once.
                let written = disk.written.iter().filter(|it| it.0.0 == file);
                assert!(written.clone().all(|it| *it.1 == 1));
                assert_eq!(written.count(), kept.chunks.len());
                disk.written.retain(|key, _| key.0 != file);
                let content = kept.chunks.into_values().flatten().collect();
                disk.finished.insert(self.jobs[&job].file, content);
                Some(Input::Finished(job, Ok(())))
            }
            Output::Discard(job) => {
                let file = self.jobs[&job].file;
                disk.kept.remove(&file);
                disk.written.retain(|key, _| key.0 != file);
                None
            }
            Output::Read { token, file, part } => {
                Some(Input::Read(token, disk.read(file, part).ok_or(FileFault::Changed)))
            }
            _ => None,
        }
    }
}

impl Disk {
    fn read(&self, file: FileId, part: Part) -> Option<Bytes> {
        let own = self.files.get(&file).map(|it| (&it.content, it.list.to_bytes()));
        let (content, list) = own.or_else(|| {
            let content = self.finished.get(&file)?;
            let hashes = content.chunks(chunk_bytes(content.len() as u64) as usize).map(hash_chunk);
            Some((content, hashes.collect::<Vec<_>>().concat()))
        })?;
        if self.changed {
            return None;
        }
        let mut bytes = match part {
            Part::Hashes => list,
            Part::Chunk(chunk) => {
                let (begin, length) = chunk_range(content.len() as u64, chunk);
                content[begin as usize..][..length].to_vec()
            }
        };
        if self.lies && !bytes.is_empty() {
            bytes[0] ^= 1;
        }
        Some(bytes.into())
    }
}

/// Everybody who is there.
pub(crate) fn all(world: &World) -> BTreeSet<PeerId> {
    world.people.keys().copied().collect()
}
