//! How old pictures are when they can be shown: `latency DIR_A DIR_B`, each what one participant of
//! a call of two wrote with `--record`, both sending the test pattern from the same machine.
//!
//! A picture in PEER.y4m carries its number in black and white blocks. The row of that number in
//! the sender's self.csv says when it was captured, and its own row in PEER.csv when it was decoded.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use quartet_media::{I420Frame, TestPattern};

type Error = Box<dyn std::error::Error>;

/// The first pictures come while everything starts: a second of them is left out.
const WARM_UP: usize = 30;

fn main() -> ExitCode {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [a, b] = folders.as_slice() else {
        eprintln!("usage: latency DIR_A DIR_B");
        return ExitCode::from(2);
    };
    for (from, to, arrow) in [(a, b, "A → B"), (b, a, "B → A")] {
        match latencies(from, to) {
            Ok(latencies) => println!(
                "{arrow}: p50 {:.1} ms, p95 {:.1} ms ({} pictures)",
                percentile(&latencies, 50),
                percentile(&latencies, 95),
                latencies.len(),
            ),
            Err(error) => {
                eprintln!("latency: {arrow}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Milliseconds from capture to ready to show, in rising order.
fn latencies(from: &Path, to: &Path) -> Result<Vec<f64>, Error> {
    let captured: HashMap<u32, i64> = rows(&from.join("self.csv"))?
        .into_iter()
        .map(|(number, at)| (number as u32, at)) // the blocks hold 32 bits
        .collect();
    let video = only_video(to)?;
    let ready = rows(&video.with_extension("csv"))?;
    let pictures = Pictures::open(&video)?;
    let mut latencies = Vec::new();
    let mut unmatched = 0;
    // Both files end where the recorder ended: the shorter one counts.
    for (picture, (_, ready_at)) in pictures.zip(ready).skip(WARM_UP) {
        let number = TestPattern::read_index(&picture?);
        match number.and_then(|number| captured.get(&number)) {
            Some(captured_at) => latencies.push((ready_at - captured_at) as f64 / 1000.0),
            None => unmatched += 1,
        }
    }
    // A number is hard to misread, and every picture was captured once.
    if latencies.is_empty() || unmatched > latencies.len() / 100 {
        return Err(format!(
            "{unmatched} pictures of {} do not match a capture",
            unmatched + latencies.len()
        )
        .into());
    }
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

/// An index and microseconds of Unix time a row.
fn rows(file: &Path) -> Result<Vec<(u64, i64)>, Error> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let row = |line: &str| {
        let (index, time) = line.split_once(',').ok_or("a row without a comma")?;
        Ok((index.parse()?, time.parse()?))
    };
    text.lines().map(row).collect()
}

/// The one other's pictures.
fn only_video(folder: &Path) -> Result<PathBuf, Error> {
    let mut videos = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "y4m") {
            videos.push(path);
        }
    }
    let [video] = videos.as_slice() else {
        return Err(format!("{}: {} recordings, not one", folder.display(), videos.len()).into());
    };
    Ok(video.clone())
}

/// The pictures of a file that `--record` wrote, one after the other.
struct Pictures {
    file: BufReader<File>,
    width: u16,
    height: u16,
}

impl Pictures {
    fn open(path: &Path) -> Result<Self, Error> {
        let mut file = BufReader::new(File::open(path)?);
        let mut header = String::new();
        file.read_line(&mut header)?;
        let side = |tag| {
            let word = header.split_whitespace().find_map(|word| word.strip_prefix(tag));
            word.and_then(|side| side.parse().ok()).ok_or("a header without a size")
        };
        let (width, height) = (side('W')?, side('H')?);
        Ok(Self { file, width, height })
    }

    fn read(&mut self) -> Result<Option<I420Frame>, Error> {
        if self.file.skip_until(b'\n')? == 0 {
            return Ok(None); // no further FRAME line
        }
        let mut data = vec![0; I420Frame::len_for(self.width, self.height)];
        self.file.read_exact(&mut data)?;
        let frame = I420Frame::new(self.width, self.height, data.into(), 0, SystemTime::UNIX_EPOCH);
        frame.map(Some).ok_or_else(|| "a picture with odd sides".into())
    }
}

impl Iterator for Pictures {
    type Item = Result<I420Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The nearest rank; `sorted` is not empty.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100).clamp(1, sorted.len()) - 1]
}
