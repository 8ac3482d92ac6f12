//! Cameras of AVFoundation.

use std::{sync::mpsc, time::Duration};

use nokhwa::utils::{ApiBackend, FrameFormat, Resolution};
use quartet_media::{DeviceError, Stop};

use super::{Found, convert::Layout};

/// In the order of the system; the id is AVFoundation's `uniqueID`.
pub(super) fn cameras() -> Vec<Found> {
    nokhwa::query(ApiBackend::AVFoundation)
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

/// Asks the person, the first time; the system remembers the answer.
pub(super) fn permit(label: &str, closing: &Stop) -> Result<(), DeviceError> {
    if nokhwa::nokhwa_check() {
        return Ok(());
    }
    let (tell, told) = mpsc::sync_channel(1);
    nokhwa::nokhwa_initialize(move |allowed| {
        // Answered after the camera was closed again.
        let _ = tell.try_send(allowed);
    });
    loop {
        match told.recv_timeout(Duration::from_millis(100)) {
            Ok(true) => return Ok(()),
            Err(mpsc::RecvTimeoutError::Timeout) if !closing.is_stopped() => {}
            _ => return Err(DeviceError::Denied(label.to_owned())),
        }
    }
}

/// Nothing to repair.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn prepare(_found: &Found) -> Result<(), DeviceError> {
    Ok(())
}

/// How the bytes of a format lie. nokhwa's NV12 is 10 bits deep here: not understood.
pub(super) fn layout(format: FrameFormat) -> Option<Layout> {
    match format {
        FrameFormat::YUYV => Some(Layout::Yuyv),
        FrameFormat::RAWRGB => Some(Layout::Rgb),
        FrameFormat::RAWBGR => Some(Layout::Bgr),
        FrameFormat::MJPEG => Some(Layout::Mjpeg),
        FrameFormat::NV12 | FrameFormat::GRAY => None,
    }
}

/// nokhwa says YUYV for NV12 too, which is shorter.
pub(super) fn actual_layout(layout: Layout, size: Resolution, length: usize) -> Layout {
    let pixels = size.width() as usize * size.height() as usize;
    if layout == Layout::Yuyv && length < pixels * 2 { Layout::Nv12 } else { layout }
}
