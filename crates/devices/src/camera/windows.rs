//! Cameras of Media Foundation.

use nokhwa::utils::{ApiBackend, FrameFormat, Resolution};
use quartet_media::{DeviceError, Stop};

use super::{Found, convert::Layout};

/// In the order of the system; the id is the device's symbolic link.
pub(super) fn cameras() -> Vec<Found> {
    nokhwa::query(ApiBackend::MediaFoundation)
        .inspect_err(|error| tracing::warn!(%error, "no list of cameras"))
        .unwrap_or_default()
        .into_iter()
        .map(|info| Found {
            id: info.misc(),
            label: info.human_name(),
            index: info.index().clone(),
        })
        .collect()
}

/// Windows asks nobody; the privacy settings make opening fail.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn permit(_label: &str, _closing: &Stop) -> Result<(), DeviceError> {
    Ok(())
}

/// Nothing to repair.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn prepare(_found: &Found) -> Result<(), DeviceError> {
    Ok(())
}

/// How the bytes of a format lie. RGB lies upside down in some drivers: not offered.
pub(super) fn layout(format: FrameFormat) -> Option<Layout> {
    match format {
        FrameFormat::MJPEG => Some(Layout::Mjpeg),
        FrameFormat::YUYV => Some(Layout::Yuyv),
        FrameFormat::NV12 => Some(Layout::Nv12),
        FrameFormat::GRAY => Some(Layout::Gray),
        FrameFormat::RAWRGB | FrameFormat::RAWBGR => None,
    }
}

/// The driver says the truth.
pub(super) fn actual_layout(layout: Layout, _size: Resolution, _length: usize) -> Layout {
    layout
}
