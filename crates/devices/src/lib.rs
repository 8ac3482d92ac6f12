//! Camera, microphone, speaker and screens of this machine.
//!
//! Everything below is reached through libraries that may block inside the system for ever, or
//! panic: a device is therefore opened, used and closed on a thread of its own, and `run` watches
//! that thread from outside ([`worker`]). Lists are asked for in the same way. What is left out:
//! changing a camera's controls, system volume, and Bluetooth profiles.

mod camera;
mod list;
mod planar;
mod screen;
mod sound;
mod spec;
mod worker;

pub use camera::Camera;
pub use list::{Device, DeviceList, Watch, list, watch};
pub use screen::{
    Screen, ScreenError, ScreenInput, ScreenKind, Thumbnail, list as list_screens, thumbnail,
};
pub use sound::{Microphone, SpeakerDevice};
pub use spec::{ShareSource, SpecError, parse_audio, parse_share, parse_speaker, parse_video};
