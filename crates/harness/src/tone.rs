//! A tone as a sound file, for browsers that play one as their microphone.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hound::{SampleFormat, WavSpec, WavWriter};

/// A browser begins a sound file again with a gap: longer than most runs.
const SECONDS: u32 = 120;
const RATE: u32 = 48_000;
const PEAK: f64 = 0.25;

/// Writes a tone of `hz` Hz into `folder`, unless it is there already.
pub fn file(folder: &Path, hz: u32) -> io::Result<PathBuf> {
    let path = folder.join(format!("tone-{hz}.wav"));
    if path.is_file() {
        return Ok(path);
    }
    fs::create_dir_all(folder)?;
    let unfinished = path.with_extension("unfinished");
    let spec = WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut file = WavWriter::create(&unfinished, spec).map_err(io::Error::other)?;
    for index in 0..SECONDS * RATE {
        let turns = f64::from(index) / f64::from(RATE) * f64::from(hz);
        let sample = PEAK * (std::f64::consts::TAU * turns.fract()).sin();
        file.write_sample((sample * f64::from(i16::MAX)) as i16).map_err(io::Error::other)?;
    }
    file.finalize().map_err(io::Error::other)?;
    fs::rename(unfinished, &path)?;
    Ok(path)
}
