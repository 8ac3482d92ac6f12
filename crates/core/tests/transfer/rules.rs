//! What happens to a file, step by step.

use std::time::Duration;

use quartet_core::transfer::{FileFault, FilePhase, Input};
use quartet_proto::limits::{CHUNK_BYTES, MAX_FILES_OFFERED};

use crate::world::{Disk, File, World, id};

const CHUNK: usize = CHUNK_BYTES as usize;
const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

#[test]
fn a_file_goes_to_whoever_wants_it() {
    for size in [0, 1, CHUNK, CHUNK + 1, 5 * CHUNK + 7] {
        let mut world = World::of(1..=3);
        let file = File::new("report.pdf", size);
        world.offer(id(1), &file, None);
        world.run(SHORT);
        assert_eq!(world.phase(id(2), &file), Some(FilePhase::Offered));
        world.tell(id(2), Input::Accept(file.id()));
        world.tell(id(3), Input::Cancel(file.id()));
        world.run(LONG);
        world.assert_has(id(2), &file);
        assert_eq!(world.outgoing(id(1), id(2), &file), FilePhase::Done);
        let refused = FilePhase::Failed(FileFault::Refused);
        assert_eq!(world.phase(id(3), &file), Some(refused));
        assert_eq!(world.outgoing(id(1), id(3), &file), refused);
        assert!(world.people[&id(3)].disk.finished.is_empty());
    }
}

#[test]
fn what_is_for_one_is_seen_and_had_by_one() {
    let mut world = World::of(1..=3);
    let file = File::new("secret", 3 * CHUNK);
    world.offer(id(1), &file, Some(id(2)));
    world.run(SHORT);
    world.tell(id(2), Input::Accept(file.id()));
    world.run(LONG);
    world.assert_has(id(2), &file);
    assert_eq!(world.incoming(id(3), &file), None);
    // Also to somebody who offers the same, those who have it do not say that they do.
    world.offer(id(3), &file, Some(id(1)));
    world.run(SHORT);
    assert!(world.people[&id(1)].transfers.may_offer());
    // Who comes later is not told either.
    world.join(id(4), Disk::default());
    world.run(LONG);
    assert_eq!(world.incoming(id(4), &file), None);
}

#[test]
fn it_comes_from_all_who_have_it() {
    let mut world = World::of(1..=3);
    let file = File::new("film", 40 * CHUNK);
    world.offer(id(1), &file, None);
    world.run(SHORT);
    for peer in [2, 3] {
        world.tell(id(peer), Input::Accept(file.id()));
    }
    world.run(LONG);
    world.assert_has(id(3), &file);
    world.join(id(4), Disk::default());
    world.run(SHORT);
    world.tell(id(4), Input::Accept(file.id()));
    // The first one leaves in the middle of it.
    world.run(Duration::from_millis(500));
    let came = world.people[&id(4)].came.clone();
    assert!([1, 2, 3].iter().all(|peer| came[&id(*peer)] > 4 * CHUNK), "{came:?}");
    world.leave(id(1));
    world.run(LONG);
    world.assert_has(id(4), &file);
}

#[test]
fn a_pause_on_either_side_stops_it_and_nothing_is_lost() {
    let mut world = World::of(1..=2);
    let file = File::new("film", 40 * CHUNK);
    world.offer(id(1), &file, None);
    world.run(SHORT);
    world.tell(id(2), Input::Accept(file.id()));
    world.run(SHORT);
    assert_eq!(world.phase(id(2), &file), Some(FilePhase::Sending));
    assert_eq!(world.outgoing(id(1), id(2), &file), FilePhase::Sending);
    for (pause, go_on) in [
        ((id(2), Input::Pause(file.id(), true)), (id(2), Input::Pause(file.id(), false))),
        ((id(1), Input::Hold(file.id(), true)), (id(1), Input::Hold(file.id(), false))),
    ] {
        world.tell(pause.0, pause.1);
        world.run(Duration::from_secs(1));
        let state = world.incoming(id(2), &file).unwrap().clone();
        assert_eq!((state.phase, state.held), (FilePhase::Paused, pause.0 == id(1)));
        assert_eq!(world.outgoing(id(1), id(2), &file), FilePhase::Paused);
        world.run(LONG);
        assert_eq!(world.incoming(id(2), &file).unwrap().bytes, state.bytes);
        world.tell(go_on.0, go_on.1);
        world.run(SHORT);
    }
    world.run(LONG);
    world.assert_has(id(2), &file);
}

#[test]
fn it_goes_on_after_a_lost_connection_and_after_a_restart() {
    let mut world = World::of(1..=2);
    let file = File::new("film", 40 * CHUNK);
    world.offer(id(1), &file, None);
    world.run(SHORT);
    world.tell(id(2), Input::Accept(file.id()));
    world.run(Duration::from_millis(500));
    world.disconnect(id(1), id(2));
    world.run(Duration::from_secs(1));
    assert_eq!(world.phase(id(2), &file), Some(FilePhase::Accepted));
    assert_eq!(world.outgoing(id(1), id(2), &file), FilePhase::Accepted);
    world.connect(id(1), id(2));
    world.run(Duration::from_millis(500));
    assert_eq!(world.phase(id(2), &file), Some(FilePhase::Sending));
    // The receiver is started anew, as somebody else.
    let disk = world.leave(id(2));
    let before = disk.written.len();
    assert!((5..40).contains(&before), "{before}");
    world.join(id(3), disk);
    world.run(SHORT);
    world.tell(id(3), Input::Accept(file.id()));
    world.run(Duration::from_millis(500));
    // And the sender, in the middle of it.
    let disk = world.leave(id(1));
    world.run(Duration::from_secs(1));
    assert_eq!(world.phase(id(3), &file), Some(FilePhase::Accepted));
    world.join(id(4), disk);
    world.offer(id(4), &file, None);
    world.run(LONG);
    world.assert_has(id(3), &file);
    assert!(world.people[&id(3)].came[&id(4)] < 40 * CHUNK);
}

#[test]
fn a_full_disk_keeps_what_came() {
    let mut world = World::of(1..=2);
    let file = File::new("film", 40 * CHUNK);
    world.offer(id(1), &file, None);
    world.run(SHORT);
    world.tell(id(2), Input::Accept(file.id()));
    world.run(Duration::from_secs(1));
    world.people.get_mut(&id(2)).unwrap().disk.full = true;
    world.run(Duration::from_secs(1));
    assert_eq!(world.phase(id(2), &file), Some(FilePhase::Failed(FileFault::DiskFull)));
    assert!(matches!(world.outgoing(id(1), id(2), &file), FilePhase::Failed(_)));
    world.people.get_mut(&id(2)).unwrap().disk.full = false;
    world.tell(id(2), Input::Accept(file.id()));
    world.run(LONG);
    world.assert_has(id(2), &file);
    assert_eq!(world.outgoing(id(1), id(2), &file), FilePhase::Done);
}

#[test]
fn a_file_that_changes_meanwhile_is_said_to_have() {
    let mut world = World::of(1..=2);
    let file = File::new("log", 40 * CHUNK);
    world.offer(id(1), &file, None);
    world.run(SHORT);
    world.tell(id(2), Input::Accept(file.id()));
    world.run(Duration::from_millis(500));
    world.people.get_mut(&id(1)).unwrap().disk.changed = true;
    world.run(LONG);
    let changed = FilePhase::Failed(FileFault::Changed);
    assert_eq!(world.phase(id(2), &file), Some(changed));
    assert_eq!(world.outgoing(id(1), id(2), &file), changed);
    assert!(world.people[&id(2)].disk.finished.is_empty());
}

#[test]
fn what_is_cancelled_or_taken_back_is_over_on_both_sides() {
    let mut world = World::of(1..=3);
    let file = File::new("film", 40 * CHUNK);
    world.offer(id(1), &file, None);
    world.run(SHORT);
    for peer in [2, 3] {
        world.tell(id(peer), Input::Accept(file.id()));
    }
    world.run(Duration::from_millis(500));
    world.tell(id(2), Input::Cancel(file.id()));
    world.tell(id(1), Input::Withdraw(file.id(), id(3)));
    world.run(LONG);
    let cancelled = FilePhase::Failed(FileFault::Cancelled);
    assert_eq!(world.phase(id(2), &file), Some(cancelled));
    assert_eq!(world.outgoing(id(1), id(2), &file), cancelled);
    let withdrawn = FilePhase::Failed(FileFault::Withdrawn);
    assert_eq!(world.phase(id(3), &file), Some(withdrawn));
    assert_eq!(world.outgoing(id(1), id(3), &file), withdrawn);
    let came = world.people[&id(2)].came[&id(1)];
    world.run(LONG);
    assert_eq!(world.people[&id(2)].came[&id(1)], came);
    // Who has changed their mind begins anew, at once.
    world.tell(id(2), Input::Accept(file.id()));
    world.tell(id(2), Input::Cancel(file.id()));
    world.tell(id(2), Input::Accept(file.id()));
    world.run(LONG);
    world.assert_has(id(2), &file);
}

#[test]
fn whoever_is_gone_offers_nothing() {
    let mut world = World::of(1..=2);
    let file = File::new("film", CHUNK);
    world.offer(id(1), &file, None);
    world.run(SHORT);
    world.leave(id(1));
    world.run(SHORT);
    assert_eq!(world.phase(id(2), &file), Some(FilePhase::Failed(FileFault::Gone)));
}

#[test]
fn offers_end_at_their_limit() {
    let mut world = World::of(1..=2);
    for size in 0..=MAX_FILES_OFFERED {
        assert_eq!(world.people[&id(1)].transfers.may_offer(), size < MAX_FILES_OFFERED);
        world.offer(id(1), &File::new("x", size), None);
    }
    world.run(SHORT);
    assert_eq!(world.people[&id(2)].shown.len(), MAX_FILES_OFFERED);
}
