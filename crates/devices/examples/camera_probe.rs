//! Lists the cameras, takes pictures from each for a while, and says what came: one line a camera.
//!
//! `camera_probe [SECONDS] [ID]`; fails when a camera gives no moving picture. `cargo xtask
//! camera-check` runs it inside a virtual machine with a real driver.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use quartet_devices::Camera;
use quartet_media::{FrameSlot, Stop, VideoInput as _};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().and_then(|word| word.parse().ok()).unwrap_or(3.0);
    let only = arguments.next();
    let begun = Instant::now();
    let cameras = quartet_devices::list().cameras;
    println!("cameras={} listed_in_ms={}", cameras.len(), begun.elapsed().as_millis());
    let mut all_good = !cameras.is_empty();
    for device in cameras.iter().filter(|device| only.as_ref().is_none_or(|id| *id == device.id)) {
        println!("camera id={} label={:?} default={}", device.id, device.label, device.default);
        all_good &= probe(&device.id, Duration::from_secs_f64(seconds));
    }
    if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// True when pictures came, and differed.
fn probe(id: &str, time: Duration) -> bool {
    let (out, stop) = (FrameSlot::default(), Stop::default());
    let begun = Instant::now();
    let runner = thread::spawn({
        let (camera, out, stop) = (Camera::new(Some(id)), out.clone(), stop.clone());
        move || camera.run(&out, &stop)
    });
    let mut first = None;
    let mut last = None;
    let (mut pictures, mut different, mut oldest) = (0_u32, HashSet::new(), Duration::ZERO);
    while !runner.is_finished()
        && first.is_none_or(|first: Instant| first.elapsed() < time)
        && begun.elapsed() < time + Duration::from_secs(60)
    {
        let Some(frame) = out.take(Duration::from_millis(100)) else { continue };
        first.get_or_insert_with(Instant::now);
        pictures += 1;
        oldest = oldest.max(frame.captured_at().elapsed().unwrap_or_default());
        let mut hasher = DefaultHasher::new();
        frame.data().hash(&mut hasher);
        different.insert(hasher.finish());
        last = Some((frame, Instant::now(), hasher.finish()));
    }
    let closing = Instant::now();
    stop.stop();
    let outcome = runner.join();
    let closed = closing.elapsed();
    if let (Some(first), Some((frame, at, checksum))) = (first, last) {
        let (y, u, v) = frame.planes();
        let mean = |plane: &[u8]| {
            plane.iter().map(|b| u64::from(*b)).sum::<u64>() / plane.len().max(1) as u64
        };
        println!(
            "pictures={pictures} given={} different={} size={}x{} fps={:.1} opened_in_ms={} \
             oldest_ms={} closed_in_ms={} mean_yuv={},{},{} last_checksum={checksum:016x}",
            frame.index() + 1,
            different.len(),
            frame.width(),
            frame.height(),
            f64::from(pictures.saturating_sub(1)) / (at - first).as_secs_f64().max(1e-6),
            (first - begun).as_millis(),
            oldest.as_millis(),
            closed.as_millis(),
            mean(y),
            mean(u),
            mean(v),
        );
    }
    match outcome {
        Ok(Ok(())) => pictures > 1 && different.len() > 1,
        Ok(Err(error)) => {
            println!("error={error}");
            false
        }
        Err(_) => {
            println!("error=crashed");
            false
        }
    }
}
