use std::{
    fs,
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use super::*;
use crate::{DeviceError, FrameSlot, I420Frame, Stop, VideoInput};

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.0.path().join("clip.y4m");
        fs::write(&path, content).unwrap();
        path
    }
}

/// A 4×2 clip; the bytes of a picture are all its number.
fn clip(header: &str, pictures: u8) -> Vec<u8> {
    let mut content = format!("{header}\n").into_bytes();
    for number in 0..pictures {
        content.extend_from_slice(b"FRAME\n");
        content.extend([number; 12]);
    }
    content
}

fn grey(width: u16, height: u16, value: u8) -> I420Frame {
    let data = vec![value; I420Frame::len_for(width, height)];
    I420Frame::new(width, height, data.into(), 0, UNIX_EPOCH).unwrap()
}

fn refusal(content: &[u8]) -> String {
    let dir = Dir::new();
    match Y4mFile::open(dir.file(content)) {
        Err(DeviceError::File { file, reason }) => {
            assert_eq!(file, "clip.y4m");
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_played_again_and_again() {
    let dir = Dir::new();
    for colours in ["", " C420", " C420jpeg", " C420mpeg2", " C420paldv XEXTRA=1"] {
        let file = Y4mFile::open(dir.file(&clip(&format!("YUV4MPEG2 W4 H2 F120:1{colours}"), 3)));
        let (file, slot, stop) = (file.unwrap(), FrameSlot::default(), Stop::default());
        std::thread::scope(|scope| {
            scope.spawn(|| file.run(&slot, &stop).unwrap());
            let mut last = 0;
            while last < 7 {
                let frame = slot.take(Duration::from_secs(10)).expect("a picture");
                last = frame.index();
                assert_eq!((frame.width(), frame.height()), (4, 2));
                assert!(frame.data().iter().all(|&byte| u64::from(byte) == last % 3));
            }
            stop.stop();
        });
    }
}

#[test]
fn odd_sides_are_cut_off() {
    let mut content = b"YUV4MPEG2 W5 H3 F30:1\nFRAME\n".to_vec();
    content.extend([1, 1, 1, 1, 9, 1, 1, 1, 1, 9, 9, 9, 9, 9, 9]);
    content.extend([2, 2, 9, 9, 9, 9, 3, 3, 9, 9, 9, 9]);
    let dir = Dir::new();
    let file = Y4mFile::open(dir.file(&content)).unwrap();
    let (slot, stop) = (FrameSlot::default(), Stop::default());
    std::thread::scope(|scope| {
        scope.spawn(|| file.run(&slot, &stop).unwrap());
        let frame = slot.take(Duration::from_secs(10)).unwrap();
        assert_eq!(frame.data(), [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3]);
        stop.stop();
    });
}

#[test]
fn what_cannot_be_played_is_said_in_words() {
    let good = "YUV4MPEG2 W4 H2 F30:1";
    assert_eq!(refusal(b""), "it is empty");
    assert_eq!(refusal(b"RIFF....\n"), "it is no YUV4MPEG2 file");
    assert_eq!(refusal(&clip(good, 0)), "it has no picture");
    assert!(refusal(&clip("YUV4MPEG2 W4 H2 F30:1 C444", 1)).contains("444"));
    assert!(refusal(&clip("YUV4MPEG2 W4 H2 F30:1 C420p10", 1)).contains("420p10"));
    assert!(refusal(&clip("YUV4MPEG2 W4 F30:1", 1)).contains("height"));
    assert!(refusal(&clip("YUV4MPEG2 W99999 H2 F30:1", 1)).contains("width"));
    assert!(refusal(&clip("YUV4MPEG2 W16000 H16000 F30:1", 1)).contains("too large"));
    for rate in ["", "F0:0", "F30:0", "F1000:1", "F1:60", "F30"] {
        let reason = refusal(&clip(&format!("YUV4MPEG2 W4 H2 {rate}"), 1));
        assert!(reason.contains("frame rate"), "{rate}: {reason}");
    }
    let endless = vec![b'x'; 5000];
    assert_eq!(refusal(&endless), "a header line does not end");
    let mut wrong = clip(good, 1);
    wrong[good.len() + 1] = b'X';
    assert_eq!(refusal(&wrong), "a picture does not begin with FRAME");
    let missing = Y4mFile::open("/does/not/exist.y4m").unwrap_err();
    assert_eq!(missing, DeviceError::Missing("exist.y4m".into()));
}

#[test]
fn a_cut_off_file_fails_where_it_ends() {
    let mut content = clip("YUV4MPEG2 W4 H2 F120:1", 2);
    content.pop();
    let dir = Dir::new();
    let file = Y4mFile::open(dir.file(&content)).unwrap();
    let error = file.run(&FrameSlot::default(), &Stop::default()).unwrap_err();
    assert!(error.to_string().contains("ends in the middle"), "{error}");
}

#[test]
fn what_was_written_can_be_played_and_has_one_size() {
    let dir = Dir::new();
    let path = dir.0.path().join("clip.y4m");
    let mut writer = Y4mWriter::create(&path, 30).unwrap();
    for (width, height, value) in [(64, 36, 50), (32, 18, 100), (160, 90, 150)] {
        writer.write(&grey(width, height, value)).unwrap();
    }
    writer.finish().unwrap();
    let content = fs::read(&path).unwrap();
    let header = b"YUV4MPEG2 W64 H36 F30:1 Ip A1:1 C420jpeg\n";
    assert!(content.starts_with(header));
    let picture = 6 + I420Frame::len_for(64, 36);
    assert_eq!(content.len(), header.len() + 3 * picture);
    for (index, value) in [50, 100, 150].into_iter().enumerate() {
        assert_eq!(content[header.len() + index * picture + picture / 2], value);
    }
    Y4mFile::open(&path).unwrap();
}
