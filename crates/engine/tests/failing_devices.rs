//! Devices that do not work cost themselves, not the call.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/people.rs"]
mod people;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use people::{Person, server};
use quartet_engine::{Command, Event, Selected, SourceKind};
use quartet_media::{
    AudioInput, AudioOutput, DeviceError, FrameSlot, PcmFrame, PcmSink, Stop, TestPattern, Tone,
    VideoInput,
};

/// A camera, microphone or speaker that somebody else has.
#[derive(Debug, Default)]
struct Busy(AtomicUsize);

impl Busy {
    fn refuse(&self) -> Result<(), DeviceError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(DeviceError::Busy("It".to_owned()))
    }
}

impl VideoInput for Busy {
    fn label(&self) -> String {
        "It".to_owned()
    }

    fn run(&self, _out: &FrameSlot, _stop: &Stop) -> Result<(), DeviceError> {
        self.refuse()
    }
}

impl AudioInput for Busy {
    fn label(&self) -> String {
        "It".to_owned()
    }

    fn run(&self, _out: &mut PcmSink<'_>, _stop: &Stop) -> Result<(), DeviceError> {
        self.refuse()
    }
}

impl AudioOutput for Busy {
    fn label(&self) -> String {
        "It".to_owned()
    }

    fn run(&self, _fill: &mut dyn FnMut(&mut PcmFrame), _stop: &Stop) -> Result<(), DeviceError> {
        self.refuse()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_without_the_devices_that_fail() {
    let (_server, link) = server();
    let mut ann = Person::new("Ann");
    let (camera, microphone) = (Arc::new(Busy::default()), Arc::new(Busy::default()));
    let selected = Selected {
        video: Some(Arc::clone(&camera) as _),
        audio: Some(Arc::clone(&microphone) as _),
        speaker: Some(Arc::new(Busy::default())),
    };
    ann.engine.send(Command::Select(selected.clone()));
    ann.join(&link);
    let mut bo = Person::with_tone("Bo", 800.0);
    bo.join(&link);

    let (mut failed, mut heard, mut seen) = (Vec::new(), false, false);
    ann.hear("three failures, a voice and a picture", |it| {
        match it {
            Event::SourceFailed(kind, DeviceError::Busy(_)) => failed.push(kind),
            Event::FirstAudio(_) => heard = true,
            Event::FirstVideo(_) => seen = true,
            _ => {}
        }
        (failed.len() == 3 && heard && seen).then_some(())
    })
    .await;
    // The others see what is: no picture, no voice.
    bo.hear("that Ann has neither", |it| match it {
        Event::PeerJoined(info) => (info.media.muted && info.media.camera_off).then_some(()),
        Event::PeerMedia(_, media) => (media.muted && media.camera_off).then_some(()),
        _ => None,
    })
    .await;

    // The same devices are not tried again and again; a new device list tries them once.
    ann.engine.send(Command::Select(selected.clone()));
    ann.engine.send(Command::Mute(true));
    ann.engine.send(Command::Mute(false));
    let again = Arc::new(Busy::default());
    ann.engine.send(Command::Select(Selected { video: Some(again.clone()), ..selected }));
    ann.hear("the new try", |it| {
        matches!(it, Event::SourceFailed(SourceKind::Camera, _)).then_some(())
    })
    .await;
    assert_eq!(camera.0.load(Ordering::Relaxed), 1);
    assert_eq!(microphone.0.load(Ordering::Relaxed), 1);
    assert_eq!(again.0.load(Ordering::Relaxed), 1);

    // One that works takes its place in the running call.
    ann.engine.send(Command::Select(Selected {
        video: Some(Arc::new(TestPattern::new("Ann"))),
        audio: Some(Arc::new(Tone::new(500.0))),
        speaker: None,
    }));
    let (mut heard, mut seen) = (false, false);
    bo.hear("Ann after all", |it| {
        heard |= matches!(it, Event::FirstAudio(_));
        seen |= matches!(it, Event::FirstVideo(_));
        (heard && seen).then_some(())
    })
    .await;
    ann.engine.shutdown().await;
    bo.engine.shutdown().await;
}
