//! Four people in one room: everybody sees and hears everybody, and a fifth is told why not.
//!
//! Alone in this file: it needs the machine to itself, as a call does.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/room.rs"]
mod room;

use std::{fs, path::Path, sync::Arc, time::Duration, time::SystemTime};

use quartet_harness::ParticipantOptions;
use quartet_media::{I420Frame, TestPattern, dominant_frequency};
use room::Room;
use serde_json::Value;

const SECONDS: u32 = 12;
const TONES: [u32; 4] = [400, 700, 1000, 1300];

#[test]
fn four_people_see_and_hear_each_other_and_a_fifth_is_refused() {
    let room = Room::open();
    let folder = tempfile::tempdir().unwrap();
    let mut people: Vec<_> = TONES
        .iter()
        .enumerate()
        .map(|(number, &hz)| {
            let mut options = ParticipantOptions::with_tone(&format!("P{number}"), hz, SECONDS);
            // The disk of a test machine takes three streams of raw pictures, not twelve.
            options.record = (number == 0).then(|| folder.path().to_owned());
            let person = room.join(&options);
            person.wait_for("joined", 1, Duration::from_secs(10)).unwrap();
            person
        })
        .collect();
    for person in &people {
        person.wait_for("first_video", 3, Duration::from_secs(10)).unwrap();
        person.wait_for("first_audio", 3, Duration::from_secs(10)).unwrap();
    }

    let mut fifth = room.join(&ParticipantOptions::with_tone("Fifth", 440, SECONDS));
    assert_eq!(fifth.wait(Duration::from_secs(10)).unwrap().code(), Some(1));
    let errors = fifth.events_named("error");
    assert_eq!(errors[0]["code"], "room_full");
    assert!(errors[0]["message"].as_str().unwrap().contains(' '), "{errors:?}");
    assert!(fifth.events_named("joined").is_empty());

    for person in &mut people {
        let status = person.wait(Duration::from_secs(u64::from(SECONDS) + 10)).unwrap();
        assert_eq!(status.code(), Some(0));
    }
    for person in &people {
        check_stats(&person.events_named("stats"));
    }

    let names = people[0].events_named("peer_joined");
    assert_eq!(names.len(), 3);
    for event in names {
        let peer = event["peer"].as_str().unwrap();
        let number: usize = event["name"].as_str().unwrap()[1..].parse().unwrap();
        check_voice(&folder.path().join(format!("{peer}.wav")), TONES[number]);
        check_pictures(folder.path(), peer);
    }
    let own = fs::read_to_string(folder.path().join("self.csv")).unwrap();
    assert!(own.lines().count() > 25 * SECONDS as usize);
}

/// All three streams at 28 fps or more while all were there, and no freeze.
fn check_stats(stats: &[Value]) {
    let full = |stats: &&Value| stats["peers"].as_array().unwrap().len() == 3;
    let complete: Vec<_> = stats.iter().filter(full).collect();
    // Not the first one, in which somebody was still coming, nor the last, in which one was going.
    let (first, last) = (complete[1], complete[complete.len() - 2]);
    let seconds = last["t"].as_f64().unwrap() - first["t"].as_f64().unwrap();
    assert!(seconds > 4.0);
    for (before, after) in peers(first).zip(peers(last)) {
        assert_eq!(before["peer"], after["peer"]);
        let shown = after["video_in"]["frames"].as_f64().unwrap()
            - before["video_in"]["frames"].as_f64().unwrap();
        assert!(shown / seconds >= 28.0, "{shown} pictures in {seconds} s");
        // While people come, a picture may stand until its new size begins.
        assert_eq!(after["video_in"]["freezes"], before["video_in"]["freezes"], "{after}");
        assert_eq!(after["video_in"]["width"], 640);
        assert!(after["audio_in"]["packets"].as_u64().unwrap() > 100);
        assert!(after["audio_in"]["concealed_ratio"].as_f64().unwrap() < 0.02, "{after}");
    }
    assert_eq!(last["encode"].as_array().unwrap().len(), 1, "encoded once for all three");
}

fn peers(stats: &Value) -> impl Iterator<Item = &Value> {
    let mut peers: Vec<_> = stats["peers"].as_array().unwrap().iter().collect();
    peers.sort_by_key(|peer| peer["peer"].as_str().unwrap());
    peers.into_iter()
}

fn check_voice(file: &Path, hz: u32) {
    let mut wav = hound::WavReader::open(file).unwrap();
    let samples: Vec<f32> =
        wav.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32768.0).collect();
    // A second from the middle: by then everything had settled.
    let middle = samples.len() / 2;
    let heard = dominant_frequency(&samples[middle..middle + 48_000]);
    assert!((heard - hz as f32).abs() < 2.0, "{heard} Hz instead of {hz}");
}

/// The numbers in the recorded pictures rise one by one, and each picture has its time.
fn check_pictures(folder: &Path, peer: &str) {
    let file = fs::read(folder.join(format!("{peer}.y4m"))).unwrap();
    let start = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let header = std::str::from_utf8(&file[..start]).unwrap();
    // A recording keeps the size that it begins with, which may be the smallest.
    let small = header.contains("W320") && header.contains("H180");
    assert!(small || header.contains("W640") && header.contains("H360"), "{header}");
    let (width, height) = if small { (320, 180) } else { (640, 360) };
    let len = I420Frame::len_for(width, height);
    let numbers: Vec<u32> = file[start..]
        .chunks_exact("FRAME\n".len() + len)
        .map(|chunk| {
            let planes = Arc::from(&chunk["FRAME\n".len()..]);
            let frame = I420Frame::new(width, height, planes, 0, SystemTime::now()).unwrap();
            TestPattern::read_index(&frame).expect("a number that can be read")
        })
        .collect();
    assert!(numbers.len() > 5 * 28);
    // Where the size grows, one moment comes in both sizes.
    assert!(numbers.windows(2).all(|pair| pair[0] <= pair[1]), "no picture too late");
    let twice = numbers.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(twice <= 4, "{twice} pictures came twice");
    // The later half: before, people come and the lines are found out.
    let later = &numbers[numbers.len() / 2..];
    let missed = (later[later.len() - 1] - later[0]) as usize + 1;
    let missed = missed.saturating_sub(later.len());
    assert!(missed * 50 <= later.len(), "{missed} of {} are missing", later.len());
    let times = fs::read_to_string(folder.join(format!("{peer}.csv"))).unwrap();
    assert_eq!(times.lines().count(), numbers.len());
    for (index, line) in times.lines().enumerate() {
        let (number, micros) = line.split_once(',').unwrap();
        assert_eq!(number.parse::<usize>().unwrap(), index);
        assert!(micros.parse::<u64>().unwrap() > 1_700_000_000_000_000);
    }
}
