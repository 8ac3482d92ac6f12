//! Codecs, audio processing, pipelines, test sources and recorders.

mod frame;
mod input;
mod level;
mod mixer;
mod opus_voice;
mod pace;
mod pattern;
mod processing;
mod resample;
mod scale;
mod speaker;
mod tone;
mod video_pipeline;
mod voice_clock;
mod voice_sender;
mod vp8;
mod wav;
mod worker;
mod y4m;

pub use frame::{I420Frame, PcmFrame};
pub use input::{AudioInput, AudioOutput, DeviceError, FrameSlot, PcmSink, Stop, VideoInput};
pub use mixer::{MAX_GAIN, Mixer, VoiceReceiver, VoiceTap};
pub use opus_voice::{OpusDecoder, OpusEncoder, OpusError};
pub use pattern::TestPattern;
pub use processing::{Processing, Reference};
pub use resample::{Resampler, SAMPLE_RATES, UnsupportedRate};
pub use scale::scale;
pub use speaker::Speaker;
pub use tone::{Tone, dominant_frequency, tone_level};
pub use video_pipeline::{RungStats, VideoCallbacks, VideoPipeline, VideoStats};
pub use voice_clock::VoiceClock;
pub use voice_sender::{VoiceCallbacks, VoiceSender};
pub use vp8::{MAX_DECODED_HEIGHT, MAX_DECODED_WIDTH, Vp8Decoder, Vp8Encoder, Vp8Error};
pub use wav::{WavFile, WavWriter};
pub use worker::Ended;
pub use y4m::{Y4mFile, Y4mWriter};
