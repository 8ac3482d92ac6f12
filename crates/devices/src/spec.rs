//! Names of sources and speakers, as the command line and the settings write them.

use std::{path::Path, sync::Arc};

use quartet_media::{
    AudioInput, AudioOutput, DeviceError, TestPattern, Tone, VideoInput, WavFile, Y4mFile,
};

use crate::{Camera, Microphone, ScreenInput, ScreenKind, SpeakerDevice};

/// Why a name stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// None of the words, and no file by its ending.
    #[error("“{given}” is not one of: {known}")]
    Unknown {
        /// What was written.
        given: String,
        /// What can be written.
        known: &'static str,
    },
    /// The file is not there, may not be read, or is something else than its name says.
    #[error(transparent)]
    File(#[from] DeviceError),
    /// Not a tone that anybody hears.
    #[error("a tone of “{0}” Hz: a number from 20 to 20000 is needed")]
    Tone(String),
}

/// What [`parse_video`] takes.
const VIDEO: &str = "none, pattern, pattern:NAME, camera, camera:ID, FILE.y4m";

/// What [`parse_audio`] takes.
const AUDIO: &str = "none, tone, tone:HZ, mic, mic:ID, FILE.wav";

/// What [`parse_speaker`] takes.
const SPEAKER: &str = "none, speaker, speaker:ID";

/// Concert pitch, as nobody mistakes it for hum.
const TONE_HZ: f64 = 440.0;

/// `none`, `pattern` in colours of its own or those of a name, a camera, or a file that is played
/// in a loop. Devices are not opened.
///
/// # Errors
/// Unknown words; files that cannot be read or are something else.
pub fn parse_video(spec: &str) -> Result<Option<Arc<dyn VideoInput>>, SpecError> {
    if has_ending(spec, "y4m") {
        return Ok(Some(Arc::new(Y4mFile::open(spec)?)));
    }
    match split(spec) {
        ("none", None) => Ok(None),
        ("pattern", name) => Ok(Some(Arc::new(TestPattern::new(name.unwrap_or_default())))),
        ("camera", id) => Ok(Some(Arc::new(Camera::new(id)))),
        _ => Err(SpecError::Unknown { given: spec.to_owned(), known: VIDEO }),
    }
}

/// What [`parse_share`] takes.
const SHARE: &str = "none, pattern, screen, screen:NAME, window:ID, FILE.y4m";

/// Something to share beside the camera.
#[derive(Debug, Clone)]
pub struct ShareSource {
    /// Gives its pictures.
    pub input: Arc<dyn VideoInput>,
    /// What it is; test sources and files count as screens.
    pub kind: ScreenKind,
}

/// What is shared beside the camera: `none`, `pattern`, the main screen,
/// one that [`crate::list_screens`] names, or a file that is played in a loop. Nothing is opened.
///
/// # Errors
/// Unknown words; files that cannot be read or are something else.
pub fn parse_share(spec: &str) -> Result<Option<ShareSource>, SpecError> {
    let screen = |input| Ok(Some(ShareSource { input, kind: ScreenKind::Screen }));
    if has_ending(spec, "y4m") {
        return screen(Arc::new(Y4mFile::open(spec)?));
    }
    match split(spec) {
        ("none", None) => Ok(None),
        ("pattern", name) => screen(Arc::new(TestPattern::new(name.unwrap_or_default()))),
        ("screen", None) => screen(Arc::new(ScreenInput::new(None))),
        ("screen" | "window", Some(_)) => {
            let input = ScreenInput::new(Some(spec));
            let kind = input.kind();
            Ok(Some(ShareSource { input: Arc::new(input), kind }))
        }
        _ => Err(SpecError::Unknown { given: spec.to_owned(), known: SHARE }),
    }
}

/// `none`, a `tone` of 440 Hz or another frequency, a microphone, or a file that is played in a
/// loop. Devices are not opened.
///
/// # Errors
/// Unknown words; frequencies that nobody hears; files that cannot be read or are something else.
pub fn parse_audio(spec: &str) -> Result<Option<Arc<dyn AudioInput>>, SpecError> {
    if has_ending(spec, "wav") {
        return Ok(Some(Arc::new(WavFile::open(spec)?)));
    }
    match split(spec) {
        ("none", None) => Ok(None),
        ("tone", hz) => {
            let hz = match hz {
                None => TONE_HZ,
                Some(text) => text
                    .parse()
                    .ok()
                    .filter(|hz| (20.0..=20_000.0).contains(hz))
                    .ok_or_else(|| SpecError::Tone(text.to_owned()))?,
            };
            Ok(Some(Arc::new(Tone::new(hz))))
        }
        ("mic", id) => Ok(Some(Arc::new(Microphone::new(id)))),
        _ => Err(SpecError::Unknown { given: spec.to_owned(), known: AUDIO }),
    }
}

/// `none` or a speaker. Devices are not opened.
///
/// # Errors
/// Unknown words.
pub fn parse_speaker(spec: &str) -> Result<Option<Arc<dyn AudioOutput>>, SpecError> {
    match split(spec) {
        ("none", None) => Ok(None),
        ("speaker", id) => Ok(Some(Arc::new(SpeakerDevice::new(id)))),
        _ => Err(SpecError::Unknown { given: spec.to_owned(), known: SPEAKER }),
    }
}

/// The word, and what follows its first colon (ids contain colons); nothing after it counts as
/// no colon at all.
fn split(spec: &str) -> (&str, Option<&str>) {
    match spec.split_once(':') {
        Some((word, rest)) => (word, Some(rest).filter(|rest| !rest.is_empty())),
        None => (spec, None),
    }
}

fn has_ending(spec: &str, ending: &str) -> bool {
    Path::new(spec).extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(spec: &str) -> String {
        match parse_video(spec) {
            Ok(source) => source.map_or("none".to_owned(), |source| source.label()),
            Err(error) => format!("error: {error}"),
        }
    }

    fn audio(spec: &str) -> String {
        match parse_audio(spec) {
            Ok(source) => source.map_or("none".to_owned(), |source| source.label()),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn words_stand_for_sources() {
        assert_eq!(video("none"), "none");
        assert_eq!(video("camera"), "the camera");
        assert_eq!(video("camera:usb-046d:C920"), "usb-046d:C920");
        assert!(!video("pattern").starts_with("error"));
        assert!(!video("pattern:Ann").starts_with("error"));
        assert_eq!(audio("none"), "none");
        assert_eq!(audio("mic"), "the microphone");
        assert_eq!(audio("mic:pulseaudio:a.b"), "pulseaudio:a.b");
        assert!(!audio("tone").starts_with("error"));
        assert!(!audio("tone:523.25").starts_with("error"));
        let speaker = |spec| parse_speaker(spec).unwrap().map(|speaker| speaker.label());
        assert_eq!(speaker("none"), None);
        assert_eq!(speaker("speaker").as_deref(), Some("the speaker"));
        assert_eq!(speaker("speaker:alsa:hw:0").as_deref(), Some("alsa:hw:0"));
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        for wrong in ["", "cam", "Camera", "none:x", "film.mp4", ":", "camera;1"] {
            assert!(video(wrong).contains("pattern:NAME"), "{wrong}: {}", video(wrong));
            assert!(audio(wrong).contains("tone:HZ"), "{wrong}: {}", audio(wrong));
            assert!(parse_speaker(wrong).is_err());
        }
    }

    #[test]
    fn what_is_shared_is_a_screen_a_window_or_a_test_source() {
        let share = |spec| match parse_share(spec) {
            Ok(shared) => shared
                .map_or("none".to_owned(), |it| format!("{} ({:?})", it.input.label(), it.kind)),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(share("none"), "none");
        assert_eq!(share("screen"), "the shared screen (Screen)");
        assert_eq!(share("screen:HDMI-1"), "the shared screen (Screen)");
        assert_eq!(share("window:1a00007"), "the shared window (Window)");
        assert!(!share("pattern").starts_with("error"));
        for wrong in ["", "window", "window:", "Screen", "camera", "film.mp4"] {
            assert!(share(wrong).contains("window:ID"), "{wrong}: {}", share(wrong));
        }
    }

    #[test]
    fn tones_that_nobody_hears_are_refused() {
        for wrong in ["0", "-440", "NaN", "inf", "1e9", "a", "440 Hz"] {
            assert!(audio(&format!("tone:{wrong}")).contains("from 20 to 20000"), "{wrong}");
        }
    }

    #[test]
    fn files_are_looked_at_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("not-there.y4m");
        assert!(video(missing.to_str().unwrap()).starts_with("error: not-there.y4m"));
        let missing = folder.path().join("not-there.wav");
        assert!(audio(missing.to_str().unwrap()).starts_with("error: not-there.wav"));
        for (name, parse) in [("text.Y4M", video as fn(&str) -> String), ("text.WAV", audio)] {
            let path = folder.path().join(name);
            std::fs::write(&path, "this is no film").unwrap();
            let said = parse(path.to_str().unwrap());
            assert!(said.starts_with("error: ") && said.contains(name), "{said}");
            assert!(!said.contains(folder.path().to_str().unwrap()), "{said}");
        }
    }

    #[test]
    fn a_wav_file_is_a_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut wav = quartet_media::WavWriter::create(&path).unwrap();
        wav.write(&[0.0; 480]);
        wav.finish().unwrap();
        assert_eq!(audio(path.to_str().unwrap()), "a.wav");
    }
}
