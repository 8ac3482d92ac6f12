use std::time::Duration;

use quartet_core::{RtpPacket, VoiceBuffer, VoiceStats};

use super::*;
use crate::{OpusDecoder, tone::speech};

const FRAME: Duration = Duration::from_millis(10);

fn pipeline(clock: &VoiceClock) -> (Arc<Controls>, Pipeline) {
    let controls = Arc::new(Controls::default());
    let pipeline = Pipeline::new(controls.clone(), clock.turn(), None).unwrap();
    (controls, pipeline)
}

/// From a microphone to a speaker over a perfect network, under virtual time.
struct Chain {
    now: Instant,
    buffer: VoiceBuffer<OpusDecoder>,
    sequence: u16,
    sent: Vec<(u32, Bytes)>,
    heard: Vec<f32>,
}

impl Chain {
    fn new() -> Self {
        Self {
            now: Instant::now(),
            buffer: VoiceBuffer::new(OpusDecoder::new().unwrap()),
            sequence: 0,
            sent: vec![],
            heard: vec![],
        }
    }

    /// 10 ms later.
    fn step(&mut self, pipeline: Option<(&mut Pipeline, &PcmFrame)>) {
        if let Some((pipeline, frame)) = pipeline {
            let mut packet = |timestamp, payload: Bytes| {
                self.sent.push((timestamp, payload.clone()));
                let sequence = self.sequence;
                self.sequence += 1;
                let packet =
                    RtpPacket { sequence, timestamp, marker: false, redundant: false, payload };
                self.buffer.push(self.now, packet);
            };
            pipeline.take(self.now, frame, &mut packet).unwrap();
        }
        let mut frame = [0.0; SAMPLES_PER_10_MS];
        self.buffer.pull(self.now, &mut frame);
        self.heard.extend(frame);
        self.now += FRAME;
    }

    fn speak(&mut self, pipeline: &mut Pipeline, sound: &[f32]) {
        sound.as_chunks().0.iter().for_each(|frame| self.step(Some((pipeline, frame))));
    }

    fn wait(&mut self, time: Duration) {
        (0..time.as_millis() / 10).for_each(|_| self.step(None));
    }

    fn stats(&self) -> VoiceStats {
        self.buffer.stats()
    }
}

/// The loudest of what lies above 6 kHz in any 2 ms, in dBFS: a click is as loud there as anywhere,
/// a low tone that fades is not there at all.
fn clicks(sound: &[f32]) -> f32 {
    let mut differences = sound.to_vec();
    for _ in 0..4 {
        // Each falls by 6 dB an octave below 8 kHz.
        differences = differences.windows(2).map(|pair| pair[1] - pair[0]).collect();
    }
    let powers = differences.chunks(96).map(|part| part.iter().map(|x| x * x).sum::<f32>() / 96.0);
    10.0 * powers.fold(1e-12, f32::max).log10()
}

fn hum(seconds: usize) -> Vec<f32> {
    (0..seconds * 48_000)
        .map(|i| 0.25 * (std::f32::consts::TAU * 220.0 * i as f32 / 48e3).sin())
        .collect()
}

#[test]
fn mute_fades_and_keeps_the_timestamps_going() {
    let (controls, mut pipeline) = pipeline(&VoiceClock::default());
    let mut sent = vec![];
    for (i, frame) in speech(1, 6).as_chunks().0.iter().enumerate() {
        controls.muted.store((200..400).contains(&i), Ordering::Relaxed);
        pipeline
            .take(Instant::now(), frame, &mut |timestamp, payload| sent.push((timestamp, payload)))
            .unwrap();
    }
    assert!(controls.level.get() > 0.0);
    assert!(sent.iter().all(|(timestamp, _)| timestamp % 960 == 0));
    let muted = |(timestamp, _): &&(u32, Bytes)| (96_000..192_000).contains(timestamp);
    let (muted, heard): (Vec<_>, Vec<_>) = sent.iter().partition(muted);
    assert!(heard.len() > 190, "{} of 200 packets of a voice were sent", heard.len());
    assert!(muted.len() < 35, "{} of 100 packets were sent while muted", muted.len());
    assert!(muted.iter().any(|(_, payload)| payload.len() <= 2), "silence is announced");
}

#[test]
fn a_voice_that_begins_muted_is_never_heard() {
    let controls = Arc::new(Controls { muted: true.into(), ..Controls::default() });
    let mut pipeline = Pipeline::new(controls, VoiceClock::default().turn(), None).unwrap();
    let mut frame = [0.5; 480];
    pipeline.fade(&mut frame);
    assert_eq!(frame, [0.0; 480]);
}

#[test]
fn muting_and_unmuting_do_not_click() {
    let (controls, mut pipeline) = pipeline(&VoiceClock::default());
    let mut chain = Chain::new();
    for (i, frame) in hum(12).as_chunks().0.iter().enumerate() {
        // Every 700 ms and a bit, at any point of a turn, and through DTX.
        controls.muted.store((i + 1) / 73 % 2 == 1, Ordering::Relaxed);
        chain.step(Some((&mut pipeline, frame)));
    }
    let steady = clicks(&chain.heard[24_000..33_600]);
    let all = clicks(&chain.heard[24_000..]);
    let mut cut = hum(1);
    cut[24_000 + 55..].fill(0.0);
    let click = clicks(&cut);
    println!("{steady:.1} dBFS in a steady tone, {all:.1} with changes, {click:.1} when just cut");
    assert!(all < click - 20.0, "{all} dBFS");
    assert_eq!((chain.stats().lost, chain.stats().discarded), (0, 0));
    assert_eq!(chain.stats().concealed, Duration::ZERO);
}

#[test]
fn another_microphone_in_the_middle_is_a_pause_and_no_click() {
    let clock = VoiceClock::default();
    let (_, mut first) = pipeline(&clock);
    let mut chain = Chain::new();
    chain.speak(&mut first, &hum(3));
    chain.wait(Duration::from_millis(310));
    let (_, mut second) = pipeline(&clock);
    // What the first still says is not heard.
    let before = chain.sent.len();
    chain.speak(&mut first, &hum(1)[..4_800]);
    assert_eq!(chain.sent.len(), before);
    chain.speak(&mut second, &hum(3));
    let steps = chain.sent.windows(2).map(|pair| pair[1].0.wrapping_sub(pair[0].0));
    let pauses: Vec<u32> = steps.filter(|step| *step != 960).collect();
    assert_eq!(pauses, [21 * 960], "310 + 100 ms, and the packet itself, in whole packets");
    let stats = chain.stats();
    let (steady, all) = (clicks(&chain.heard[48_000..96_000]), clicks(&chain.heard[24_000..]));
    println!("{steady:.1} dBFS in a steady tone, {all:.1} with the change; {stats:?}");
    assert_eq!((stats.lost, stats.discarded, stats.concealed), (0, 0, Duration::ZERO));
    let mut cut = hum(1);
    cut[24_000 + 55..].fill(0.0);
    assert!(all < clicks(&cut) - 20.0, "{all} dBFS");
    assert!(stats.delay < Duration::from_millis(40), "{stats:?}");
}
