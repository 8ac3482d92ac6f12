//! Cameras of Video4Linux.
//!
//! nokhwa lists every `/dev/video*`, also those that give metadata or take pictures, and numbers
//! change from one start to the next: the list is made here.

use std::{
    collections::HashMap,
    fs,
    os::{linux::fs::MetadataExt, unix::fs::FileTypeExt},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use nokhwa::utils::{CameraIndex, FrameFormat, Resolution};
use parking_lot::Mutex;
use quartet_media::{DeviceError, Stop};
use v4l::{Format, FourCC, capability::Flags, video::Capture, video::capture::Parameters};

use super::{Found, convert::Layout};

/// What is known of a device file: the name of its camera, if it is one.
struct Known {
    /// Its device number and when it was made: another camera is another file.
    file: (u64, i64, i64),
    card: Option<String>,
}

/// Asking wakes a camera from its sleep, and the list is made every two seconds: ask once.
static KNOWN: LazyLock<Mutex<HashMap<PathBuf, Known>>> = LazyLock::new(Mutex::default);

/// In the order of the numbers.
pub(super) fn cameras() -> Vec<Found> {
    let mut nodes: Vec<(u32, PathBuf)> = fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    nodes.sort_unstable();
    KNOWN.lock().retain(|path, _| nodes.iter().any(|(_, node)| node == path));
    let names = stable_names();
    nodes
        .into_iter()
        .filter_map(|(number, path)| {
            let label = card(&path)?;
            let id = names.get(&path).cloned().unwrap_or_else(|| format!("video{number}"));
            Some(Found { id, label, index: CameraIndex::Index(number) })
        })
        .collect()
}

/// The name of the camera behind a device file; `None` when it is no camera, or may not be asked.
fn card(path: &Path) -> Option<String> {
    let meta = fs::metadata(path).ok().filter(|meta| meta.file_type().is_char_device())?;
    let file = (meta.st_rdev(), meta.st_ctime(), meta.st_ctime_nsec());
    if let Some(known) = KNOWN.lock().get(path)
        && known.file == file
    {
        return known.card.clone();
    }
    let card = match v4l::Device::with_path(path).and_then(|device| device.query_caps()) {
        Ok(caps) => {
            let needed = Flags::VIDEO_CAPTURE | Flags::STREAMING;
            caps.capabilities.contains(needed).then_some(caps.card)
        }
        // Shown all the same, so that choosing it can say what is wrong.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Some(path.display().to_string())
        }
        Err(error) => {
            tracing::debug!(?path, %error, "not a camera, or gone");
            None
        }
    };
    KNOWN.lock().insert(path.to_owned(), Known { file, card: card.clone() });
    card
}

/// udev's names, which carry a camera's serial number or its place instead of a running number.
fn stable_names() -> HashMap<PathBuf, String> {
    let mut names = HashMap::new();
    for folder in ["/dev/v4l/by-path", "/dev/v4l/by-id"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if let (Ok(node), Ok(name)) =
                (fs::canonicalize(entry.path()), entry.file_name().into_string())
            {
                names.insert(node, name);
            }
        }
    }
    names
}

/// Nothing to ask for: the device file's permissions decide.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn permit(_label: &str, _closing: &Stop) -> Result<(), DeviceError> {
    Ok(())
}

/// Puts the camera into a state that nokhwa can read: it refuses to open one that the last
/// program left in a format unknown to it or at a rate such as 30000/1001.
pub(super) fn prepare(found: &Found) -> Result<(), DeviceError> {
    let explain = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => DeviceError::Denied(found.label.clone()),
        std::io::ErrorKind::NotFound => DeviceError::Missing(found.label.clone()),
        std::io::ErrorKind::ResourceBusy => DeviceError::Busy(found.label.clone()),
        _ => DeviceError::Failed { device: found.label.clone(), reason: error.to_string() },
    };
    let index = found.index.as_index().unwrap_or_default();
    let device = v4l::Device::new(index as usize).map_err(explain)?;
    let known = |fourcc: &FourCC| {
        [b"NV12", b"YUYV", b"MJPG", b"RGB3", b"BGR3"].iter().any(|name| fourcc.repr == **name)
    };
    let now = device.format().map_err(explain)?;
    if !known(&now.fourcc)
        && let Some(other) =
            device.enum_formats().map_err(explain)?.iter().find(|format| known(&format.fourcc))
    {
        device.set_format(&Format::new(now.width, now.height, other.fourcc)).map_err(explain)?;
    }
    if device.params().is_ok_and(|params| params.interval.numerator != 1) {
        device.set_params(&Parameters::with_fps(30)).map_err(explain)?;
    }
    Ok(())
}

/// How the bytes of a format lie.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn layout(format: FrameFormat) -> Option<Layout> {
    Some(match format {
        FrameFormat::MJPEG => Layout::Mjpeg,
        FrameFormat::YUYV => Layout::Yuyv,
        FrameFormat::NV12 => Layout::Nv12,
        FrameFormat::GRAY => Layout::Gray,
        FrameFormat::RAWRGB => Layout::Rgb,
        FrameFormat::RAWBGR => Layout::Bgr,
    })
}

/// The driver says the truth.
pub(super) fn actual_layout(layout: Layout, _size: Resolution, _length: usize) -> Layout {
    layout
}
