//! A .y4m file that a participant recorded.

#![allow(dead_code, reason = "not every test uses everything")]

use std::{fs, path::Path, sync::Arc, time::SystemTime};

use quartet_media::{I420Frame, TestPattern};

/// All of its pictures.
pub(crate) struct Film {
    pictures: Vec<I420Frame>,
}

impl Film {
    /// A picture that was not written to its end is left out.
    pub(crate) fn read(path: &Path) -> Self {
        let file = fs::read(path).unwrap();
        let start = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let word = |letter| {
            let words = std::str::from_utf8(&file[..start]).unwrap().split_ascii_whitespace();
            let mut found = words.filter_map(|word| word.strip_prefix(letter));
            found.next().unwrap().parse::<u16>().unwrap()
        };
        let (width, height) = (word('W'), word('H'));
        let size = "FRAME\n".len() + I420Frame::len_for(width, height);
        let pictures = file[start..].chunks_exact(size).map(|chunk| {
            let planes = Arc::from(&chunk["FRAME\n".len()..]);
            I420Frame::new(width, height, planes, 0, SystemTime::UNIX_EPOCH).unwrap()
        });
        Self { pictures: pictures.collect() }
    }

    pub(crate) fn size(&self) -> (u16, u16) {
        let first = self.pictures.first().expect("a picture");
        (first.width(), first.height())
    }

    /// How much the picture that is most like this one is like it, in dB of the brightness.
    pub(crate) fn likeness(&self, luma: &[u8]) -> f64 {
        self.pictures.iter().map(|it| psnr(it.planes().0, luma)).fold(0.0, f64::max)
    }

    /// The numbers that a test pattern shows; every picture has to show one.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.pictures.iter().map(|it| TestPattern::read_index(it).expect("a number")).collect()
    }
}

/// Peak signal-to-noise ratio, in dB.
fn psnr(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    let squares = one.iter().zip(other).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    let mean = squares.sum::<f64>() / one.len() as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}
