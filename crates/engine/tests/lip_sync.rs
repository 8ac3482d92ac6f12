//! A flash and a beep that leave together are seen and heard together.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/people.rs"]
mod people;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use people::{Person, server, until};
use quartet_core::EncodedFrame;
use quartet_engine::{Command, Event, Selected, TileId, TileSink, VoiceTap};
use quartet_media::{
    AudioInput, DeviceError, FrameSlot, I420Frame, PcmFrame, PcmSink, Stop, VideoInput, Vp8Decoder,
};

/// A beat a second, of which the first third is bright and loud.
const BEAT: Duration = Duration::from_secs(1);
const BRIGHT: Duration = Duration::from_millis(333);
/// Beats until both jitter buffers have found their delay and the sender's reports have come.
const SETTLING: usize = 3;
const MEASURED: usize = 5;
/// What a person does not notice (ITU-R BT.1359-1 has 45 ms for sound that comes early).
const UNNOTICED_MS: f64 = 40.0;

/// When each beat began.
#[derive(Debug, Default)]
struct Onsets(Mutex<(bool, Vec<Instant>)>);

impl Onsets {
    fn note(&self, bright: bool) {
        let (was, onsets) = &mut *self.0.lock();
        if bright && !*was {
            onsets.push(Instant::now());
        }
        *was = bright;
    }

    fn count(&self) -> usize {
        self.0.lock().1.len()
    }

    /// How long after the onset in `source` each of ours came, in milliseconds, by the source's.
    fn delays_after(&self, source: &Self) -> Vec<(Instant, f64)> {
        let (ours, theirs) = (self.0.lock(), source.0.lock());
        ours.1
            .iter()
            .filter_map(|at| {
                let begun = theirs.1.iter().rev().find(|begun| *begun <= at)?;
                Some((*begun, at.duration_since(*begun).as_secs_f64() * 1000.0))
            })
            .collect()
    }
}

/// A camera and a microphone in front of the same lighthouse.
#[derive(Debug)]
struct Lighthouse {
    begin: Instant,
    flashed: Onsets,
    beeped: Onsets,
}

impl Lighthouse {
    fn bright(&self) -> bool {
        let into = self.begin.elapsed().as_nanos() % BEAT.as_nanos();
        into < BRIGHT.as_nanos()
    }
}

#[derive(Debug)]
struct Camera(Arc<Lighthouse>);

impl VideoInput for Camera {
    fn label(&self) -> String {
        "Lighthouse".into()
    }

    fn run(&self, out: &FrameSlot, stop: &Stop) -> Result<(), DeviceError> {
        let mut index = 0;
        while !stop.wait(Duration::from_micros(16_667)) {
            let bright = self.0.bright();
            self.0.flashed.note(bright);
            let planes = vec![if bright { 220 } else { 30 }; I420Frame::len_for(320, 180)];
            let frame = I420Frame::new(320, 180, planes.into(), index, SystemTime::now());
            out.put(frame.unwrap());
            index += 1;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Microphone(Arc<Lighthouse>);

impl AudioInput for Microphone {
    fn label(&self) -> String {
        "Lighthouse".into()
    }

    fn wants_processing(&self) -> bool {
        false
    }

    fn run(&self, out: &mut PcmSink<'_>, stop: &Stop) -> Result<(), DeviceError> {
        let mut next = Instant::now();
        loop {
            next += Duration::from_millis(10);
            if stop.wait(next.saturating_duration_since(Instant::now())) {
                return Ok(());
            }
            let bright = self.0.bright();
            self.0.beeped.note(bright);
            let amplitude = if bright { 0.5 } else { 0.01 };
            // Five cycles fit the frame: there is no click where frames meet.
            let sample =
                |i: usize| amplitude * (std::f32::consts::TAU * 5.0 * i as f32 / 480.0).sin();
            out(&std::array::from_fn(sample));
        }
    }
}

/// Looks at what is shown.
#[derive(Default)]
struct Eye {
    decoder: Mutex<Option<Vp8Decoder>>,
    seen: Onsets,
}

impl fmt::Debug for Eye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Eye")
    }
}

impl TileSink for Eye {
    fn picture(&self, frame: &EncodedFrame) -> bool {
        let mut decoder = self.decoder.lock();
        let decoder = decoder.get_or_insert_with(|| Vp8Decoder::new().unwrap());
        let Ok(Some(picture)) = decoder.decode(&frame.data) else { return false };
        let middle = picture.data()[usize::from(picture.width()) * 90 + 160];
        self.seen.note(middle > 125);
        true
    }
}

/// Listens to what is played.
#[derive(Debug, Default)]
struct Ear(Onsets);

impl VoiceTap for Ear {
    fn voice(&self, frame: &PcmFrame) {
        self.0.note(frame.iter().any(|sample| sample.abs() > 0.2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flash_is_seen_when_its_beep_is_heard() {
    let (_server, link) = server();
    let lighthouse = Arc::new(Lighthouse {
        begin: Instant::now(),
        flashed: Onsets::default(),
        beeped: Onsets::default(),
    });
    let keeper = Person::new("Keeper");
    keeper.engine.send(Command::Select(Selected {
        video: Some(Arc::new(Camera(Arc::clone(&lighthouse)))),
        audio: Some(Arc::new(Microphone(Arc::clone(&lighthouse)))),
        speaker: None,
    }));
    let mut watcher = Person::new("Watcher");
    keeper.join(&link);
    watcher.join(&link);
    let id = watcher
        .hear("the keeper", |it| match it {
            Event::PeerJoined(info) => Some(info.id),
            _ => None,
        })
        .await;
    let (eye, ear) = (Arc::new(Eye::default()), Arc::new(Ear::default()));
    watcher.engine.send(Command::Attach(TileId::Peer(id), Arc::clone(&eye) as _));
    watcher.engine.send(Command::TapVoice(id, Arc::clone(&ear) as _));
    let wanted = SETTLING + MEASURED;
    until("enough beats", || eye.seen.count() > wanted && ear.0.count() > wanted).await;

    let seen = eye.seen.delays_after(&lighthouse.flashed);
    let heard = ear.0.delays_after(&lighthouse.beeped);
    let mut differences: Vec<f64> = seen
        .iter()
        .skip(SETTLING)
        .filter_map(|(flash, picture)| {
            let near = |(beep, _): &&(Instant, f64)| {
                flash.max(beep).duration_since(*flash.min(beep)) < BEAT / 2
            };
            heard.iter().find(near).map(|(_, voice)| picture - voice)
        })
        .collect();
    println!("pictures {seen:.0?}\nvoices {heard:.0?}\nlater by {differences:.1?} ms");
    assert!(differences.len() >= MEASURED - 1, "{differences:?}");
    // The middle one: a busy test machine may be late once.
    differences.sort_by(f64::total_cmp);
    let middle = differences[differences.len() / 2];
    assert!(middle.abs() <= UNNOTICED_MS, "the picture is {middle:.1} ms later than the voice");

    keeper.engine.shutdown().await;
    watcher.engine.shutdown().await;
}
