//! What happens on a real disk.

use std::{
    fs,
    path::{Path, PathBuf},
};

use quartet_core::transfer::{HashList, hash_chunk};
use quartet_proto::limits::CHUNK_BYTES;

use super::*;

/// A folder of its own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quartet-disk-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn content() -> Vec<u8> {
    (0..3 * CHUNK_BYTES as usize + 5).map(|i| (i / 7) as u8).collect()
}

fn chunk(content: &[u8], number: u32) -> &[u8] {
    content.chunks(CHUNK_BYTES as usize).nth(number as usize).unwrap()
}

fn offer_of(name: &str, content: &[u8]) -> (FileOffer, HashList) {
    let hashes = content.chunks(CHUNK_BYTES as usize).map(hash_chunk).collect();
    let list = HashList::new(content.len() as u64, hashes).unwrap();
    let (name, size) = (name.to_owned(), content.len() as u64);
    (FileOffer { file: list.file(), name, size, kind: String::new() }, list)
}

/// Takes a whole file.
fn take(folder: &Path, name: &str, content: &[u8]) -> Result<PathBuf, FileFault> {
    let (offer, list) = offer_of(name, content);
    let mut part = PartFile::open(offer, folder.to_owned()).unwrap();
    part.store(Part::Hashes, &list.to_bytes())?;
    for number in 0..4 {
        part.store(Part::Chunk(number), chunk(content, number))?;
    }
    part.finish().map(|(_, path)| path)
}

#[test]
fn a_file_gets_its_name_when_all_of_it_is_there() {
    let folder = Folder::new("name");
    let content = content();
    let (offer, list) = offer_of("../../a\u{202e}b.txt", &content);
    let mut part = PartFile::open(offer, folder.0.clone()).unwrap();
    part.store(Part::Hashes, &list.to_bytes()).unwrap();
    for number in [3, 0, 2] {
        part.store(Part::Chunk(number), chunk(&content, number)).unwrap();
        assert!(folder.names().iter().all(|name| name.starts_with('.')), "{:?}", folder.names());
    }
    assert_eq!(part.store(Part::Chunk(1), chunk(&content, 0)), Err(FileFault::Corrupt));
    part.store(Part::Chunk(1), chunk(&content, 1)).unwrap();
    let (mut source, path) = part.finish().unwrap();
    assert_eq!(path, folder.0.join("ab.txt"));
    assert_eq!(folder.names(), ["ab.txt"]);
    assert!(fs::read(&path).unwrap() == content);
    // And it can be given on.
    assert!(source.read(Part::Chunk(3)).unwrap() == chunk(&content, 3));
}

#[test]
fn what_is_missing_is_not_given_a_name() {
    let folder = Folder::new("missing");
    let content = content();
    let (offer, list) = offer_of("x", &content);
    let mut part = PartFile::open(offer, folder.0.clone()).unwrap();
    part.store(Part::Hashes, &list.to_bytes()).unwrap();
    part.store(Part::Chunk(0), chunk(&content, 0)).unwrap();
    assert!(part.finish().is_err());
    assert!(folder.names().iter().all(|name| name.starts_with('.')));
}

#[test]
fn a_name_that_is_taken_gets_a_number_and_nothing_is_overwritten() {
    let folder = Folder::new("taken");
    fs::write(folder.0.join("a.txt"), "mine").unwrap();
    fs::create_dir(folder.0.join("a (2).txt")).unwrap();
    let path = take(&folder.0, "a.txt", &content()).unwrap();
    assert_eq!(path, folder.0.join("a (3).txt"));
    assert_eq!(fs::read(folder.0.join("a.txt")).unwrap(), b"mine");
}

#[test]
fn it_goes_on_with_what_is_there_and_true() {
    let folder = Folder::new("go-on");
    let content = content();
    let (offer, list) = offer_of("x", &content);
    let mut part = PartFile::open(offer.clone(), folder.0.clone()).unwrap();
    part.store(Part::Hashes, &list.to_bytes()).unwrap();
    for number in [0, 1, 3] {
        part.store(Part::Chunk(number), chunk(&content, number)).unwrap();
    }
    assert!(PartFile::open(offer.clone(), folder.0.clone()).is_err(), "somebody has it open");
    part.close();
    // Something happens to a chunk meanwhile.
    let name = folder.names().into_iter().find(|name| name.ends_with("-part")).unwrap();
    let mut bytes = fs::read(folder.0.join(&name)).unwrap();
    bytes[CHUNK_BYTES as usize + 9] ^= 1;
    fs::write(folder.0.join(&name), bytes).unwrap();
    let mut part = PartFile::open(offer, folder.0.clone()).unwrap();
    assert!(part.has_list());
    let found = loop {
        if let Some(found) = part.verify_next().unwrap() {
            break found;
        }
    };
    assert_eq!(found, [0, 3]);
    part.discard();
    assert!(folder.names().is_empty());
}

#[test]
#[cfg(unix)]
fn a_link_in_the_place_leads_nowhere() {
    let folder = Folder::new("link");
    let (offer, _) = offer_of("x", &content());
    PartFile::open(offer.clone(), folder.0.clone()).unwrap().close();
    let [name] = &folder.names()[..] else { panic!("one file") };
    fs::remove_file(folder.0.join(name)).unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.0.join(name)).unwrap();
    assert!(PartFile::open(offer, folder.0.clone()).is_err());
}

#[test]
fn a_file_is_hashed_and_one_that_changes_is_not_given() {
    let folder = Folder::new("source");
    let content = content();
    let path = folder.0.join("report.PDF");
    fs::write(&path, &content).unwrap();
    let mut hashing = Hashing::begin(path.clone()).unwrap();
    let mut source = loop {
        if let Some(source) = hashing.step().unwrap() {
            break source;
        }
    };
    let (expected, list) = offer_of("report.PDF", &content);
    assert_eq!(source.offer(), FileOffer { kind: "application/pdf".to_owned(), ..expected });
    assert!(source.read(Part::Hashes).unwrap() == list.to_bytes());
    assert!(source.read(Part::Chunk(1)).unwrap() == chunk(&content, 1));
    assert!(source.read(Part::Chunk(4)).unwrap().is_empty());
    fs::write(&path, &content[1..]).unwrap();
    assert_eq!(source.read(Part::Chunk(1)), Err(FileFault::Changed));
    assert!(Hashing::begin(folder.0.clone()).is_err(), "a folder is no file");
    assert!(Hashing::begin(folder.0.join("nothing")).is_err());
}

#[test]
fn an_empty_file_is_a_file() {
    let folder = Folder::new("empty");
    let (offer, list) = offer_of("nothing", &[]);
    let mut part = PartFile::open(offer, folder.0.clone()).unwrap();
    part.store(Part::Hashes, &list.to_bytes()).unwrap();
    let (_, path) = part.finish().unwrap();
    assert_eq!(fs::metadata(path).unwrap().len(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_is_said_to_be() {
    let error = fs::write("/dev/full", "x").unwrap_err();
    assert_eq!(fault(&error), FileFault::DiskFull);
}

#[test]
fn a_file_that_another_process_is_leaving_is_waited_for() {
    let folder = Folder::new("left");
    let (offer, _) = offer_of("film.bin", &content());
    let other = PartFile::open(offer.clone(), folder.0.clone()).unwrap();
    let refused = PartFile::open(offer.clone(), folder.0.clone()).err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    let (inputs, mut news) = mpsc::channel(4);
    let (disk, run) = Disk::new(1, inputs);
    let running = thread::spawn(run);
    let job = Job(1);
    assert!(disk.ask(Task::Begin(job, offer, folder.0.clone())));
    thread::sleep(5 * LOCK_POLL);
    assert!(news.try_recv().is_err(), "nothing is said while it is waited for");
    drop(other);
    let Some(Input::Disk(_, DiskNews::Begun(begun, result))) = news.blocking_recv() else {
        panic!("something else");
    };
    assert_eq!((begun, result), (job, Ok(None)));
    drop(disk);
    running.join().unwrap();
}
