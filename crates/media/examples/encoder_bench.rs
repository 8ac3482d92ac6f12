//! Compares [`Vp8Encoder`] with the `vpx-encode` crate on the same clips, at the same target
//! bitrate, in one run: `cargo run --release -p quartet-media --example encoder_bench`.
//!
//! Two clips: a talking head before a still background, with a camera's noise, and a camera's fast
//! pan. PSNR is of the brightness, the mean over all pictures; `base` is what remains without the
//! upper temporal layer. Times are of the whole process, so that threads count. Neither encoder
//! drops pictures. The last lines are the whole ladder on one thread, as a call with several people
//! runs it.

use std::{
    error::Error,
    time::{Duration, Instant, SystemTime},
};

use quartet_core::VIDEO_CLOCK_RATE;
use quartet_media::{I420Frame, Vp8Decoder, Vp8Encoder, scale};

const FRAMES: u64 = 150;
const FPS: u32 = 30;

/// Width, height and kilobits a second of each rung.
const RUNGS: [(u16, u16, u32); 3] = [(1280, 720, 1500), (640, 360, 500), (320, 180, 150)];

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{:<28} {:<11} {:>8} {:>8} {:>11} {:>7} {:>8} {:>10} {:>9}",
        "clip",
        "encoder",
        "ms wall",
        "ms cpu",
        "first key B",
        "kbit/s",
        "PSNR dB",
        "base kbit/s",
        "base dB"
    );
    for (scene, name) in [(Scene::Talk, "talk"), (Scene::Pan, "pan")] {
        let full = clip(scene);
        for (width, height, kbps) in RUNGS {
            let clip = scaled(&full, width, height);
            let name = format!("{name} {width}×{height} at {kbps}k");
            for (encoder, figures) in [
                ("quartet", measure(&clip, ours(kbps))?),
                ("vpx-encode", measure(&clip, baseline(&clip[0], kbps)?)?),
            ] {
                let Figures { wall, cpu, key_bytes, whole, base } = figures;
                println!(
                    "{name:<28} {encoder:<11} {:>8.2} {:>8.2} {key_bytes:>11} {:>7.0} {:>8.2} \
                     {:>11.0} {:>9.2}",
                    wall.as_secs_f64() * 1000.0,
                    cpu.as_secs_f64() * 1000.0,
                    whole.kbps,
                    whole.psnr,
                    base.kbps,
                    base.psnr,
                );
            }
        }
        let (wall, cpu) = ladder(&full)?;
        println!("{name}: the whole ladder, ms a picture: wall {wall:.2}, cpu {cpu:.2}");
    }
    Ok(())
}

/// Wall and CPU time are per picture.
struct Figures {
    wall: Duration,
    cpu: Duration,
    key_bytes: usize,
    whole: Quality,
    /// Without the upper layer.
    base: Quality,
}

struct Quality {
    kbps: f64,
    psnr: f64,
}

/// Data, and whether it is of the upper layer.
type Encode<'a> = Box<dyn FnMut(&I420Frame) -> Result<(Vec<u8>, bool), Box<dyn Error>> + 'a>;

fn ticks(frame: &I420Frame) -> i64 {
    frame.index() as i64 * i64::from(VIDEO_CLOCK_RATE / FPS)
}

fn ours(kbps: u32) -> Encode<'static> {
    let mut encoder = Vp8Encoder::new(kbps * 1000);
    Box::new(move |frame| {
        let encoded = encoder.encode(frame, ticks(frame), false)?.ok_or("no frame")?;
        Ok((encoded.data.to_vec(), encoded.temporal > 0))
    })
}

/// Milliseconds of wall and CPU time a picture, for scaling and encoding all rungs.
fn ladder(clip: &[I420Frame]) -> Result<(f64, f64), Box<dyn Error>> {
    let mut encoders = RUNGS.map(|(_, _, kbps)| Vp8Encoder::new(kbps * 1000));
    let (start, cpu_start) = (Instant::now(), process_cpu());
    for frame in clip {
        let mut picture = frame.clone();
        for ((width, height, _), encoder) in RUNGS.iter().zip(&mut encoders) {
            picture = scale(&picture, *width, *height).ok_or("odd sides")?;
            encoder.encode(&picture, ticks(frame), false)?;
        }
    }
    let per_picture = |time: Duration| time.as_secs_f64() * 1000.0 / clip.len() as f64;
    Ok((per_picture(start.elapsed()), per_picture(process_cpu() - cpu_start)))
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
        Ok((packets.flat_map(|packet| packet.data.to_vec()).collect(), false))
    }))
}

fn measure(clip: &[I420Frame], mut encode: Encode<'_>) -> Result<Figures, Box<dyn Error>> {
    let (start, cpu_start) = (Instant::now(), process_cpu());
    let encoded: Vec<_> = clip.iter().map(&mut encode).collect::<Result<_, _>>()?;
    let (wall, cpu) = (start.elapsed(), process_cpu() - cpu_start);
    let count = clip.len();
    Ok(Figures {
        wall: wall / count as u32,
        cpu: cpu / count as u32,
        key_bytes: encoded[0].0.len(),
        whole: quality(clip, &encoded, |_| true)?,
        base: quality(clip, &encoded, |upper| !upper)?,
    })
}

/// Of those pictures that are `kept`, over the time of all.
fn quality(
    clip: &[I420Frame],
    encoded: &[(Vec<u8>, bool)],
    kept: fn(bool) -> bool,
) -> Result<Quality, Box<dyn Error>> {
    let mut decoder = Vp8Decoder::new()?;
    let (mut psnr_sum, mut bytes, mut count) = (0.0, 0, 0.0);
    for (frame, (data, _)) in clip.iter().zip(encoded).filter(|(_, (_, upper))| kept(*upper)) {
        let decoded = decoder.decode(data)?.ok_or("nothing to show")?;
        psnr_sum += psnr(frame.planes().0, decoded.planes().0);
        bytes += data.len();
        count += 1.0;
    }
    let kbps = bytes as f64 * 8.0 * f64::from(FPS) / clip.len() as f64 / 1000.0;
    Ok(Quality { kbps, psnr: psnr_sum / count })
}

#[derive(Clone, Copy)]
enum Scene {
    Talk,
    Pan,
}

fn scaled(clip: &[I420Frame], width: u16, height: u16) -> Vec<I420Frame> {
    clip.iter().map(|frame| scale(frame, width, height).expect("even sides")).collect()
}

/// Pictures of 1280 × 720.
fn clip(scene: Scene) -> Vec<I420Frame> {
    let landscape = landscape(WIDE, HIGH);
    let mut noise = fastrand::Rng::with_seed(3);
    let first = SystemTime::now();
    (0..FRAMES)
        .map(|index| {
            let at = first + Duration::from_secs(index) / FPS;
            let mut data = vec![128; I420Frame::len_for(1280, 720)];
            for (y, row) in data.chunks_exact_mut(1280).take(HIGH).enumerate() {
                match scene {
                    Scene::Talk => talk(&landscape, index as f32 / FPS as f32, y, row, &mut noise),
                    Scene::Pan => pan(&landscape, index as usize, y, row),
                }
            }
            I420Frame::new(1280, 720, data.into(), index, at).expect("even sides")
        })
        .collect()
}

/// The landscape's size.
const WIDE: usize = 1280 + 1024;
const HIGH: usize = 720;

/// A pan of 6 pixels a picture, with a dark ball moving against it.
fn pan(landscape: &[u8], index: usize, y: usize, row: &mut [u8]) {
    row.copy_from_slice(&landscape[y * WIDE + index * 6..][..1280]);
    let (ball_x, ball_y) = (1100.0 - index as f32 * 6.0, 360.0);
    row[span(ball_x, y as f32 - ball_y, 150.0, 150.0)].fill(40);
}

/// At `seconds`: a textured head that sways, with a mouth that opens four times a second.
fn talk(landscape: &[u8], seconds: f32, y: usize, row: &mut [u8], noise: &mut fastrand::Rng) {
    row.copy_from_slice(&landscape[y * WIDE..][..1280]);
    let head_x = 640.0 + 60.0 * (seconds * 1.7).sin() + 25.0 * (seconds * 4.1).sin();
    let below = y as f32 - 360.0 - 30.0 * (seconds * 2.3).sin();
    for x in span(head_x, below, 188.0, 250.0) {
        let (u, v) = (x as f32 - head_x + 1000.0, below + 360.0);
        row[x] = landscape[v as usize * WIDE + u as usize];
    }
    let open = 20.0 + 18.0 * (seconds * 25.0).sin();
    row[span(head_x, below - 110.0, 60.0, open)].fill(40);
    for pixel in row {
        // Nearly Gaussian, with a standard deviation of 2.
        let sum = (0..3).map(|_| noise.f32() - 0.5).sum::<f32>();
        *pixel = (f32::from(*pixel) + 4.0 * sum) as u8;
    }
}

/// The columns of an ellipse around `x` in the row that is `below` its middle.
fn span(x: f32, below: f32, half_width: f32, half_height: f32) -> std::ops::Range<usize> {
    let half = half_width * (1.0 - (below / half_height).powi(2)).max(0.0).sqrt();
    (x - half).max(0.0) as usize..(x + half).max(0.0) as usize
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
