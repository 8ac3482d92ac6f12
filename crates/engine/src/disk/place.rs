//! How a file that has come gets its name: never over one that is there, and marked as what comes
//! from somebody else, where the system has such a mark.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use quartet_proto::numbered_file_name;

/// Names that are tried: somebody with more files of one name has to make room.
const TRIES: u32 = 1000;

/// Moves a file to a name in its own folder, or to that name with a number; gives where it is.
pub(super) fn move_to_its_name(from: &Path, name: &str) -> io::Result<PathBuf> {
    for number in 1..=TRIES {
        let name = if number == 1 { name.to_owned() } else { numbered_file_name(name, number) };
        let to = from.with_file_name(name);
        match rename_new(from, &to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(to),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

/// A second name fails where there is a file, which renaming would put out of the way.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system that has no second names: an empty file holds the place.
        Err(_) => {
            OpenOptions::new().write(true).create_new(true).open(to)?;
            fs::rename(from, to).inspect_err(|_| {
                // The place that was held; what could not be moved stays where it is.
                let _ = fs::remove_file(to);
            })
        }
    }
}

/// The mark of the web: Windows asks before it runs such a file, and Office opens it protected. What
/// cannot be marked (another file system, say) is not.
#[cfg(windows)]
pub(super) fn mark_as_received(path: &Path) {
    let mut stream = path.as_os_str().to_owned();
    stream.push(":Zone.Identifier");
    if fs::write(stream, "[ZoneTransfer]\r\nZoneId=3\r\n").is_err() {
        tracing::debug!("a file is not marked");
    }
}

/// Quarantine: macOS asks before it opens such a file for the first time. What cannot be marked is
/// not.
#[cfg(target_os = "macos")]
pub(super) fn mark_as_received(path: &Path) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = now.map_or(0, |time| time.as_secs());
    let value = format!("0081;{seconds:x};Quartet;");
    let marked = std::process::Command::new("/usr/bin/xattr")
        .args(["-w", "com.apple.quarantine", &value])
        .arg(path)
        .status();
    if !marked.is_ok_and(|status| status.success()) {
        tracing::debug!("a file is not marked");
    }
}

/// Other systems have no such mark that anything heeds; there, what comes cannot be run before
/// somebody says so.
#[cfg(not(any(windows, target_os = "macos")))]
pub(super) fn mark_as_received(_: &Path) {}
