//! The channels to one person, from their opening to their end: what was asked for in each
//! direction, and what of it is under way.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use quartet_proto::{
    FileId, FilesMessage, chunk_bytes, chunk_count, chunk_range,
    limits::{MAX_FILE_REQUESTS, MAX_FILES_OFFERED, ROOM_CAPACITY},
};

use super::{Part, SEND_AHEAD, meter::Meter};

/// What comes together with the last step of a channel's opening can get lost in the library on the
/// other side: the first word therefore waits this long…
const SETTLING: Duration = Duration::from_millis(20);
/// …and is said again after this, until it is answered…
const REPEAT: Duration = Duration::from_secs(1);
/// …so often at most: the other side may know nothing of files.
const REPEATS: u32 = 10;
/// Parts that are asked for at once: what comes in this time…
const AHEAD: f64 = 0.5;
/// …and at least so many, so that the disk there and the path are busy at once…
const LEAST_AHEAD: usize = 2;
/// …and at most half of what the other side takes, as some may be on their way to be stopped…
const MOST_AHEAD: usize = MAX_FILE_REQUESTS / 2;
/// …and so many bytes, of large chunks.
const MOST_BYTES_AHEAD: u64 = 16 * 1024 * 1024;
/// An answer of which nothing has come for so long is asked of somebody else, if there is one.
const STALLED: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub(super) struct Channel {
    /// When `ready` is said next.
    ready_at: Option<Instant>,
    repeats: u32,
    /// One of theirs has come: they can be told anything.
    pub(super) met: bool,
    told_met: bool,
    /// What they give of what is for everybody.
    pub(super) has: BTreeSet<FileId>,
    next_id: u32,
    requests: BTreeMap<u32, Request>,
    pub(super) meter: Meter,
    heard_at: Instant,
    /// What they have asked for, and was not looked at yet.
    asked: VecDeque<Asked>,
    last_asked: u32,
    /// What is being read for them: the reading's token, and their request.
    pub(super) reading: Option<(u64, Asked)>,
    /// Answers that the link has not sent yet.
    sending: usize,
}

/// Something that they were asked for.
#[derive(Debug)]
struct Request {
    file: FileId,
    part: Part,
    length: usize,
    content: Vec<u8>,
    at: Instant,
}

/// Something that they asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) id: u32,
    pub(super) file: FileId,
    pub(super) part: Part,
}

/// What a piece led to.
#[derive(Debug)]
pub(super) enum Came {
    /// Nothing that anybody waits for.
    Nothing,
    /// More of a part.
    More,
    /// The last of it.
    Whole(FileId, Part, Bytes),
    /// It cannot be what was asked for.
    Nonsense(FileId),
}

impl Channel {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ready_at: Some(now + SETTLING),
            repeats: REPEATS,
            met: false,
            told_met: false,
            has: BTreeSet::new(),
            next_id: 1,
            requests: BTreeMap::new(),
            meter: Meter::default(),
            heard_at: now,
            asked: VecDeque::new(),
            last_asked: 0,
            reading: None,
            sending: 0,
        }
    }

    /// A `ready` of theirs; true when it is the first.
    pub(super) fn ready(&mut self, now: Instant, met: bool) -> bool {
        self.ready_at = (!met || !self.told_met).then_some(now);
        !std::mem::replace(&mut self.met, true)
    }

    /// The `ready` that is due.
    pub(super) fn take_ready(&mut self, now: Instant) -> Option<FilesMessage> {
        self.ready_at.filter(|at| *at <= now)?;
        self.told_met = self.met;
        self.ready_at = (!self.met && self.repeats > 0).then(|| now + REPEAT);
        self.repeats = self.repeats.saturating_sub(1);
        Some(FilesMessage::Ready { met: self.met })
    }

    /// When something is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let stalled = (!self.requests.is_empty()).then(|| self.stalls_at());
        self.ready_at.into_iter().chain(stalled).min()
    }

    fn stalls_at(&self) -> Instant {
        let first = self.requests.values().map(|request| request.at).min();
        first.map_or(self.heard_at, |first| first.max(self.heard_at)) + STALLED
    }

    /// Nothing comes, although something was asked for: it is given up.
    pub(super) fn take_stalled(&mut self, now: Instant) -> Option<FilesMessage> {
        if self.requests.is_empty() || now < self.stalls_at() {
            return None;
        }
        let ids = std::mem::take(&mut self.requests).into_keys().collect();
        Some(FilesMessage::Stop { ids })
    }

    /// They have got a file that is for everybody; what is too much is not heard.
    pub(super) fn has(&mut self, file: FileId) {
        if self.has.len() < ROOM_CAPACITY * MAX_FILES_OFFERED {
            self.has.insert(file);
        }
    }

    // What they are asked for.

    /// Whether more of a file of this size can be asked for.
    pub(super) fn has_room(&mut self, now: Instant, size: u64) -> bool {
        let chunk = chunk_bytes(size);
        let most = usize::try_from(MOST_BYTES_AHEAD / chunk).unwrap_or(MOST_AHEAD);
        let wanted = (self.meter.rate(now) as f64 * AHEAD / chunk as f64) as usize;
        let most = most.clamp(LEAST_AHEAD, MOST_AHEAD);
        self.requests.len() < (LEAST_AHEAD + wanted).min(most)
    }

    pub(super) fn ask(
        &mut self,
        now: Instant,
        file: FileId,
        size: u64,
        part: Part,
    ) -> FilesMessage {
        let (length, chunk) = match part {
            Part::Hashes => (chunk_count(size) as usize * 32, None),
            Part::Chunk(chunk) => (chunk_range(size, chunk).1, Some(chunk)),
        };
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        self.requests.insert(id, Request { file, part, length, content: Vec::new(), at: now });
        FilesMessage::Get { id, file, chunk }
    }

    /// The parts of a file that are asked for.
    pub(super) fn parts(&self, file: FileId) -> impl Iterator<Item = Part> + '_ {
        self.requests.values().filter(move |it| it.file == file).map(|it| it.part)
    }

    /// Takes back what was asked for of a file; none if there was nothing.
    pub(super) fn stop(&mut self, file: FileId) -> Option<FilesMessage> {
        let of_file = self.requests.iter().filter(|(_, request)| request.file == file);
        let ids: Vec<_> = of_file.map(|(id, _)| *id).collect();
        self.requests.retain(|_, request| request.file != file);
        (!ids.is_empty()).then_some(FilesMessage::Stop { ids })
    }

    /// They cannot give it; of which file that was.
    pub(super) fn absent(&mut self, id: u32) -> Option<FileId> {
        self.requests.remove(&id).map(|request| request.file)
    }

    /// A piece of an answer.
    pub(super) fn piece(&mut self, now: Instant, id: u32, offset: u32, bytes: &[u8]) -> Came {
        let Some(request) = self.requests.get_mut(&id) else { return Came::Nothing };
        self.meter.add(now, bytes.len() as u64);
        self.heard_at = now;
        let file = request.file;
        let left = request.length - request.content.len();
        if offset as usize != request.content.len() || bytes.len() > left || bytes.is_empty() {
            return Came::Nonsense(file);
        }
        request.content.extend_from_slice(bytes);
        if bytes.len() < left {
            return Came::More;
        }
        match self.requests.remove(&id) {
            Some(request) => Came::Whole(file, request.part, request.content.into()),
            None => Came::Nothing,
        }
    }

    // What they ask for.

    /// They want something; what is too much, or named as something before, is not heard.
    pub(super) fn asked(&mut self, asked: Asked) {
        if self.asked.len() < MAX_FILE_REQUESTS && asked.id > self.last_asked {
            self.last_asked = asked.id;
            self.asked.push_back(asked);
        }
    }

    /// They do not want it any more.
    pub(super) fn stopped(&mut self, ids: &[u32]) {
        self.asked.retain(|asked| !ids.contains(&asked.id));
    }

    /// The next that is to be read for them, of those that `may` be given.
    pub(super) fn next_asked(&mut self, may: impl Fn(FileId) -> bool) -> Option<Asked> {
        if self.reading.is_some() || self.sending >= SEND_AHEAD {
            return None;
        }
        let place = self.asked.iter().position(|asked| may(asked.file))?;
        self.asked.remove(place)
    }

    /// Something was read, and goes to the link.
    pub(super) fn gives(&mut self) {
        self.sending += 1;
    }

    /// The link has sent it.
    pub(super) fn sent(&mut self) {
        self.sending = self.sending.saturating_sub(1);
    }
}
