//! What the person can choose from: the devices found, then the test sources, then none.

use std::path::Path;

use quartet_devices::{Device, DeviceList};
use quartet_engine::SourceKind;

use crate::view::{DeviceKind, DeviceView, DevicesView, Settings};

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

/// What is used of a kind: what was chosen, or the system's own for as long as that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Used {
    /// As in [`Settings`].
    pub(crate) id: String,
    /// It is not what was chosen.
    pub(crate) stands_in: bool,
}

/// Before anything is found, or where there is no other device, it is what was chosen.
pub(crate) fn used(found: &DeviceList, settings: &Settings, kind: SourceKind) -> Used {
    let (default, chosen, found) = match kind {
        SourceKind::Camera => ("camera", &settings.camera, &found.cameras),
        SourceKind::Microphone => ("mic", &settings.microphone, &found.microphones),
        SourceKind::Speaker => ("speaker", &settings.speaker, &found.speakers),
        // Chosen anew each time, and never kept.
        SourceKind::Screen => return Used { id: "none".to_owned(), stands_in: false },
    };
    let device = chosen.strip_prefix(default).and_then(|rest| rest.strip_prefix(':'));
    let stands_in = device
        .is_some_and(|device| !found.is_empty() && found.iter().all(|found| found.id != device));
    let id = if stands_in { default.to_owned() } else { chosen.clone() };
    Used { id, stands_in }
}

/// The kinds of which the system's own device stands in.
pub(crate) fn stand_ins(found: &DeviceList, settings: &Settings) -> Vec<DeviceKind> {
    let kinds = [
        (SourceKind::Camera, DeviceKind::Camera),
        (SourceKind::Microphone, DeviceKind::Microphone),
        (SourceKind::Speaker, DeviceKind::Speaker),
    ];
    let standing = kinds.into_iter().filter(|(kind, _)| used(found, settings, *kind).stands_in);
    standing.map(|(_, shown)| shown).collect()
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
    fn the_systems_own_stands_in_for_a_device_that_is_not_there() {
        let usb = Device { id: "usb".to_owned(), label: "USB".to_owned(), default: false };
        let built_in = Device { id: "pci".to_owned(), label: "Built in".to_owned(), default: true };
        let used = |chosen: &str, microphones: &[&Device]| {
            let microphones = microphones.iter().copied().cloned().collect();
            let found = DeviceList { microphones, ..DeviceList::default() };
            let settings = Settings { microphone: chosen.to_owned(), ..Settings::default() };
            let Used { id, stands_in } = super::used(&found, &settings, SourceKind::Microphone);
            (id, stands_in)
        };
        assert_eq!(used("mic:usb", &[&usb, &built_in]), ("mic:usb".to_owned(), false));
        assert_eq!(used("mic:usb", &[&built_in]), ("mic".to_owned(), true));
        assert_eq!(used("mic:usb", &[]), ("mic:usb".to_owned(), false), "nothing is known yet");
        for chosen in ["mic", "none", "tone", "/tmp/mic:usb.wav"] {
            assert_eq!(used(chosen, &[&built_in]), (chosen.to_owned(), false));
        }
    }

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
