use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::{DeviceError, FrameSlot, I420Frame, MAX_DECODED_HEIGHT, MAX_DECODED_WIDTH, Stop};

/// The longest header line that is read, in bytes; real ones have less than 100.
const MAX_LINE: u64 = 1024;
/// The fastest file that is played, in pictures a second.
const MAX_FPS: u32 = 120;
/// Further behind than this, the machine was asleep: what was missed is not made up for.
const ASLEEP: Duration = Duration::from_secs(1);

/// A `.y4m` file, played in a loop at its own pace.
#[derive(Debug, Clone)]
pub struct Y4mFile {
    path: PathBuf,
    header: Header,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// Bytes up to the first picture.
    len: u64,
    width: u16,
    height: u16,
    /// Pictures in so many seconds.
    rate: (u32, u32),
}

impl Y4mFile {
    /// Opens a file and reads its header and its first picture: fails with
    /// [`DeviceError::Missing`] or [`DeviceError::File`] when it cannot be played.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DeviceError> {
        let path = path.into();
        let mut file = BufReader::new(open(&path)?);
        let header = read_header(&mut file).map_err(|reason| unusable(&path, reason))?;
        let this = Self { path, header };
        this.read_picture(&mut file)?.ok_or_else(|| this.error("it has no picture"))?;
        Ok(this)
    }

    /// The planes of the next picture; `None` at the end of the file.
    fn read_picture(&self, file: &mut impl BufRead) -> Result<Option<Arc<[u8]>>, DeviceError> {
        let Some(line) = read_line(file).map_err(|reason| self.error(reason))? else {
            return Ok(None);
        };
        if line != "FRAME" && !line.starts_with("FRAME ") {
            return Err(self.error("a picture does not begin with FRAME"));
        }
        let Header { width, height, .. } = self.header;
        let (even_width, even_height) = self.even_size();
        let mut data = Vec::with_capacity(I420Frame::len_for(even_width, even_height));
        for shift in [0, 1, 1] {
            // An odd side is rounded up for the chroma planes in the file, and cut off here.
            let stride = (usize::from(width) + shift) >> shift;
            let rows = (usize::from(height) + shift) >> shift;
            let mut plane = vec![0; stride * rows];
            file.read_exact(&mut plane).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.error("it ends in the middle of a picture"),
                _ => self.error(error),
            })?;
            let visible = plane.chunks_exact(stride).take(usize::from(even_height) >> shift);
            visible
                .for_each(|row| data.extend_from_slice(&row[..usize::from(even_width) >> shift]));
        }
        Ok(Some(data.into()))
    }

    fn even_size(&self) -> (u16, u16) {
        (self.header.width & !1, self.header.height & !1)
    }

    fn error(&self, reason: impl ToString) -> DeviceError {
        unusable(&self.path, reason)
    }
}

impl crate::VideoInput for Y4mFile {
    fn label(&self) -> String {
        file_name(&self.path)
    }

    fn run(&self, out: &FrameSlot, stop: &Stop) -> Result<(), DeviceError> {
        let mut file = BufReader::new(open(&self.path)?);
        file.seek(SeekFrom::Start(self.header.len)).map_err(|error| self.error(error))?;
        let (pictures, seconds) = self.header.rate;
        let (width, height) = self.even_size();
        let mut start = Instant::now();
        let mut at_first = true;
        let mut index: u64 = 0;
        while !stop.is_stopped() {
            let Some(planes) = self.read_picture(&mut file)? else {
                if at_first {
                    return Err(self.error("it has no picture"));
                }
                file.seek(SeekFrom::Start(self.header.len)).map_err(|error| self.error(error))?;
                at_first = true;
                continue;
            };
            at_first = false;
            let due = Duration::from_secs(index * u64::from(seconds)) / pictures;
            let now = start.elapsed();
            if now > due + ASLEEP {
                start += now - due;
            }
            if stop.wait(due.saturating_sub(now)) {
                break;
            }
            let frame = I420Frame::new(width, height, planes, index, SystemTime::now());
            out.put(frame.expect("the sides are even"));
            index += 1;
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<File, DeviceError> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DeviceError::Missing(file_name(path)),
        _ => unusable(path, error),
    })
}

fn unusable(path: &Path, reason: impl ToString) -> DeviceError {
    DeviceError::File { file: file_name(path), reason: reason.to_string() }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn read_header(file: &mut impl BufRead) -> Result<Header, String> {
    let line = read_line(file)?.ok_or("it is empty")?;
    let mut words = line.split(' ');
    if words.next() != Some("YUV4MPEG2") {
        return Err("it is no YUV4MPEG2 file".into());
    }
    let (mut width, mut height, mut rate) = (None, None, None);
    for word in words.filter(|word| !word.is_empty()) {
        let (tag, value) = word.split_at_checked(1).ok_or("its header cannot be read")?;
        match tag {
            "W" => width = value.parse::<u16>().ok(),
            "H" => height = value.parse::<u16>().ok(),
            "F" => rate = parse_rate(value),
            "C" if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                return Err(format!("its colours are {value}; only 8-bit 4:2:0 can be played"));
            }
            _ => {}
        }
    }
    let width = width.filter(|width| (2..=MAX_DECODED_WIDTH).contains(width));
    let height = height.filter(|height| (2..=MAX_DECODED_HEIGHT).contains(height));
    let (Some(width), Some(height)) = (width, height) else {
        return Err("its width or height is missing, too small or too large".into());
    };
    let rate = rate.ok_or("its frame rate is missing or out of range")?;
    Ok(Header { len: line.len() as u64 + 1, width, height, rate })
}

fn parse_rate(value: &str) -> Option<(u32, u32)> {
    let (pictures, seconds) = value.split_once(':')?;
    let (pictures, seconds) = (pictures.parse::<u32>().ok()?, seconds.parse::<u32>().ok()?);
    let sensible = seconds > 0
        && pictures >= seconds
        && u64::from(pictures) <= u64::from(MAX_FPS) * u64::from(seconds);
    sensible.then_some((pictures, seconds))
}

/// A line without its end; `None` at the end of the file.
fn read_line(file: &mut impl BufRead) -> Result<Option<String>, String> {
    let mut line = Vec::new();
    let read = file.take(MAX_LINE).read_until(b'\n', &mut line);
    if read.map_err(|error| error.to_string())? == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err("a header line does not end".into());
    }
    String::from_utf8(line).map(Some).map_err(|_| "its header is no text".into())
}
