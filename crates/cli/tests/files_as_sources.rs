//! A picture file and a sound file as camera and microphone: what arrives is what is in them.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/room.rs"]
mod room;

use std::{fs, path::Path, sync::Arc, time::Duration, time::SystemTime};

use quartet_harness::ParticipantOptions;
use quartet_media::{I420Frame, Y4mWriter, dominant_frequency};
use room::Room;

const WIDTH: u16 = 320;
const HEIGHT: u16 = 180;
const PICTURES: usize = 10;
const HZ: f64 = 1_000.0;

/// What VP8 makes of a smooth picture with 500 kbit/s at hand is better than this, and pictures
/// that are one step apart are worse (`pictures_differ_by_more_than_their_coding`).
const GOOD_DB: f64 = 34.0;

#[test]
fn pictures_and_sound_of_files_arrive_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (video, audio) = (folder.path().join("bars.y4m"), folder.path().join("tone.wav"));
    write_video(&video);
    write_audio(&audio);
    let recording = folder.path().join("recording");

    let room = Room::open();
    let mut taker = ParticipantOptions::with_tone("Taker", 440, 6);
    (taker.video, taker.audio) = ("none".to_owned(), "none".to_owned());
    taker.record = Some(recording.clone());
    let mut taker = room.join(&taker);
    taker.wait_for("joined", 1, Duration::from_secs(10)).unwrap();
    let mut giver = ParticipantOptions::with_tone("Giver", 440, 5);
    giver.video = video.to_str().unwrap().to_owned();
    giver.audio = audio.to_str().unwrap().to_owned();
    let mut giver = room.join(&giver);
    assert_eq!(giver.wait(Duration::from_secs(20)).unwrap().code(), Some(0));
    assert_eq!(taker.wait(Duration::from_secs(20)).unwrap().code(), Some(0));

    let peer = taker.events_named("peer_joined")[0]["peer"].as_str().unwrap().to_owned();
    check_pictures(&recording.join(format!("{peer}.y4m")));
    check_sound(&recording.join(format!("{peer}.wav")));
}

#[test]
fn pictures_differ_by_more_than_their_coding() {
    for (one, other) in (0..PICTURES).zip(1..PICTURES) {
        assert!(psnr(&luma(one), &luma(other)) < GOOD_DB - 6.0);
    }
}

/// A slope with a bar that moves by its own width from picture to picture.
fn luma(number: usize) -> Vec<u8> {
    let (width, height) = (usize::from(WIDTH), usize::from(HEIGHT));
    let bar = number * width / PICTURES..(number + 1) * width / PICTURES;
    let points = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    points.map(|(x, y)| if bar.contains(&x) { 200 } else { (40 + (x + y) / 6) as u8 }).collect()
}

fn write_video(path: &Path) {
    let mut file = Y4mWriter::create(path, 10).unwrap();
    for number in 0..PICTURES {
        let mut planes = luma(number);
        planes.resize(I420Frame::len_for(WIDTH, HEIGHT), 128);
        let frame = I420Frame::new(WIDTH, HEIGHT, Arc::from(planes), 0, SystemTime::now());
        file.write(&frame.unwrap()).unwrap();
    }
    file.finish().unwrap();
}

/// Another rate and other channels than a call has.
fn write_audio(path: &Path) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    // Whole periods: the loop has no seam.
    for number in 0..spec.sample_rate {
        let angle = std::f64::consts::TAU * HZ * f64::from(number) / f64::from(spec.sample_rate);
        for _ in 0..spec.channels {
            file.write_sample((angle.sin() * 8_000.0) as i16).unwrap();
        }
    }
    file.finalize().unwrap();
}

/// Each received picture is one of the file's, and they come in its order.
fn check_pictures(path: &Path) {
    let file = fs::read(path).unwrap();
    let start = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let header = std::str::from_utf8(&file[..start]).unwrap();
    assert!(header.contains("W320") && header.contains("H180"), "{header}");
    let originals: Vec<_> = (0..PICTURES).map(luma).collect();
    let size = "FRAME\n".len() + I420Frame::len_for(WIDTH, HEIGHT);
    let numbers: Vec<usize> = file[start..]
        .chunks_exact(size)
        .map(|chunk| {
            let got = &chunk["FRAME\n".len()..][..originals[0].len()];
            let matches = originals.iter().map(|original| psnr(original, got)).enumerate();
            let (number, best) = matches.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            assert!(best > GOOD_DB, "{best} dB");
            number
        })
        .collect();
    assert!(numbers.len() > 3 * 10, "{} pictures", numbers.len());
    let next = numbers.windows(2).filter(|pair| pair[1] == (pair[0] + 1) % PICTURES).count();
    assert!(next * 10 >= (numbers.len() - 1) * 9, "{numbers:?}");
}

fn check_sound(path: &Path) {
    let mut wav = hound::WavReader::open(path).unwrap();
    let samples: Vec<f32> =
        wav.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32768.0).collect();
    let middle = samples.len() / 2;
    let heard = dominant_frequency(&samples[middle..middle + 48_000]);
    assert!((f64::from(heard) - HZ).abs() < 2.0, "{heard} Hz");
}

/// Peak signal-to-noise ratio, in dB.
fn psnr(one: &[u8], other: &[u8]) -> f64 {
    let squares = one.iter().zip(other).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    let mean = squares.sum::<f64>() / one.len() as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}
