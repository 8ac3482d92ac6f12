//! A test picture that a person sees to be alive, and that a program can check.
//!
//! Drawn on the thread that runs it, at absolute times, so that it does not drift. Shows, in
//! colours of its own: a ball on its way round, the time of day (UTC), and along the lower edge
//! the picture's number as black and white blocks.

mod code;
mod font;

use std::{
    f32::consts::TAU,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{DeviceError, FrameSlot, I420Frame, Stop, VideoInput};

/// Seconds the ball takes for a round.
const ROUND: f32 = 4.0;
/// Saturation of the colours: half of what limited-range chroma allows.
const SATURATION: f32 = 60.0;
/// Luma of the darkest and the brightest background.
const BACKGROUND: (f32, f32) = (50.0, 110.0);
const BALL_LUMA: u8 = 190;
const TEXT_LUMA: u8 = 225;
const TEXT_GROUND_LUMA: u8 = 30;

/// A moving pattern with a readable clock and a machine-readable picture number.
#[derive(Debug, Clone)]
pub struct TestPattern {
    width: u16,
    height: u16,
    fps: u32,
    hue: f32,
    background: Arc<[u8]>,
}

impl TestPattern {
    /// 640×360 at 30 pictures a second, in colours that follow from `seed`: a name, for instance.
    #[must_use]
    pub fn new(seed: &str) -> Self {
        Self::with_size(seed, 640, 360, 30)
    }

    /// A pattern of another size, in pixels, and pace, in pictures a second. The sides are made
    /// even and at least 160×90, the pace at least 1.
    #[must_use]
    pub fn with_size(seed: &str, width: u16, height: u16, fps: u32) -> Self {
        let (width, height) = (width.max(160) & !1, height.max(90) & !1);
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        let hue = (hasher.finish() % 3600) as f32 / 3600.0;
        let mut background = vec![0; I420Frame::len_for(width, height)];
        Canvas::new(width, height, &mut background).draw_background(hue);
        Self { width, height, fps: fps.max(1), hue, background: background.into() }
    }

    /// Draws the picture of this number and time; the ball's place follows from the number.
    #[must_use]
    pub fn draw(&self, index: u64, at: SystemTime) -> I420Frame {
        let mut data: Arc<[u8]> = Arc::from(&*self.background);
        let planes = Arc::get_mut(&mut data).expect("just made");
        let mut canvas = Canvas::new(self.width, self.height, planes);
        let angle = index as f32 / self.fps as f32 / ROUND * TAU;
        canvas.draw_ball(angle, self.hue);
        canvas.draw_clock(at);
        code::draw(canvas.data, canvas.width, canvas.height, index as u32);
        I420Frame::new(self.width, self.height, data, index, at).expect("sides are even")
    }

    /// The number shown in a picture of any test pattern, modulo 2³², also after it was encoded
    /// or scaled; `None` when there is none.
    #[must_use]
    pub fn read_index(frame: &I420Frame) -> Option<u32> {
        let (y, _, _) = frame.planes();
        code::read(y, usize::from(frame.width()), usize::from(frame.height()))
    }
}

impl VideoInput for TestPattern {
    fn label(&self) -> String {
        "Test pattern".into()
    }

    fn run(&self, out: &FrameSlot, stop: &Stop) -> Result<(), DeviceError> {
        let start = Instant::now();
        let mut index: u64 = 0;
        loop {
            let due = start + Duration::from_secs(index) / self.fps;
            if stop.wait(due.saturating_duration_since(Instant::now())) {
                return Ok(());
            }
            if Instant::now() < due {
                continue;
            }
            out.put(self.draw(index, SystemTime::now()));
            // Where the machine was too slow, the pictures missed are counted, not made up for.
            let elapsed = start.elapsed().as_nanos() * u128::from(self.fps) / 1_000_000_000;
            index = (elapsed as u64).max(index) + 1;
        }
    }
}

struct Canvas<'a> {
    width: usize,
    height: usize,
    data: &'a mut [u8],
}

impl<'a> Canvas<'a> {
    fn new(width: u16, height: u16, data: &'a mut [u8]) -> Self {
        Self { width: usize::from(width), height: usize::from(height), data }
    }

    /// Brighter to the lower right, the colour turning a little on the way.
    fn draw_background(&mut self, hue: f32) {
        let (width, height) = (self.width, self.height);
        let along = |x: usize, y: usize, w: usize, h: usize| {
            (x as f32 / w as f32 + y as f32 / h as f32) / 2.0
        };
        let luma = width * height;
        for (index, pixel) in self.data[..luma].iter_mut().enumerate() {
            let along = along(index % width, index / width, width, height);
            *pixel = (BACKGROUND.0 + (BACKGROUND.1 - BACKGROUND.0) * along) as u8;
        }
        let (width, height) = (width / 2, height / 2);
        let (u, v) = self.data[luma..].split_at_mut(luma / 4);
        let grey_from = code::top(self.height) / 2 * width;
        for (index, (u, v)) in u.iter_mut().zip(v).enumerate() {
            let along = along(index % width, index / width, width, height);
            (*u, *v) = if index < grey_from { colour(hue + along / 6.0) } else { (128, 128) };
        }
    }

    fn draw_ball(&mut self, angle: f32, hue: f32) {
        let (width, height) = (self.width as f32, self.height as f32);
        let radius = height / 8.0;
        let centre =
            (width * (0.5 + 0.38 * angle.cos()), height * (0.6 + 0.1 * (3.0 * angle).sin()));
        let (u, v) = colour(hue + 0.5);
        let luma = self.width * self.height;
        let (y_plane, chroma) = self.data.split_at_mut(luma);
        let (u_plane, v_plane) = chroma.split_at_mut(luma / 4);
        disc(y_plane, self.width, centre, radius, BALL_LUMA);
        let centre = (centre.0 / 2.0, centre.1 / 2.0);
        disc(u_plane, self.width / 2, centre, radius / 2.0, u);
        disc(v_plane, self.width / 2, centre, radius / 2.0, v);
    }

    /// `HH:MM:SS.mmm` in UTC, four fifths of the width, on a dark ground.
    fn draw_clock(&mut self, at: SystemTime) {
        let text = clock_text(at);
        let columns = text.len() * font::ADVANCE;
        let dot = (self.width * 4 / 5 / columns).max(1);
        let (left, top) = ((self.width - columns * dot) / 2, self.height / 10);
        for row in top.saturating_sub(dot)..top + (font::HEIGHT + 1) * dot {
            let start = row * self.width + left - dot;
            self.data[start..start + (columns + 1) * dot].fill(TEXT_GROUND_LUMA);
        }
        for (position, character) in text.bytes().enumerate() {
            let left = left + position * font::ADVANCE * dot;
            for (row, bits) in font::glyph(character).into_iter().enumerate() {
                for column in (0..font::WIDTH).filter(|column| bits >> (4 - column) & 1 == 1) {
                    for y in 0..dot {
                        let start = (top + row * dot + y) * self.width + left + column * dot;
                        self.data[start..start + dot].fill(TEXT_LUMA);
                    }
                }
            }
        }
    }
}

fn clock_text(at: SystemTime) -> String {
    let time = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = time.as_secs() % 86_400;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, time.subsec_millis())
}

/// U and V of a hue; 0 and 1 are the same one.
fn colour(hue: f32) -> (u8, u8) {
    let (sin, cos) = (hue * TAU).sin_cos();
    ((128.0 + SATURATION * cos) as u8, (128.0 + SATURATION * sin) as u8)
}

fn disc(plane: &mut [u8], width: usize, (cx, cy): (f32, f32), radius: f32, value: u8) {
    let rows = (cy - radius).max(0.0) as usize..=(cy + radius) as usize;
    for (y, row) in plane.chunks_exact_mut(width).enumerate().skip(*rows.start()) {
        if y > *rows.end() {
            break;
        }
        let half = (radius * radius - (y as f32 - cy).powi(2)).max(0.0).sqrt();
        let left = (cx - half).max(0.0) as usize;
        let right = ((cx + half) as usize).min(width);
        if left < right {
            row[left..right].fill(value);
        }
    }
}

#[cfg(test)]
mod tests;
