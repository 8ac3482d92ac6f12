//! Compares [`Vp8Encoder`] with the `vpx-encode` crate on the same moving clip, at the same target
//! bitrate, in one run: `cargo run --release -p quartet-media --example encoder_bench`.
//!
//! PSNR is of the brightness, the mean over all pictures. Times are of the whole process, so that
//! threads count. Neither drops pictures.

use std::{
    error::Error,
    time::{Duration, Instant, SystemTime},
};

use quartet_media::{I420Frame, Vp8Decoder, Vp8Encoder, scale};

const FRAMES: u64 = 150;
const FPS: u32 = 30;

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{:<22} {:<12} {:>9} {:>9} {:>11} {:>8} {:>8}",
        "clip", "encoder", "ms wall", "ms cpu", "first key B", "kbit/s", "PSNR dB"
    );
    for (width, height, kbps) in [(1280, 720, 1500), (640, 360, 500), (320, 180, 150)] {
        let clip = clip(width, height);
        let name = format!("{width}×{height} at {kbps}k");
        for (encoder, figures) in [
            ("quartet", measure(&clip, ours(kbps))?),
            ("vpx-encode", measure(&clip, baseline(&clip[0], kbps)?)?),
        ] {
            let Figures { wall, cpu, key_bytes, kbps, psnr } = figures;
            println!(
                "{name:<22} {encoder:<12} {:>9.2} {:>9.2} {key_bytes:>11} {kbps:>8.0} {psnr:>8.1}",
                wall.as_secs_f64() * 1000.0,
                cpu.as_secs_f64() * 1000.0,
            );
        }
    }
    Ok(())
}

/// Wall and CPU time are per picture.
struct Figures {
    wall: Duration,
    cpu: Duration,
    key_bytes: usize,
    kbps: f64,
    psnr: f64,
}

type Encode<'a> = Box<dyn FnMut(&I420Frame) -> Result<Vec<u8>, Box<dyn Error>> + 'a>;

fn ours(kbps: u32) -> Encode<'static> {
    let mut encoder = Vp8Encoder::new(kbps * 1000);
    Box::new(move |frame| {
        let encoded = encoder.encode(frame, false)?.ok_or("no frame")?;
        Ok(encoded.data.to_vec())
    })
}

fn baseline(first: &I420Frame, kbps: u32) -> Result<Encode<'static>, Box<dyn Error>> {
    let mut encoder = vpx_encode::Encoder::new(vpx_encode::Config {
        width: first.width().into(),
        height: first.height().into(),
        timebase: [1, FPS as i32],
        bitrate: kbps,
        codec: vpx_encode::VideoCodecId::VP8,
    })?;
    Ok(Box::new(move |frame| {
        let packets = encoder.encode(frame.index() as i64, frame.data())?;
        Ok(packets.flat_map(|packet| packet.data.to_vec()).collect())
    }))
}

fn measure(clip: &[I420Frame], mut encode: Encode<'_>) -> Result<Figures, Box<dyn Error>> {
    let (start, cpu_start) = (Instant::now(), process_cpu());
    let encoded: Vec<_> = clip.iter().map(&mut encode).collect::<Result<_, _>>()?;
    let (wall, cpu) = (start.elapsed(), process_cpu() - cpu_start);
    let mut decoder = Vp8Decoder::new()?;
    let mut psnr_sum = 0.0;
    for (frame, data) in clip.iter().zip(&encoded) {
        let decoded = decoder.decode(data)?.ok_or("nothing to show")?;
        psnr_sum += psnr(frame.planes().0, decoded.planes().0);
    }
    let bytes: usize = encoded.iter().map(Vec::len).sum();
    let count = clip.len();
    Ok(Figures {
        wall: wall / count as u32,
        cpu: cpu / count as u32,
        key_bytes: encoded[0].len(),
        kbps: bytes as f64 * 8.0 * f64::from(FPS) / count as f64 / 1000.0,
        psnr: psnr_sum / count as f64,
    })
}

/// A camera's pan over a landscape of soft and fine detail, with a dark ball moving against it.
fn clip(width: u16, height: u16) -> Vec<I420Frame> {
    const WIDE: usize = 1280 + 1024;
    const HIGH: usize = 720;
    let landscape = landscape(WIDE, HIGH);
    let first = SystemTime::now();
    (0..FRAMES)
        .map(|index| {
            let at = first + Duration::from_secs(index) / FPS;
            let mut data = vec![128; I420Frame::len_for(1280, 720)];
            let shift = index as usize * 6;
            let (ball_x, ball_y) = (1100.0 - index as f32 * 6.0, 360.0);
            for (y, row) in data.chunks_exact_mut(1280).take(HIGH).enumerate() {
                row.copy_from_slice(&landscape[y * WIDE + shift..][..1280]);
                let half = (150.0_f32.powi(2) - (y as f32 - ball_y).powi(2)).max(0.0).sqrt();
                let span = (ball_x - half).max(0.0) as usize..(ball_x + half).max(0.0) as usize;
                row[span].fill(40);
            }
            let frame = I420Frame::new(1280, 720, data.into(), index, at).expect("even sides");
            scale(&frame, width, height).expect("even sides")
        })
        .collect()
}

/// Four octaves of smooth noise under a fixed seed.
fn landscape(width: usize, height: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut sum = vec![30.0_f32; width * height];
    for (cell, strength) in [(160, 80.0), (40, 50.0), (8, 30.0), (2, 30.0)] {
        let columns = width / cell + 2;
        let grid: Vec<f32> = (0..columns * (height / cell + 2)).map(|_| rng.f32()).collect();
        for (index, value) in sum.iter_mut().enumerate() {
            let (x, y) = (index % width, index / width);
            let (column, row) = (x / cell, y / cell);
            let (fx, fy) = ((x % cell) as f32 / cell as f32, (y % cell) as f32 / cell as f32);
            let at = |c: usize, r: usize| grid[(row + r) * columns + column + c];
            let top = at(0, 0) * (1.0 - fx) + at(1, 0) * fx;
            let bottom = at(0, 1) * (1.0 - fx) + at(1, 1) * fx;
            *value += strength * (top * (1.0 - fy) + bottom * fy);
        }
    }
    sum.into_iter().map(|value| value as u8).collect()
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let squares: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / squares.max(1) as f64).log10()
}

/// CPU time of all threads; 0 where the system does not tell.
fn process_cpu() -> Duration {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::try_from(time).unwrap_or_default()
    }
    #[cfg(not(unix))]
    Duration::ZERO
}
