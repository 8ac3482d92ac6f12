//! Codecs, audio processing, pipelines, test sources and recorders.

mod frame;
mod input;

pub use frame::{I420Frame, PcmFrame};
pub use input::{AudioInput, AudioOutput, DeviceError, FrameSlot, PcmSink, Stop, VideoInput};
