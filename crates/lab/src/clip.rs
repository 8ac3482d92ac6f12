//! What everybody sends: pictures with a number in them, and a tone, as files, so that our
//! participants and a browser send the same.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

pub use quartet_harness::tone::file as tone;
use quartet_media::{TestPattern, Y4mWriter};

/// Pictures of a clip before it begins again: much longer than any latency, so that a number says
/// which picture it was. 104 MB at 640×360.
pub const CLIP_PICTURES: u32 = 300;

/// Writes a clip of [`TestPattern`] into `folder`, unless it is there already. Its pictures are
/// numbered from 0.
pub fn pictures(folder: &Path, width: u16, height: u16, fps: u32) -> io::Result<PathBuf> {
    let path = folder.join(format!("pattern-{width}x{height}-{fps}.y4m"));
    if path.is_file() {
        return Ok(path);
    }
    fs::create_dir_all(folder)?;
    let unfinished = path.with_extension("unfinished");
    let pattern = TestPattern::with_size("lab", width, height, fps);
    let mut file = Y4mWriter::create(&unfinished, fps)?;
    for number in 0..CLIP_PICTURES {
        let at = UNIX_EPOCH + Duration::from_secs(number.into()) / fps;
        file.write(&pattern.draw(number.into(), at))?;
    }
    file.finish()?;
    fs::rename(unfinished, &path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use quartet_media::{FrameSlot, Stop, VideoInput as _, Y4mFile};

    use super::*;

    #[test]
    fn the_clip_is_played_with_its_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = pictures(folder.path(), 160, 90, 120).unwrap();
        let (file, slot, stop) =
            (Y4mFile::open(&path).unwrap(), FrameSlot::default(), Stop::default());
        std::thread::scope(|scope| {
            scope.spawn(|| file.run(&slot, &stop).unwrap());
            for _ in 0..5 {
                let frame = slot.take(Duration::from_secs(10)).expect("a picture");
                let number = TestPattern::read_index(&frame).map(u64::from);
                assert_eq!(number, Some(frame.index() % u64::from(CLIP_PICTURES)));
            }
            stop.stop();
        });
    }
}
