use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::{I420Frame, scale::scale};

/// Writes pictures to a `.y4m` file.
///
/// The format has one size for all: the first picture's. Later ones of another size are scaled to
/// it. The frame rate in the header is only what players assume; every picture is written once.
#[derive(Debug)]
pub struct Y4mWriter {
    file: BufWriter<File>,
    fps: u32,
    size: Option<(u16, u16)>,
}

impl Y4mWriter {
    /// Makes the file, or empties it; `fps` in pictures a second.
    pub fn create(path: impl AsRef<Path>, fps: u32) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Ok(Self { file, fps: fps.max(1), size: None })
    }

    /// Appends a picture.
    pub fn write(&mut self, frame: &I420Frame) -> io::Result<()> {
        let (width, height) = match self.size {
            Some(size) => size,
            None => {
                let (width, height) = (frame.width(), frame.height());
                let fps = self.fps;
                writeln!(self.file, "YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420jpeg")?;
                *self.size.insert((width, height))
            }
        };
        self.file.write_all(b"FRAME\n")?;
        let frame = scale(frame, width, height).expect("the first picture's sides are even");
        self.file.write_all(frame.data())
    }

    /// Puts everything into the file; dropping does so too, but without telling an error.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }
}
