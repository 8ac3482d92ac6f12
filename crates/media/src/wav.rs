//! WAV files: as a test voice, and as recordings.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
};

use hound::{SampleFormat, WavReader, WavSpec};
use quartet_core::{SAMPLE_RATE, SAMPLES_PER_10_MS};

use crate::{AudioInput, DeviceError, PcmFrame, PcmSink, Resampler, Stop, pace::Pace};

/// A WAV file played again and again, of any rate, sample format and number of channels.
#[derive(Debug, Clone)]
pub struct WavFile {
    path: PathBuf,
}

impl WavFile {
    /// Looks whether the file can be played; reads no more than its head.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DeviceError> {
        let file = Self { path: path.into() };
        file.reader()?;
        Ok(file)
    }

    fn reader(&self) -> Result<WavReader<BufReader<File>>, DeviceError> {
        let unreadable = |error: std::io::Error| self.unusable(&error);
        let opened = File::open(&self.path).map_err(unreadable)?;
        let size = opened.metadata().map_err(unreadable)?.len();
        let reader =
            WavReader::new(BufReader::new(opened)).map_err(|error| self.unusable(&error))?;
        let spec = reader.spec();
        // What the head promises must be there: who plays the file learns it now, not in a call.
        let promised = u64::from(reader.len()) * u64::from(spec.bits_per_sample.div_ceil(8));
        if reader.duration() == 0 {
            Err(self.unusable(&"it holds no sound"))
        } else if promised > size {
            Err(self.unusable(&"its end is missing"))
        } else {
            Resampler::new(spec.sample_rate, SAMPLE_RATE).map_err(|error| self.unusable(&error))?;
            Ok(reader)
        }
    }

    fn unusable(&self, reason: &dyn std::fmt::Display) -> DeviceError {
        DeviceError::File { file: self.label(), reason: reason.to_string() }
    }

    /// Calls `out` with each 10 ms until it gives false.
    fn play(&self, mut out: impl FnMut(&PcmFrame) -> bool) -> Result<(), DeviceError> {
        let mut reader = self.reader()?;
        let spec = reader.spec();
        let mut resampler =
            Resampler::new(spec.sample_rate, SAMPLE_RATE).map_err(|error| self.unusable(&error))?;
        let mut sound = vec![];
        loop {
            let mono = read_mono(&mut reader, (spec.sample_rate / 100) as usize)
                .map_err(|error| self.unusable(&error))?;
            if mono.is_empty() {
                reader.seek(0).map_err(|error| self.unusable(&error))?;
            }
            resampler.process(&mono, &mut sound);
            let (frames, rest) = sound.as_chunks::<SAMPLES_PER_10_MS>();
            for frame in frames {
                if !out(frame) {
                    return Ok(());
                }
            }
            let played = sound.len() - rest.len();
            sound.drain(..played);
        }
    }
}

impl AudioInput for WavFile {
    fn label(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn wants_processing(&self) -> bool {
        false
    }

    fn run(&self, out: &mut PcmSink<'_>, stop: &Stop) -> Result<(), DeviceError> {
        let mut pace = Pace::start();
        self.play(|frame| {
            let ended = pace.wait(stop);
            if !ended {
                out(frame);
            }
            !ended
        })
    }
}

/// Up to `length` samples, the channels' mean, in −1..=1; none at the end.
fn read_mono(reader: &mut WavReader<BufReader<File>>, length: usize) -> hound::Result<Vec<f32>> {
    let WavSpec { channels, bits_per_sample, sample_format, .. } = reader.spec();
    let channels = usize::from(channels);
    let wanted = length * channels;
    let samples: Vec<f32> = match sample_format {
        SampleFormat::Float => reader.samples::<f32>().take(wanted).collect::<Result<_, _>>()?,
        SampleFormat::Int => {
            let scale = 1.0 / (1_i64 << (bits_per_sample.clamp(1, 32) - 1)) as f32;
            let scaled = reader.samples::<i32>().take(wanted).map(|x| Ok(x? as f32 * scale));
            scaled.collect::<hound::Result<_>>()?
        }
    };
    let mean = |frame: &[f32]| {
        let sum: f32 = frame.iter().map(|x| if x.is_finite() { *x } else { 0.0 }).sum();
        (sum / channels as f32).clamp(-1.0, 1.0)
    };
    Ok(samples.chunks_exact(channels).map(mean).collect())
}

/// Frames that wait for the disk; 2 s.
const WRITER_QUEUE: usize = 200;
/// Frames after which the head is brought up to date, so that a recording that is cut off can be
/// played; 1 s.
const FLUSH_EVERY: u32 = 100;

/// Records to a WAV file, 48 kHz, mono, 16 bits, on a thread of its own.
///
/// A disk that is too slow costs sound, which becomes silence in the file; never time.
#[derive(Debug)]
pub struct WavWriter {
    queue: Option<SyncSender<(u32, PcmFrame)>>,
    thread: Option<JoinHandle<hound::Result<()>>>,
    /// Frames that found no room since the last that did.
    missed: u32,
}

impl WavWriter {
    /// Creates the file, or empties it.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(path, spec).map_err(into_io)?;
        let (queue, frames) = sync_channel::<(u32, PcmFrame)>(WRITER_QUEUE);
        let thread = std::thread::Builder::new().name("wav-writer".into()).spawn(move || {
            let mut unflushed = 0;
            for (missed, frame) in frames {
                for _ in 0..missed as usize * SAMPLES_PER_10_MS {
                    file.write_sample(0_i16)?;
                }
                for sample in frame {
                    file.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16)?;
                }
                unflushed += 1;
                if unflushed == FLUSH_EVERY {
                    file.flush()?;
                    unflushed = 0;
                }
            }
            file.finalize()
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread), missed: 0 })
    }

    /// Adds 10 ms; never waits.
    pub fn write(&mut self, frame: &PcmFrame) {
        let Some(queue) = &self.queue else {
            return;
        };
        match queue.try_send((self.missed, *frame)) {
            Ok(()) => self.missed = 0,
            Err(TrySendError::Full(_)) => self.missed = self.missed.saturating_add(1),
            // The thread has met an error, which `finish` tells.
            Err(TrySendError::Disconnected(_)) => self.queue = None,
        }
    }

    /// Writes what waits and closes the file; waits for the disk.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.close().map_err(into_io)
    }

    fn close(&mut self) -> hound::Result<()> {
        self.queue = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            None | Some(Err(_)) => Ok(()),
        }
    }
}

impl Drop for WavWriter {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "recording");
        }
    }
}

fn into_io(error: hound::Error) -> std::io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => std::io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::dominant_frequency;

    fn sine(i: u32, rate: u32) -> f64 {
        0.25 * (std::f64::consts::TAU * 440.0 * f64::from(i) / f64::from(rate)).sin()
    }

    fn file(spec: WavSpec) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = hound::WavWriter::create(file.path(), spec).unwrap();
        // Whole periods, so that the loop has no seam.
        for i in 0..spec.sample_rate / 2 {
            for _ in 0..spec.channels {
                let sample = sine(i, spec.sample_rate);
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(sample as f32).unwrap(),
                    SampleFormat::Int => {
                        let scale = f64::from(1_u32 << (spec.bits_per_sample - 1));
                        writer.write_sample((sample * scale) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        file
    }

    fn heard(file: &WavFile, frames: usize) -> Result<Vec<f32>, DeviceError> {
        let mut sound = vec![];
        file.play(|frame| {
            sound.extend(frame);
            sound.len() < frames * SAMPLES_PER_10_MS
        })?;
        Ok(sound)
    }

    #[test]
    fn every_kind_of_file_sounds_the_same() {
        use SampleFormat::{Float, Int};
        for (sample_rate, channels, bits_per_sample, sample_format) in [
            (48_000, 1, 16, Int),
            (44_100, 2, 16, Int),
            (8_000, 1, 8, Int),
            (16_000, 6, 24, Int),
            (96_000, 2, 32, Int),
            (22_050, 1, 32, Float),
        ] {
            let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
            let file = file(spec);
            let sound = heard(&WavFile::open(file.path()).unwrap(), 150).unwrap();
            let steady = &sound[4_800..];
            let found = dominant_frequency(steady);
            assert!((found - 440.0).abs() < 0.5, "{found} Hz: {spec:?}");
            let peak = steady.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
            assert!((0.24..0.27).contains(&peak), "{peak}: {spec:?}");
        }
    }

    #[test]
    fn what_cannot_be_played_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let missing = WavFile::open(folder.path().join("nothing.wav")).unwrap_err();
        assert!(matches!(&missing, DeviceError::File { file, .. } if file == "nothing.wav"));

        let spec = WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let whole = std::fs::read(file(spec).path()).unwrap();
        let path = folder.path().join("x.wav");
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(WavFile::open(&path), Err(DeviceError::File { .. })));

        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..2_000 {
            let mut bytes = whole[..2_000].to_vec();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..60);
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(..2_000));
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(file) = WavFile::open(&path) {
                let _ = heard(&file, 20);
            }
        }
    }

    #[test]
    fn a_recording_can_be_played() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voice.wav");
        let mut writer = WavWriter::create(&path).unwrap();
        for frame in 0..50 {
            let sample = |i| sine(frame * 480 + i as u32, 48_000) as f32;
            writer.write(&std::array::from_fn(sample));
        }
        writer.finish().unwrap();
        let mut reader = WavReader::open(&path).unwrap();
        assert_eq!((reader.duration(), reader.spec().sample_rate), (24_000, 48_000));
        let sound: Vec<f32> = reader.samples::<i16>().map(|x| f32::from(x.unwrap())).collect();
        assert!((dominant_frequency(&sound) - 440.0).abs() < 0.5);
    }
}
