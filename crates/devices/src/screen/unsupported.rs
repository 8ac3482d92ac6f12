//! Systems whose screens this app cannot share yet.

use quartet_media::{DeviceError, FrameSlot, Stop};

use super::{Screen, ScreenError, Thumbnail};

const WHY: &str = "this app cannot share a screen on this system yet; the browser can";

pub(super) fn list() -> Result<Vec<Screen>, ScreenError> {
    Err(ScreenError::Unsupported(WHY))
}

pub(super) fn thumbnail(_id: &str) -> Result<Thumbnail, ScreenError> {
    Err(ScreenError::Unsupported(WHY))
}

pub(super) fn run(
    _id: Option<&str>,
    label: &str,
    _out: &FrameSlot,
    _stop: &Stop,
) -> Result<(), DeviceError> {
    Err(DeviceError::Failed { device: label.to_owned(), reason: WHY.to_owned() })
}
