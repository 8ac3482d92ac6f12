//! A camera, through nokhwa.
//!
//! The camera lives on a thread of its own: nokhwa waits for a picture without a timeout, and
//! unwraps when a driver misbehaves. `run` stands beside it, watches that pictures come, and
//! gives up where the library would not.

mod convert;
mod format;
#[cfg_attr(target_os = "linux", path = "camera/linux.rs")]
#[cfg_attr(target_os = "macos", path = "camera/macos.rs")]
#[cfg_attr(target_os = "windows", path = "camera/windows.rs")]
mod platform;
mod supervise;

use std::time::{Duration, SystemTime};

use nokhwa::{
    NokhwaError,
    utils::{CameraIndex, RequestedFormat, RequestedFormatType, frame_formats},
};
use parking_lot::Mutex;
use quartet_media::{DeviceError, FrameSlot, Stop, VideoInput};

use self::{
    convert::Layout,
    supervise::{Pictures, Raw, supervise},
};
use crate::Device;

/// A camera of this machine.
#[derive(Debug)]
pub struct Camera {
    id: Option<String>,
    /// Known once it was found.
    label: Mutex<Option<String>>,
}

impl Camera {
    /// The camera with this id, or the system's first. Opens nothing yet.
    #[must_use]
    pub fn new(id: Option<&str>) -> Self {
        Self { id: id.map(str::to_owned), label: Mutex::default() }
    }
}

impl VideoInput for Camera {
    fn label(&self) -> String {
        let found = self.label.lock().clone();
        found.or_else(|| self.id.clone()).unwrap_or_else(|| "the camera".to_owned())
    }

    fn run(&self, out: &FrameSlot, stop: &Stop) -> Result<(), DeviceError> {
        let found = find(self.id.as_deref())?;
        let label = found.label.clone();
        *self.label.lock() = Some(label.clone());
        supervise(&label, out, stop, move |closing| {
            platform::permit(&found.label, closing)?;
            let opened = Opened::open(&found)?;
            Ok(Box::new(opened) as Box<dyn Pictures>)
        })
    }
}

/// A camera that the system has, and how nokhwa calls it.
#[derive(Debug, Clone)]
struct Found {
    id: String,
    label: String,
    index: CameraIndex,
}

/// All cameras; the first is the default, as no system names one.
pub(crate) fn list() -> Vec<Device> {
    let mut default = true;
    platform::cameras()
        .into_iter()
        .map(|found| Device {
            id: found.id,
            label: found.label,
            default: std::mem::take(&mut default),
        })
        .collect()
}

fn find(id: Option<&str>) -> Result<Found, DeviceError> {
    /// As long as listing may take.
    const PATIENCE: Duration = Duration::from_secs(3);
    let cameras =
        crate::worker::ask("find-camera", PATIENCE, platform::cameras).unwrap_or_default();
    let found = match id {
        Some(id) => cameras.into_iter().find(|camera| camera.id == id || camera.label == id),
        None => cameras.into_iter().next(),
    };
    found.ok_or_else(|| {
        DeviceError::Missing(id.map_or_else(|| "a camera".to_owned(), |id| format!("camera {id}")))
    })
}

struct Opened {
    label: String,
    camera: nokhwa::Camera,
    layout: Layout,
}

impl Opened {
    fn open(found: &Found) -> Result<Self, DeviceError> {
        platform::prepare(found)?;
        let failed = |error| explain(&found.label, &error);
        // Any format will do to ask which there are.
        let any = RequestedFormat::with_formats(RequestedFormatType::None, frame_formats());
        let mut camera = nokhwa::Camera::new(found.index.clone(), any).map_err(failed)?;
        let formats = camera.compatible_camera_formats().map_err(failed)?;
        let (chosen, layout) =
            format::choose(&formats, platform::layout).ok_or_else(|| DeviceError::Failed {
                device: found.label.clone(),
                reason: "it gives pictures only in formats that are not understood here".to_owned(),
            })?;
        // Not `Closest`: that gave 10 pictures a second where 25 were on offer.
        let exact =
            RequestedFormat::with_formats(RequestedFormatType::Exact(chosen), frame_formats());
        camera.set_camera_requset(exact).map_err(failed)?;
        camera.open_stream().map_err(failed)?;
        tracing::info!(camera = found.label, format = %chosen, "camera open");
        Ok(Self { label: found.label.clone(), camera, layout })
    }
}

impl Pictures for Opened {
    fn next(&mut self) -> Result<Raw, DeviceError> {
        let buffer = self.camera.frame().map_err(|error| explain(&self.label, &error))?;
        let size = buffer.resolution();
        let captured_at = plausible(buffer.capture_timestamp(), SystemTime::now());
        Ok(Raw {
            layout: platform::actual_layout(self.layout, size, buffer.buffer().len()),
            width: size.width(),
            height: size.height(),
            bytes: buffer.buffer_bytes().into(),
            captured_at,
        })
    }
}

/// The driver's own time of capture where it can be true: some drivers count from boot, some give
/// nonsense after the machine slept.
fn plausible(since_epoch: Option<Duration>, now: SystemTime) -> SystemTime {
    /// No camera holds a picture back longer and still counts as live.
    const OLDEST: Duration = Duration::from_secs(1);
    since_epoch
        .map(|time| SystemTime::UNIX_EPOCH + time)
        .filter(|time| now.duration_since(*time).is_ok_and(|age| age < OLDEST))
        .unwrap_or(now)
}

/// nokhwa passes the system's words on, but not its codes: find them again.
fn explain(label: &str, error: &NokhwaError) -> DeviceError {
    let reason = error.to_string();
    // The standard library ends its messages so, in every language. The codes are Linux's:
    // EPERM, ENOENT, ENXIO, EACCES, EBUSY, ENODEV.
    let says =
        |codes: &[i32]| codes.iter().any(|code| reason.contains(&format!("(os error {code})")));
    let label = label.to_owned();
    if cfg!(target_os = "linux") && says(&[16]) {
        DeviceError::Busy(label)
    } else if cfg!(target_os = "linux") && says(&[1, 13]) {
        DeviceError::Denied(label)
    } else if cfg!(target_os = "linux") && says(&[2, 6, 19]) {
        DeviceError::Missing(label)
    } else {
        DeviceError::Failed { device: label, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_capture_is_believed_only_where_it_can_be_true() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let just = Duration::from_millis(999_999_950);
        assert_eq!(plausible(Some(just), now), SystemTime::UNIX_EPOCH + just);
        for nonsense in [None, Some(Duration::from_secs(7)), Some(Duration::from_secs(1_000_001))] {
            assert_eq!(plausible(nonsense, now), now);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn errors_are_told_apart_by_their_codes() {
        let at = |code| {
            let system = std::io::Error::from_raw_os_error(code).to_string();
            explain("Cam", &NokhwaError::OpenDeviceError("0".into(), system))
        };
        assert_eq!(at(16), DeviceError::Busy("Cam".into()));
        assert_eq!(at(13), DeviceError::Denied("Cam".into()));
        assert_eq!(at(19), DeviceError::Missing("Cam".into()));
        assert!(matches!(at(5), DeviceError::Failed { device, .. } if device == "Cam"));
    }
}
