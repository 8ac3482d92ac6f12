//! What the person can choose from: the devices found, then the test sources, then none.

use quartet_devices::{Device, DeviceList};

use crate::view::{DeviceView, DevicesView, Settings};

/// The choices. One that was made before and is not there now stays in the list, so that the
/// page does not show another as chosen.
pub(crate) fn choices(found: &DeviceList, settings: &Settings) -> DevicesView {
    DevicesView {
        cameras: list(("camera", "camera:"), &found.cameras, &["pattern"], &settings.camera),
        microphones: list(("mic", "mic:"), &found.microphones, &["tone"], &settings.microphone),
        speakers: list(("speaker", "speaker:"), &found.speakers, &[], &settings.speaker),
    }
}

fn list(
    (default, prefix): (&str, &str),
    found: &[Device],
    tests: &[&str],
    chosen: &str,
) -> Vec<DeviceView> {
    let view = |id: String, label: &str| DeviceView { id, label: label.to_owned() };
    let mut all = vec![view(default.to_owned(), default)];
    all.extend(found.iter().map(|device| view(format!("{prefix}{}", device.id), &device.label)));
    all.extend(tests.iter().map(|test| view((*test).to_owned(), test)));
    all.push(view("none".to_owned(), "none"));
    if !all.iter().any(|device| device.id == chosen) {
        all.push(view(chosen.to_owned(), chosen));
    }
    all
}
