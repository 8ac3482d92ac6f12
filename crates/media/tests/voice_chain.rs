//! Voices from their inputs to the speaker, in real time, with packets handed over in memory.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use quartet_core::RtpPacket;
use quartet_media::{
    AudioInput, AudioOutput, DeviceError, Ended, Mixer, PcmFrame, Speaker, Stop, Tone,
    VoiceCallbacks, VoiceClock, VoiceReceiver, VoiceSender, dominant_frequency, tone_level,
};
use quartet_proto::PeerId;

type Sound = Arc<Mutex<Vec<f32>>>;

fn nobody() -> Ended {
    Box::new(|_| {})
}

/// Sends `input` to `receiver`, as the network would.
fn send(input: impl AudioInput + 'static, receiver: Arc<VoiceReceiver>) -> VoiceSender {
    let mut sequence = 65_530_u16;
    let packet = move |timestamp, payload: Bytes| {
        receiver.push(RtpPacket { sequence, timestamp, marker: false, redundant: false, payload });
        sequence = sequence.wrapping_add(1);
    };
    let callbacks = VoiceCallbacks { packet: Box::new(packet), ended: nobody() };
    let clock = VoiceClock::default();
    VoiceSender::start(&clock, Arc::new(input), Default::default(), false, callbacks)
}

fn voice(mixer: &Mixer, id: u64) -> (Arc<VoiceReceiver>, Sound) {
    let receiver = mixer.add(PeerId::from_u64(id)).expect("a decoder");
    let sound = Sound::default();
    let tapped = sound.clone();
    receiver.set_tap(Some(Box::new(move |frame| tapped.lock().extend(frame))));
    (Arc::new(receiver), sound)
}

/// Waits, by the speaker's clock, until so many more milliseconds were played.
fn play(sound: &Sound, milliseconds: usize) {
    let until = sound.lock().len() + milliseconds * 48;
    while sound.lock().len() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether that is so of what was heard, sooner or later: on a busy machine a microphone's thread
/// may be a second behind the speaker's.
fn comes_true(sound: &Sound, wanted: impl Fn(&[f32]) -> bool) -> bool {
    (0..100).any(|_| {
        play(sound, 100);
        wanted(&sound.lock())
    })
}

#[test]
fn each_voice_is_heard_as_it_was_spoken() {
    let mixer = Mixer::new();
    let speaker = Speaker::start(None, mixer.clone(), nobody());
    let tones = [440.0, 550.0, 660.0];
    let voices: Vec<_> = (1..).zip(tones).map(|(id, _)| voice(&mixer, id)).collect();
    let senders: Vec<_> = tones
        .iter()
        .zip(&voices)
        .map(|(hz, (receiver, _))| send(Tone::new(*hz), receiver.clone()))
        .collect();
    let (first, sound) = &voices[0];
    play(sound, 1_000);

    // Somebody comes and goes: the others do not notice.
    let (late, _) = voice(&mixer, 9);
    play(sound, 300);
    drop(late);
    play(sound, 700);

    assert!((0.1..0.3).contains(&first.level()), "{}", first.level());
    assert!((0.1..0.3).contains(&senders[0].level()), "{}", senders[0].level());
    for ((receiver, sound), hz) in voices.iter().zip(tones) {
        let heard = |sound: &[f32]| {
            let last = &sound[sound.len() - 48_000..];
            let found = f64::from(dominant_frequency(last));
            (found - hz).abs() < 2.0 && tone_level(last, hz as f32) > 0.15
        };
        assert!(comes_true(sound, heard), "{hz} Hz");
        let stats = receiver.stats();
        assert_eq!(stats.lost, 0);
        // The machine may be busy: a thread that sleeps too long is like a slow network.
        assert!(stats.concealed < stats.played / 10, "{stats:?}");
    }

    // Mute: silence, and none of it counts as lost.
    senders[0].set_muted(true);
    let silent = |sound: &[f32]| sound[sound.len() - 12_000..].iter().all(|x| x.abs() < 1e-3);
    assert!(comes_true(sound, silent), "{:?}", first.stats());
    assert_eq!(first.stats().lost, 0);
    senders.into_iter().for_each(VoiceSender::stop);
    speaker.stop();
}

#[derive(Debug)]
struct BreaksAfter(usize);

impl AudioOutput for BreaksAfter {
    fn label(&self) -> String {
        "a speaker".into()
    }

    fn run(&self, fill: &mut dyn FnMut(&mut PcmFrame), _: &Stop) -> Result<(), DeviceError> {
        let mut frame = [0.0; 480];
        (0..self.0).for_each(|_| fill(&mut frame));
        Err(DeviceError::Missing(self.label()))
    }
}

#[test]
fn voices_are_still_decoded_when_the_speaker_has_gone() {
    let mixer = Mixer::new();
    let (_receiver, sound) = voice(&mixer, 1);
    let (ended, told) = mpsc::channel();
    let ended: Ended = Box::new(move |result| ended.send(result).unwrap());
    let speaker = Speaker::start(Some(Arc::new(BreaksAfter(3))), mixer, ended);
    assert_eq!(told.recv().unwrap(), Err(DeviceError::Missing("a speaker".into())));
    play(&sound, 50);
    speaker.stop();
    assert!(told.recv().is_err(), "told only once");
}

#[derive(Debug)]
struct Unplugged;

impl AudioInput for Unplugged {
    fn label(&self) -> String {
        "a microphone".into()
    }

    fn run(&self, _: &mut quartet_media::PcmSink<'_>, _: &Stop) -> Result<(), DeviceError> {
        Err(DeviceError::Missing(self.label()))
    }
}

#[test]
fn a_microphone_that_is_not_there_is_told() {
    let (ended, told) = mpsc::channel();
    let ended: Ended = Box::new(move |result| ended.send(result).unwrap());
    let callbacks = VoiceCallbacks { packet: Box::new(|_, _| {}), ended };
    let clock = VoiceClock::default();
    let sender =
        VoiceSender::start(&clock, Arc::new(Unplugged), Default::default(), false, callbacks);
    assert_eq!(told.recv().unwrap(), Err(DeviceError::Missing("a microphone".into())));
    sender.stop();
}
