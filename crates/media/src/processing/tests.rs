//! The figures of the audio processing, in a synthetic room.

use quartet_core::SAMPLES_PER_10_MS;

use super::*;
use crate::tone::speech;

const SECOND: usize = SAMPLE_RATE as usize;

fn power(sound: &[f32]) -> f32 {
    sound.iter().map(|x| x * x).sum::<f32>() / sound.len() as f32
}

fn decibels(ratio: f32) -> f32 {
    10.0 * ratio.max(1e-12).log10()
}

/// From the speaker to the microphone: the direct way, then reflections that fade by 60 dB in
/// 250 ms, as in a furnished room.
#[derive(Debug, Clone)]
struct Room {
    taps: Vec<(usize, f32)>,
}

impl Room {
    /// `volume` is what arrives of a sample on the direct way.
    fn new(milliseconds: usize, volume: f32, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let direct = milliseconds * SECOND / 1000;
        let mut taps = vec![(direct, volume)];
        for _ in 0..150 {
            let after = random.usize(48..SECOND / 4);
            let faded = 10_f32.powf(-3.0 * after as f32 / (SECOND / 4) as f32);
            taps.push((direct + after, 0.35 * volume * faded * (2.0 * random.f32() - 1.0)));
        }
        Self { taps }
    }

    fn echo(&self, played: &[f32]) -> Vec<f32> {
        let mut echo = vec![0.0; played.len()];
        for (delay, gain) in &self.taps {
            echo[*delay..].iter_mut().zip(played).for_each(|(e, p)| *e += gain * p);
        }
        echo
    }
}

fn noise(level: f32, length: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    // Evenly spread: its root mean square is a third of the square root of three of its peak.
    (0..length).map(|_| level * 3.0_f32.sqrt() * (2.0 * random.f32() - 1.0)).collect()
}

fn add(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// What is sent when this is played and that is heard.
fn process(processing: &mut Processing, played: &[f32], heard: &[f32]) -> Vec<f32> {
    let reference = processing.reference.clone();
    let mut sent = Vec::with_capacity(heard.len());
    for (played, heard) in played.as_chunks().0.iter().zip(heard.as_chunks().0) {
        reference.push(played);
        let mut frame: PcmFrame = *heard;
        processing.process(&mut frame);
        sent.extend(frame);
    }
    sent
}

fn fresh() -> Processing {
    Processing::new(Reference::default())
}

/// Power before to power after, from so many seconds on.
fn removed(before: &[f32], after: &[f32], seconds: usize) -> f32 {
    let length = before.len().min(after.len());
    let from = seconds * SECOND;
    decibels(power(&before[from..length]) / power(&after[from..length]))
}

/// Of a microphone that nobody speaks into.
const FLOOR: f32 = 1e-4;

#[test]
fn echo_is_gone_after_two_seconds() {
    for (delay, volume) in [(20, 0.5), (40, 1.0), (80, 0.1), (80, 0.4), (120, 0.4), (120, 1.0)] {
        for seed in [11, 12] {
            let played = speech(seed, 6);
            let echo = Room::new(delay, volume, seed).echo(&played);
            let echo = add(&echo, &noise(FLOOR, played.len(), 5));
            let sent = process(&mut fresh(), &played, &echo);
            let gone = removed(&echo, &sent, 2);
            println!("{delay} ms, volume {volume}, seed {seed}: {gone:.1} dB of echo removed");
            assert!(gone >= 35.0, "{delay} ms, volume {volume}, seed {seed}: {gone}");
        }
    }
}

#[test]
fn who_speaks_while_others_speak_is_heard() {
    for (delay, volume) in [(20, 0.4), (40, 0.4), (80, 0.1), (80, 0.4), (120, 0.4)] {
        for seed in [11, 12] {
            let played = speech(seed, 10);
            let mut near = speech(seed + 100, 10);
            near[..3 * SECOND].fill(0.0);
            let floor = noise(FLOOR, played.len(), 5);
            let echo = add(&Room::new(delay, volume, seed).echo(&played), &floor);
            let both = process(&mut fresh(), &played, &add(&echo, &near));
            let alone = process(&mut fresh(), &vec![0.0; near.len()], &add(&near, &floor));
            // Nearly nothing else is left in it: see the other tests.
            let lowered = removed(&alone, &both, 4);
            println!("{delay} ms, volume {volume}, seed {seed}: lowered by {lowered:.1} dB");
            assert!(lowered <= 3.0, "{delay} ms, volume {volume}, seed {seed}: {lowered}");
        }
    }
}

#[test]
fn noise_is_lowered_and_the_voice_kept() {
    for level in [0.001, 0.003, 0.01] {
        let voice = speech(21, 10);
        let (hiss, quiet) = (noise(level, voice.len(), 3), vec![0.0; voice.len()]);
        let gone = removed(&hiss, &process(&mut fresh(), &quiet, &hiss), 4);
        let with = process(&mut fresh(), &quiet, &add(&voice, &hiss));
        let without = process(&mut fresh(), &quiet, &voice);
        let changed = -removed(&without, &with, 4);
        println!("noise of {level}: {gone:.1} dB removed, the voice changed by {changed:.1} dB");
        assert!(gone >= 10.0, "{level}: {gone}");
        assert!(changed.abs() <= 3.0, "{level}: {changed}");
    }
}

#[test]
fn a_quiet_voice_is_raised_and_a_loud_one_does_not_clip() {
    for volume in [0.05, 0.1, 0.3, 1.0] {
        let voice: Vec<f32> = speech(31, 16).iter().map(|x| x * volume).collect();
        let sent = process(&mut fresh(), &vec![0.0; voice.len()], &voice);
        let level = |sound: &[f32]| decibels(power(&sound[10 * SECOND..]));
        let (before, after) = (level(&voice), level(&sent));
        println!("{before:.1} dBFS becomes {after:.1}");
        assert!((-32.0..-18.0).contains(&after), "{before} becomes {after}");
    }
    let voice = speech(31, 10);
    let loudest = voice.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let voice: Vec<f32> = voice.iter().map(|x| x * 0.98 / loudest).collect();
    let sent = process(&mut fresh(), &vec![0.0; voice.len()], &voice);
    let clipped = sent.iter().filter(|x| x.abs() >= 0.999).count();
    println!("a peak of 0.98: {clipped} samples clipped");
    assert_eq!(clipped, 0);
}

/// Sound as a microphone hears it whose clock is fast by so many parts in a million.
fn drifted(sound: &[f32], ppm: f64) -> Vec<f32> {
    let step = 1.0 - ppm * 1e-6;
    let at = |n: usize| {
        let at = n as f64 * step;
        let (whole, part) = (at as usize, at.fract() as f32);
        let next = sound.get(whole + 1)?;
        Some(sound[whole] * (1.0 - part) + next * part)
    };
    (0..).map_while(at).collect()
}

#[test]
fn clocks_of_microphone_and_speaker_may_drift() {
    // One that is faster than the speaker by 100 parts in a million and more costs echo for a second
    // now and then, when the canceller finds the delay anew.
    for (ppm, least) in [(-200.0, 35.0), (50.0, 35.0), (100.0, 25.0)] {
        let played = speech(11, 40);
        let echo = Room::new(60, 0.4, 4).echo(&played);
        let heard = add(&drifted(&echo, ppm), &noise(FLOOR, played.len(), 5));
        let mut processing = fresh();
        let reference = processing.reference.clone();
        let mut sent = vec![];
        let mut frames = played.as_chunks().0.iter();
        let mut taken = 0.0;
        for (n, heard) in heard.as_chunks().0.iter().enumerate() {
            // The speaker takes frames by its own clock.
            while taken <= n as f64 * (1.0 - ppm * 1e-6) {
                frames.next().into_iter().for_each(|frame| reference.push(frame));
                taken += 1.0;
            }
            let mut frame: PcmFrame = *heard;
            processing.process(&mut frame);
            sent.extend(frame);
        }
        let gone = removed(&heard, &sent, 2);
        println!("{ppm} ppm: {gone:.1} dB of echo removed in 40 s");
        assert!(gone >= least, "{ppm} ppm: {gone}");
    }
}

#[test]
fn another_speaker_in_the_middle_is_learnt() {
    for (first, second) in [(30, 110), (110, 30)] {
        let played = speech(11, 12);
        let change = 6 * SECOND;
        let mut echo = Room::new(first, 0.4, 1).echo(&played);
        let other = Room::new(second, 0.7, 2).echo(&played);
        echo[change..].copy_from_slice(&other[change..]);
        let echo = add(&echo, &noise(FLOOR, echo.len(), 5));
        let mut processing = fresh();
        let mut sent = process(&mut processing, &played[..change], &echo[..change]);
        sent.extend(process(&mut processing, &played[change..], &echo[change..]));
        let (before, after) = (removed(&echo[..change], &sent, 2), removed(&echo, &sent, 8));
        println!("{first} ms, then {second}: {before:.1} dB, {after:.1} dB 2 s after the change");
        assert!(before >= 35.0 && after >= 30.0, "{first} ms, then {second}: {before}, {after}");
    }
}

#[test]
fn what_was_not_listened_to_does_not_throw_it_off() {
    let played = speech(11, 14);
    let echo = add(&Room::new(40, 0.4, 1).echo(&played), &noise(FLOOR, played.len(), 5));
    let mut processing = fresh();
    let (off, on) = (4 * SECOND, 8 * SECOND);
    let mut sent = process(&mut processing, &played[..off], &echo[..off]);
    let frames = played[off..on].as_chunks::<SAMPLES_PER_10_MS>().0;
    for (played, heard) in frames.iter().zip(echo[off..on].as_chunks::<SAMPLES_PER_10_MS>().0) {
        processing.reference.clone().push(played);
        processing.bypass();
        sent.extend(heard);
    }
    sent.extend(process(&mut processing, &played[on..], &echo[on..]));
    assert_eq!(sent[off..on], echo[off..on], "untouched");
    let gone = removed(&echo, &sent, 10);
    println!("{gone:.1} dB of echo removed 2 s after it is switched on again");
    assert!(gone >= 35.0, "{gone}");
}

#[test]
fn the_reference_drops_the_oldest() {
    let reference = Reference::default();
    for i in 0..30 {
        reference.push(&[i as f32; SAMPLES_PER_10_MS]);
    }
    assert_eq!(reference.pop().unwrap()[0], 10.0);
    reference.clear();
    assert!(reference.pop().is_none());
}
