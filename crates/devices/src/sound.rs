//! Microphones and speakers, through cpal.
//!
//! Which sound system: the one that cpal prefers, on Linux PulseAudio (which PipeWire speaks too)
//! where a server answers, else ALSA. The stream lives on a thread of its own ([`stream`]), its
//! real-time callback only moves samples to or from a ring, and `run` on the caller's thread
//! re-frames, resamples and watches.

mod microphone;
mod resample;
mod sample;
mod speaker;
mod stream;

use std::sync::Arc;

use cpal::{
    DeviceId, ErrorKind,
    traits::{DeviceTrait, HostTrait},
};
use parking_lot::Mutex;
use quartet_media::DeviceError;

pub use self::{microphone::Microphone, speaker::SpeakerDevice};
use crate::Device;

/// Which way the sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Input,
    Output,
}

impl Direction {
    fn default_device(self, host: &cpal::Host) -> Option<cpal::Device> {
        let device = match self {
            Self::Input => host.default_input_device(),
            Self::Output => host.default_output_device(),
        }?;
        // With no microphone at all PulseAudio names what the speakers play: an echo, no voice.
        (self == Self::Output || !is_monitor(&device)).then_some(device)
    }

    fn supported(self, device: &cpal::Device) -> bool {
        // Without opening it where the system says.
        device.description().is_ok_and(|description| match self {
            Self::Input => description.supports_input(),
            Self::Output => description.supports_output(),
        })
    }

    fn missing(self) -> DeviceError {
        DeviceError::Missing(match self {
            Self::Input => "a microphone".to_owned(),
            Self::Output => "a speaker".to_owned(),
        })
    }
}

/// Microphones and speakers.
pub(crate) fn list() -> (Vec<Device>, Vec<Device>) {
    let host = preferred();
    let devices: Vec<cpal::Device> = match host.devices() {
        Ok(devices) => devices.filter(worth_listing).collect(),
        Err(error) => {
            tracing::warn!(%error, host = %host.id(), "no list of sound devices");
            return Default::default();
        }
    };
    let list = |direction: Direction| {
        let default = direction.default_device(&host).and_then(|device| device.id().ok());
        devices
            .iter()
            .filter(|device| direction.supported(device))
            .filter(|device| direction == Direction::Output || !is_monitor(device))
            .filter_map(|device| {
                let id = device.id().ok()?;
                let default = default.as_ref() == Some(&id);
                Some(Device { id: id.to_string(), label: label(device), default })
            })
            .collect()
    };
    (list(Direction::Input), list(Direction::Output))
}

/// ALSA lists every way to a card (`hw`, `dmix`, `surround71` …): one is enough, the one that
/// converts what the hardware cannot.
fn worth_listing(device: &cpal::Device) -> bool {
    let Ok(id) = device.id() else { return false };
    if id.host().to_string() != "alsa" {
        return true;
    }
    let name = id.id();
    match name.strip_prefix("plughw:CARD=") {
        // By the card's name: its number changes from one start to the next.
        Some(card) => !card.starts_with(|c: char| c.is_ascii_digit()),
        // There by name even without any card: only opening it tells.
        None => name == "default" && (device.supports_input() || device.supports_output()),
    }
}

fn is_monitor(device: &cpal::Device) -> bool {
    device.id().is_ok_and(|id| is_pulse(id.host()) && id.id().ends_with(".monitor"))
}

fn label(device: &cpal::Device) -> String {
    device.description().map_or_else(
        |_| device.to_string(),
        // ALSA's has a second line, for experts.
        |description| description.name().lines().next().unwrap_or_default().to_owned(),
    )
}

/// The preferred sound system; the same connection for everybody while its server answers.
///
/// Not one each: the PulseAudio client's thread only notices that its last user is gone when the
/// server says something, which may be never, and a server takes 64 clients.
fn preferred() -> Arc<cpal::Host> {
    static SHARED: Mutex<Option<Arc<cpal::Host>>> = Mutex::new(None);
    let shared = SHARED.lock().clone();
    // Asked outside the lock: a server that hangs does so for whoever asks, and for nobody else.
    if let Some(host) = shared.filter(|host| host.devices().is_ok()) {
        return host;
    }
    let host = Arc::new(cpal::default_host());
    // A server may start later: ask again until there is one.
    *SHARED.lock() = is_pulse(host.id()).then(|| Arc::clone(&host));
    host
}

fn is_pulse(host: cpal::HostId) -> bool {
    host.to_string() == "pulseaudio"
}

/// The sound system that an id belongs to; without one, or for a mere name, the preferred one.
fn host_of(wanted: Option<&str>) -> Result<Arc<cpal::Host>, DeviceError> {
    let preferred = preferred();
    match wanted.map(|wanted| (wanted, wanted.parse::<DeviceId>())) {
        Some((wanted, Ok(id))) if id.host() != preferred.id() => {
            cpal::host_from_id(id.host()).map(Arc::new).map_err(|error| explain(wanted, &error))
        }
        _ => Ok(preferred),
    }
}

/// The device with this id, or this name in the system's own terms, or the default one.
fn find(
    host: &cpal::Host,
    direction: Direction,
    wanted: Option<&str>,
) -> Result<cpal::Device, DeviceError> {
    let Some(wanted) = wanted else {
        return direction.default_device(host).ok_or_else(|| direction.missing());
    };
    let missing = || DeviceError::Missing(wanted.to_owned());
    if let Ok(id) = wanted.parse::<DeviceId>() {
        return host.device_by_id(&id).ok_or_else(missing);
    }
    host.devices()
        .map_err(|error| explain(wanted, &error))?
        .filter(|device| direction.supported(device))
        .find(|device| device.id().is_ok_and(|id| id.id() == wanted) || label(device) == wanted)
        .ok_or_else(missing)
}

/// In our terms.
fn explain(device: &str, error: &cpal::Error) -> DeviceError {
    let device = device.to_owned();
    match error.kind() {
        ErrorKind::DeviceBusy => DeviceError::Busy(device),
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => DeviceError::Missing(device),
        ErrorKind::PermissionDenied => DeviceError::Denied(device),
        _ => DeviceError::Failed { device, reason: error.to_string() },
    }
}
