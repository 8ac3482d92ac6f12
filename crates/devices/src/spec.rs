//! Names of sources and speakers, as the command line and the settings write them.

use std::sync::Arc;

use quartet_media::{AudioInput, AudioOutput, VideoInput};

use crate::{Camera, Microphone, SpeakerDevice};

/// Why a name stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// None of the words, and no file by its ending.
    #[error("“{given}” is not one of {known}")]
    Unknown {
        /// What was written.
        given: String,
        /// What can be written.
        known: &'static str,
    },
}

/// What [`parse_video`] takes.
const VIDEO: &str = "none, pattern, pattern:NAME, camera, camera:ID, FILE.y4m";

/// What [`parse_audio`] takes.
const AUDIO: &str = "none, tone, tone:HZ, mic, mic:ID, FILE.wav";

/// What [`parse_speaker`] takes.
const SPEAKER: &str = "none, speaker, speaker:ID";

/// `none`, `pattern[:NAME]`, `camera[:ID]` or a `.y4m` file. Devices are not opened.
///
/// # Errors
/// Unknown words; files that cannot be read or are something else.
pub fn parse_video(spec: &str) -> Result<Option<Arc<dyn VideoInput>>, SpecError> {
    match split(spec) {
        ("none", None) => Ok(None),
        ("camera", id) => Ok(Some(Arc::new(Camera::new(id)))),
        _ => Err(SpecError::Unknown { given: spec.to_owned(), known: VIDEO }),
    }
}

/// `none`, `tone[:HZ]`, `mic[:ID]` or a `.wav` file. Devices are not opened.
///
/// # Errors
/// Unknown words; frequencies that nobody hears; files that cannot be read or are something else.
pub fn parse_audio(spec: &str) -> Result<Option<Arc<dyn AudioInput>>, SpecError> {
    match split(spec) {
        ("none", None) => Ok(None),
        ("mic", id) => Ok(Some(Arc::new(Microphone::new(id)))),
        _ => Err(SpecError::Unknown { given: spec.to_owned(), known: AUDIO }),
    }
}

/// `none` or `speaker[:ID]`. Devices are not opened.
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

/// The word, and what follows its first colon; ids contain colons.
fn split(spec: &str) -> (&str, Option<&str>) {
    match spec.split_once(':') {
        Some((word, rest)) => (word, Some(rest)),
        None => (spec, None),
    }
}
