//! Somebody who wants to do harm: it costs them their files, and nobody else anything.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quartet_core::transfer::{FileFault, FilePhase, Input, Output, Transfers};
use quartet_proto::{
    FileId, FileOffer, FileProgress, FilesMessage, PeerId,
    limits::{CHUNK_BYTES, MAX_FILE_REQUESTS, MAX_FILES_OFFERED},
};

use crate::world::{Disk, File, World, id};

const CHUNK: usize = CHUNK_BYTES as usize;

#[test]
fn wrong_bytes_are_never_kept_and_others_are_asked() {
    let mut world = World::of(1..=3);
    let file = File::new("film", 20 * CHUNK);
    world.offer(id(1), &file, None);
    world.run(Duration::from_millis(100));
    world.tell(id(3), Input::Accept(file.id()));
    world.run(Duration::from_secs(10));
    world.assert_has(id(3), &file);
    // One who offers it lies about every part.
    world.people.get_mut(&id(1)).unwrap().disk.lies = true;
    world.tell(id(2), Input::Accept(file.id()));
    world.run(Duration::from_secs(10));
    world.assert_has(id(2), &file);
}

#[test]
fn when_only_a_liar_has_it_it_fails() {
    let mut world = World::of(1..=2);
    let file = File::new("film", 20 * CHUNK);
    world.people.get_mut(&id(1)).unwrap().disk.lies = true;
    world.offer(id(1), &file, None);
    world.run(Duration::from_millis(100));
    world.tell(id(2), Input::Accept(file.id()));
    world.run(Duration::from_secs(10));
    assert_eq!(world.phase(id(2), &file), Some(FilePhase::Failed(FileFault::Corrupt)));
    assert!(world.people[&id(2)].disk.finished.is_empty());
    world.join(id(3), Disk::default());
    world.offer(id(3), &file, None);
    world.run(Duration::from_secs(1));
    world.tell(id(2), Input::Accept(file.id()));
    world.run(Duration::from_secs(10));
    world.assert_has(id(2), &file);
}

const PEER: PeerId = id_of(1);

const fn id_of(number: u64) -> PeerId {
    PeerId::from_u64(number)
}

/// Somebody who is told whatever a test wants.
struct Victim {
    now: Instant,
    transfers: Transfers,
}

impl Victim {
    fn new() -> Self {
        let mut victim = Self { now: Instant::now(), transfers: Transfers::new() };
        victim.tell(Input::Joined(PEER));
        victim.tell(Input::Opened(PEER));
        victim.hear(FilesMessage::Ready { met: true });
        victim
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        self.transfers.handle(self.now, input);
        std::iter::from_fn(|| self.transfers.poll()).collect()
    }

    fn hear(&mut self, message: FilesMessage) -> Vec<Output> {
        self.tell(Input::Heard(PEER, message))
    }
}

fn offer(number: u8, size: u64) -> FileOffer {
    let file = FileId::from_bytes([number; 32]);
    FileOffer { file, name: "x".to_owned(), size, kind: String::new() }
}

fn says_offer(offer: FileOffer) -> FilesMessage {
    FilesMessage::Offer { offer, shared: true, paused: false }
}

#[test]
fn offers_without_end_are_not_heard() {
    let mut victim = Victim::new();
    for number in 0..=255 {
        let shown = victim.hear(says_offer(offer(number, 1)));
        let shown = shown.iter().any(|it| matches!(it, Output::Show(_)));
        assert_eq!(shown, usize::from(number) < MAX_FILES_OFFERED);
    }
    // Also when they are taken back again and again, nothing grows.
    for round in 0..3 {
        for number in 0..=255 {
            victim.hear(FilesMessage::Withdraw { file: offer(number, 1).file });
            victim.hear(says_offer(offer(number, 1 + round)));
            victim.hear(FilesMessage::Have { file: offer(number, 1).file });
        }
    }
}

#[test]
fn what_was_not_offered_is_not_given_and_too_much_is_not_heard() {
    let mut victim = Victim::new();
    let file = offer(1, 1).file;
    let said = victim.hear(FilesMessage::Get { id: 1, file, chunk: Some(0) });
    assert!(matches!(said[..], [Output::Say(_, FilesMessage::Absent { id: 1, .. })]), "{said:?}");
    victim.tell(Input::Offer(offer(1, 1 << 30), None));
    let mut read = 0;
    for id in 2..1_000 {
        let wanted = victim.hear(FilesMessage::Get { id, file, chunk: Some(u32::MAX) });
        read += wanted.iter().filter(|it| matches!(it, Output::Read { .. })).count();
    }
    assert_eq!(read, 1, "one at a time");
    // There is no such chunk: the next is looked at, as many as may wait.
    let mut token = 1;
    while !victim.tell(Input::Read(token, Ok(Bytes::new()))).is_empty() {
        token += 1;
    }
    assert_eq!(token as usize, MAX_FILE_REQUESTS + 1);
    // The same request again, or an older one, is none.
    assert!(victim.hear(FilesMessage::Get { id: 2, file, chunk: None }).is_empty());
}

#[test]
fn pieces_that_nobody_asked_for_are_nothing() {
    let mut victim = Victim::new();
    victim.hear(says_offer(offer(1, 3 * CHUNK_BYTES)));
    let begun = victim.tell(Input::Accept(offer(1, 1).file));
    let job = begun.iter().find_map(|it| match it {
        Output::Begin(job, _) => Some(*job),
        _ => None,
    });
    victim.tell(Input::Begun(job.unwrap(), Ok(Some(Vec::new()))));
    for (id, offset, length) in [(9, 0, 10), (0, 0, 1), (u32::MAX, u32::MAX, 1)] {
        let out = victim.tell(Input::Piece(PEER, id, offset, vec![0; length].into()));
        assert!(!out.iter().any(|it| matches!(it, Output::Store(..))), "{out:?}");
    }
    // A piece out of place is the end of the asking.
    let out = victim.tell(Input::Piece(PEER, 1, 7, vec![0; 10].into()));
    assert!(
        out.iter().any(|it| matches!(it, Output::Say(_, FilesMessage::Stop { .. }))),
        "{out:?}"
    );
    assert!(out.iter().any(|it| matches!(it, Output::Close(_))), "{out:?}");
}

#[test]
fn people_who_come_and_go_all_the_time_cost_a_bounded_amount() {
    let mut victim = Victim::new();
    victim.tell(Input::Offer(offer(1, 10), None));
    let mut shown = 0;
    for number in 2..1_000 {
        let peer = PeerId::from_u64(number);
        victim.tell(Input::Joined(peer));
        shown = victim.tell(Input::Left(peer)).len();
    }
    assert_eq!(shown, 1, "of nobody else there is anything new");
    let held = format!("{:?}", victim.transfers);
    assert!(held.len() < 100_000, "{} characters", held.len());
}

#[test]
fn reports_of_what_cannot_be_are_cut() {
    let mut victim = Victim::new();
    let file = offer(1, 10).file;
    victim.hear(FilesMessage::Report { file, state: FileProgress::Done, bytes: u64::MAX });
    victim.tell(Input::Offer(offer(1, 10), None));
    let shown =
        victim.hear(FilesMessage::Report { file, state: FileProgress::Sending, bytes: u64::MAX });
    let bytes = shown.iter().find_map(|it| match it {
        Output::Show(state) => Some(state.bytes),
        _ => None,
    });
    assert_eq!(bytes, Some(10));
}

#[test]
fn whatever_is_said_nothing_breaks() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut victim = Victim::new();
        for _ in 0..300 {
            let number = random.u8(0..4);
            let file = offer(number, 1).file;
            let size = [0, 1, CHUNK_BYTES, u64::MAX][random.usize(0..4)];
            let (id, chunk) = (random.u32(0..20), random.bool().then(|| random.u32(0..3)));
            match random.u8(0..14) {
                0 => victim.hear(says_offer(offer(number, size))),
                1 => victim.hear(FilesMessage::Withdraw { file }),
                2 => victim.hear(FilesMessage::Have { file }),
                3 => victim.hear(FilesMessage::Get { id, file, chunk }),
                4 => victim.hear(FilesMessage::Stop { ids: vec![id; 9] }),
                5 => victim
                    .hear(FilesMessage::Absent { id, reason: quartet_proto::FileAbsence::Changed }),
                6 => victim.hear(FilesMessage::Ready { met: random.bool() }),
                7 => victim.tell(Input::Piece(PEER, id, random.u32(0..3), vec![0; 3].into())),
                8 => victim.tell(Input::Accept(file)),
                9 => victim.tell(Input::Offer(offer(number, size), None)),
                10 => victim.tell(Input::Read(u64::from(id), Ok(vec![1; 9].into()))),
                11 => victim.tell(Input::Opened(PEER)),
                12 => victim.tell(Input::Sent(PEER)),
                _ => {
                    victim.now += Duration::from_secs(1);
                    victim.transfers.handle_timeout(victim.now);
                    Vec::new()
                }
            };
        }
    }
}
