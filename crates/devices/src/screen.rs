//! Screens and windows of this machine, to be shared.
//!
//! Each platform has a file with the same three questions: what there is, what it looks like now, and
//! its pictures until it ends. Where a platform has no answer yet, it says so in plain words
//! ([`ScreenError::Unsupported`]). Left out: the sound that a system plays, which would bring the
//! call's own voices along.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod unsupported;

use std::{fmt, time::Duration};

use quartet_media::{DeviceError, FrameSlot, Stop, VideoInput};

#[cfg(target_os = "linux")]
use self::linux as platform;
#[cfg(not(target_os = "linux"))]
use self::unsupported as platform;
use crate::worker;

/// How long the system may take to list its windows, or to show one.
const PATIENCE: Duration = Duration::from_secs(3);

/// What can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScreenKind {
    /// All that one monitor shows.
    Screen,
    /// One window, also while others cover it.
    Window,
}

/// Something to choose.
#[derive(Clone, PartialEq, Eq)]
pub struct Screen {
    /// Names it as long as it is there, for [`ScreenInput::new`].
    pub id: String,
    /// What it is.
    pub kind: ScreenKind,
    /// The window's title, or the monitor's name: a stranger's text, and a private one.
    pub title: String,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Screen({:?}, {}×{})", self.kind, self.width, self.height)
    }
}

/// A small picture of something to choose.
#[derive(Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Four bytes a pixel: red, green, blue, 255.
    pub rgba: Vec<u8>,
}

impl fmt::Debug for Thumbnail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbnail({}×{})", self.width, self.height)
    }
}

/// Why there is nothing to choose from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScreenError {
    /// This app cannot do it here.
    #[error("{0}")]
    Unsupported(&'static str),
    /// It was there a moment ago.
    #[error("this screen or window is not there any more")]
    Gone,
    /// The system does not answer, or says no.
    #[error("the system does not show its screens: {0}")]
    System(String),
}

/// The screens of this machine, then its windows, those in front first. Takes 3 s at most.
///
/// # Errors
/// Where the system has none to show.
pub fn list() -> Result<Vec<Screen>, ScreenError> {
    worker::ask("list-screens", PATIENCE, platform::list).unwrap_or_else(|| Err(no_answer()))
}

/// What something looks like now, at most 320×180. Takes 3 s at most.
///
/// # Errors
/// When it cannot be shown: it is gone, or minimised.
pub fn thumbnail(id: &str) -> Result<Thumbnail, ScreenError> {
    let id = id.to_owned();
    worker::ask("screen-thumbnail", PATIENCE, move || platform::thumbnail(&id))
        .unwrap_or_else(|| Err(no_answer()))
}

fn no_answer() -> ScreenError {
    ScreenError::System("it does not answer".to_owned())
}

/// A screen or a window that is shared.
#[derive(Clone, PartialEq, Eq)]
pub struct ScreenInput {
    /// As in [`Screen::id`]; `None` for the main screen.
    id: Option<String>,
}

impl fmt::Debug for ScreenInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScreenInput({:?})", self.kind())
    }
}

impl ScreenInput {
    /// What a [`Screen::id`] names; without one, the main screen. Nothing is opened yet.
    #[must_use]
    pub fn new(id: Option<&str>) -> Self {
        Self { id: id.map(str::to_owned) }
    }

    /// What it is, by its name.
    #[must_use]
    pub fn kind(&self) -> ScreenKind {
        match &self.id {
            Some(id) if id.starts_with(WINDOW) => ScreenKind::Window,
            _ => ScreenKind::Screen,
        }
    }
}

/// What the ids of windows and of screens begin with.
const WINDOW: &str = "window:";
const SCREEN: &str = "screen:";

impl VideoInput for ScreenInput {
    /// Without the title: this ends up in logs.
    fn label(&self) -> String {
        match self.kind() {
            ScreenKind::Screen => "the shared screen".to_owned(),
            ScreenKind::Window => "the shared window".to_owned(),
        }
    }

    fn run(&self, out: &FrameSlot, stop: &Stop) -> Result<(), DeviceError> {
        platform::run(self.id.as_deref(), &self.label(), out, stop)
    }
}
