//! What the person can choose from: the devices found, then the test sources, then none.

use std::path::Path;

use quartet_devices::{Device, DeviceList};

use crate::view::{DeviceView, DevicesView, Settings};

/// The choices. One that was made before and is not there now stays in the list, so that the
/// page does not show another as chosen.
pub(crate) fn choices(found: &DeviceList, settings: &Settings) -> DevicesView {
    DevicesView {
        cameras: list(
            ("camera", "camera:"),
            &found.cameras,
            &["pattern", "file"],
            &settings.camera,
        ),
        microphones: list(
            ("mic", "mic:"),
            &found.microphones,
            &["tone", "file"],
            &settings.microphone,
        ),
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
        // Of a file, the name; of a device that is not there, all that is known.
        let name = Path::new(chosen).file_name().and_then(|name| name.to_str());
        all.push(view(chosen.to_owned(), name.unwrap_or(chosen)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_file_is_listed_by_its_name_and_an_absent_device_by_its_id() {
        let settings = Settings {
            camera: "/home/somebody/films/clip.y4m".to_owned(),
            microphone: "mic:usb".to_owned(),
            ..Settings::default()
        };
        let choices = choices(&DeviceList::default(), &settings);
        let last = |list: &[DeviceView]| list.last().unwrap().clone();
        let file = DeviceView { id: settings.camera.clone(), label: "clip.y4m".to_owned() };
        assert_eq!(last(&choices.cameras), file);
        assert_eq!(last(&choices.microphones).label, "mic:usb");
        assert_eq!(last(&choices.speakers).id, "none");
    }
}
