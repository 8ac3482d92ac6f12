//! Whatever somebody says about files, and sends of them: bounded, and never kept unverified.

#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use quartet_core::transfer::{Input, Output, Part, Transfers};
use quartet_proto::{
    FileId, FilesMessage, PeerId, PieceHeader,
    limits::{MAX_FILE_REQUESTS, MAX_FILES_MESSAGE_BYTES},
};

#[derive(Debug, Arbitrary)]
enum Step {
    /// A message as JSON text.
    Said(bool, String),
    /// A message on the channel of the pieces.
    Piece(bool, Vec<u8>),
    Accept(u8),
    Cancel(u8),
    Begun(bool),
    Stored(bool),
    Opened(bool),
    Left(bool),
    Wait(u16),
}

fn peer(first: bool) -> PeerId {
    PeerId::from_u64(u64::from(first))
}

fn file(number: u8) -> FileId {
    FileId::from_bytes([number; 32])
}

fuzz_target!(|steps: Vec<Step>| {
    let mut now = Instant::now();
    let mut transfers = Transfers::new();
    let mut stored = Vec::new();
    let mut begun = Vec::new();
    for first in [true, false] {
        transfers.handle(now, Input::Joined(peer(first)));
        transfers.handle(now, Input::Opened(peer(first)));
    }
    for step in steps {
        let input = match step {
            Step::Said(from, text) if text.len() <= MAX_FILES_MESSAGE_BYTES => {
                match serde_json::from_str::<FilesMessage>(&text) {
                    Ok(message) => Input::Heard(peer(from), message),
                    Err(_) => continue,
                }
            }
            Step::Said(..) => continue,
            Step::Piece(from, bytes) => match PieceHeader::split(&bytes) {
                Some((header, content)) => {
                    Input::Piece(peer(from), header.id, header.offset, content.to_vec().into())
                }
                None => continue,
            },
            Step::Accept(number) => Input::Accept(file(number)),
            Step::Cancel(number) => Input::Cancel(file(number)),
            Step::Begun(found) => match begun.pop() {
                Some(job) => Input::Begun(job, Ok(found.then(Vec::new))),
                None => continue,
            },
            Step::Stored(good) => match stored.pop() {
                Some((job, part)) => {
                    let fault = quartet_core::transfer::FileFault::Corrupt;
                    Input::Stored(job, part, if good { Ok(()) } else { Err(fault) })
                }
                None => continue,
            },
            Step::Opened(which) => Input::Opened(peer(which)),
            Step::Left(which) => Input::Left(peer(which)),
            Step::Wait(ms) => {
                now += Duration::from_millis(ms.into());
                transfers.handle_timeout(now);
                continue;
            }
        };
        transfers.handle(now, input);
        let mut asked = 0;
        while let Some(output) = transfers.poll() {
            match output {
                Output::Begin(job, _) => begun.push(job),
                Output::Store(job, part, bytes) => {
                    assert!(!bytes.is_empty() || part == Part::Hashes);
                    stored.push((job, part));
                }
                Output::Say(_, FilesMessage::Get { .. }) => {
                    asked += 1;
                    assert!(asked <= 2 * 256 * MAX_FILE_REQUESTS);
                }
                _ => {}
            }
        }
    }
});
