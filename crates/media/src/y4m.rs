//! YUV4MPEG2 files: played in a loop as a camera, written as a recording.
//!
//! Only 4:2:0 with 8 bits, which is what the program's pictures are. Files are read picture by
//! picture: their length does not matter.

mod reader;
mod writer;

pub use reader::Y4mFile;
pub use writer::Y4mWriter;

#[cfg(test)]
mod tests;
