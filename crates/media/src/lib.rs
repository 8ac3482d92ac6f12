//! Codecs, audio processing, pipelines, test sources and recorders.

mod frame;
mod input;
mod level;
mod mixer;
mod opus_voice;
mod pace;
mod processing;
mod resample;
mod speaker;
mod tone;
mod voice_sender;
mod wav;
mod worker;

pub use frame::{I420Frame, PcmFrame};
pub use input::{AudioInput, AudioOutput, DeviceError, FrameSlot, PcmSink, Stop, VideoInput};
pub use mixer::{Mixer, VoiceReceiver, VoiceTap};
pub use opus_voice::{OpusDecoder, OpusEncoder, OpusError};
pub use processing::{Processing, Reference};
pub use resample::{Resampler, SAMPLE_RATES, UnsupportedRate};
pub use speaker::Speaker;
pub use tone::{Tone, dominant_frequency, tone_level};
pub use voice_sender::{VoiceCallbacks, VoiceSender};
pub use wav::{WavFile, WavWriter};
pub use worker::Ended;
