//! What a participant recorded of somebody: a tone, and a picture that moves.

use std::{collections::HashSet, fs, path::Path};

use quartet_media::{I420Frame, dominant_frequency};

const RATE: usize = 48_000;
/// Fewer different pictures than this are no film: three seconds of a slow one.
const LEAST_PICTURES: usize = 45;

/// The loudest second of PEER.wav is a tone of so many Hz.
pub(crate) fn is_a_tone(folder: &Path, peer: &str, hz: u32) {
    let mut wav = hound::WavReader::open(folder.join(format!("{peer}.wav"))).unwrap();
    let samples: Vec<f32> =
        wav.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32768.0).collect();
    let energy = |second: &&[f32]| second.iter().map(|it| f64::from(it * it)).sum::<f64>();
    let loudest = samples
        .chunks_exact(RATE)
        .max_by(|a, b| energy(a).total_cmp(&energy(b)))
        .expect("a second of sound");
    let heard = dominant_frequency(loudest);
    assert!((heard - hz as f32).abs() < 2.0, "{heard} Hz instead of {hz}");
    assert!(energy(&loudest) / RATE as f64 > 1e-5, "too quiet: {}", energy(&loudest));
}

/// PEER.y4m holds many pictures, each another one.
pub(crate) fn moves(folder: &Path, peer: &str) {
    let film = fs::read(folder.join(format!("{peer}.y4m"))).unwrap();
    let header = film.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let word = |letter| {
        let words = std::str::from_utf8(&film[..header]).unwrap().split_ascii_whitespace();
        let mut found = words.filter_map(|word| word.strip_prefix(letter));
        found.next().unwrap().parse::<u16>().unwrap()
    };
    let len = "FRAME\n".len() + I420Frame::len_for(word('W'), word('H'));
    let pictures: HashSet<&[u8]> = film[header..].chunks_exact(len).collect();
    assert!(pictures.len() >= LEAST_PICTURES, "{} different pictures", pictures.len());
}
