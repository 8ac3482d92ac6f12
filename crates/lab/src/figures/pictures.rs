//! Frame rate, freezes, size and latency from the pictures that were ready to show.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use quartet_core::{FreezeMeter, FreezeTotals};
use serde::Serialize;

use super::{Window, percentile};

/// A picture that was ready to show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Picture {
    /// The number in it; `None` when it could not be read.
    pub number: Option<u32>,
    /// When, in Unix seconds.
    pub at: f64,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// What pictures came to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct PictureFigures {
    /// Pictures a second.
    pub fps: f64,
    /// Of most of them, in pixels.
    pub width: u32,
    /// Of most of them, in pixels.
    pub height: u32,
    /// As `core::FreezeMeter` counts them.
    pub freezes: u64,
    /// The length of all freezes, in seconds.
    pub frozen_s: f64,
    /// The longest freeze, in seconds.
    pub longest_freeze_s: f64,
    /// From capture to ready to show.
    pub latency_p50_ms: Option<f64>,
    /// Of the slowest in twenty.
    pub latency_p95_ms: Option<f64>,
    /// Pictures whose number could not be read or was never captured.
    pub unmatched: usize,
}

/// When a source's pictures were captured. Its numbers may come round again.
#[derive(Debug, Default)]
pub struct Captures(HashMap<u32, Vec<f64>>);

impl Captures {
    /// From numbers and Unix seconds, in the order of time.
    #[must_use]
    pub fn new(captured: impl IntoIterator<Item = (u32, f64)>) -> Self {
        let mut captures: HashMap<u32, Vec<f64>> = HashMap::new();
        for (number, at) in captured {
            captures.entry(number).or_default().push(at);
        }
        Self(captures)
    }

    /// Milliseconds from the last capture of this number before then.
    fn latency_ms(&self, picture: &Picture) -> Option<f64> {
        let captured = self.0.get(&picture.number?)?;
        let later = captured.partition_point(|at| *at <= picture.at);
        Some((picture.at - captured[later.checked_sub(1)?]) * 1000.0)
    }

    /// The latencies of the pictures, in rising order.
    #[must_use]
    pub fn latencies_ms<'a>(&self, pictures: impl Iterator<Item = &'a Picture>) -> Vec<f64> {
        let mut all: Vec<f64> = pictures.filter_map(|picture| self.latency_ms(picture)).collect();
        all.sort_by(f64::total_cmp);
        all
    }
}

/// The figures of a window; `pictures` are those of the whole run, in the order of time.
#[must_use]
pub fn picture_figures(
    pictures: &[Picture],
    captures: &Captures,
    window: Window,
) -> PictureFigures {
    let within: Vec<&Picture> =
        pictures.iter().filter(|picture| window.contains(picture.at)).collect();
    let latencies = captures.latencies_ms(within.iter().copied());
    let mut sizes: HashMap<(u32, u32), usize> = HashMap::new();
    for picture in &within {
        *sizes.entry((picture.width, picture.height)).or_default() += 1;
    }
    let most = sizes.into_iter().max_by_key(|(size, count)| (*count, *size));
    let (width, height) = most.map_or((0, 0), |(size, _)| size);
    let (frozen, longest) = freezes(pictures, window);
    PictureFigures {
        fps: within.len() as f64 / window.seconds(),
        width,
        height,
        freezes: frozen.freezes,
        frozen_s: frozen.frozen.as_secs_f64(),
        longest_freeze_s: longest.as_secs_f64(),
        latency_p50_ms: percentile(&latencies, 50),
        latency_p95_ms: percentile(&latencies, 95),
        unmatched: within.len() - latencies.len(),
    }
}

/// The freezes that ended within the window or still last at its end, and the longest of them.
fn freezes(pictures: &[Picture], window: Window) -> (FreezeTotals, Duration) {
    let Some(first) = pictures.first() else { return Default::default() };
    let base = Instant::now();
    let moment = |at: f64| base + Duration::from_secs_f64((at - first.at).max(0.0));
    let mut meter = FreezeMeter::default();
    let mut before = FreezeTotals::default();
    let mut last = FreezeTotals::default();
    let mut longest = Duration::ZERO;
    for picture in pictures.iter().take_while(|picture| picture.at < window.to) {
        let now = moment(picture.at);
        meter.shown(now);
        let totals = meter.totals(now);
        if picture.at < window.from {
            before = totals;
        } else {
            longest = longest.max(totals.frozen - last.frozen);
        }
        last = totals;
    }
    let mut totals = meter.totals(moment(window.to));
    longest = longest.max(totals.frozen - last.frozen);
    totals.frames -= before.frames;
    totals.freezes -= before.freezes;
    totals.frozen -= before.frozen;
    (totals, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30 a second from second 100 on, but for those between `gap`; numbers go round at 300.
    fn stream(seconds: u32, gap: std::ops::Range<u32>) -> Vec<Picture> {
        let numbers = (0..seconds * 30).filter(|number| !gap.contains(number));
        numbers
            .map(|number| Picture {
                number: Some(number % 300),
                at: 100.05 + f64::from(number) / 30.0,
                width: 640,
                height: if number < 60 { 180 } else { 360 },
            })
            .collect()
    }

    fn captures(seconds: u32) -> Captures {
        Captures::new((0..seconds * 30).map(|n| (n % 300, 100.0 + f64::from(n) / 30.0)))
    }

    #[test]
    fn a_smooth_stream_has_its_rate_size_and_latency() {
        let window = Window { zero: 100.0, from: 101.0, to: 119.0 };
        let figures = picture_figures(&stream(20, 0..0), &captures(20), window);
        assert_eq!((figures.fps, figures.width, figures.height), (30.0, 640, 360));
        assert_eq!((figures.freezes, figures.unmatched), (0, 0));
        let [p50, p95] = [figures.latency_p50_ms, figures.latency_p95_ms].map(Option::unwrap);
        assert!((p50 - 50.0).abs() < 0.01 && (p95 - 50.0).abs() < 0.01, "{p50} {p95}");
    }

    #[test]
    fn only_freezes_within_the_window_count() {
        let pictures = stream(20, 90..120); // 1 s from 103.05 on
        let figures =
            |from, to| picture_figures(&pictures, &captures(20), Window { zero: 100.0, from, to });
        let inside = figures(102.0, 110.0);
        assert_eq!(inside.freezes, 1);
        assert!((inside.longest_freeze_s - 31.0 / 30.0).abs() < 0.001);
        assert_eq!(inside.longest_freeze_s, inside.frozen_s);
        assert_eq!(figures(105.0, 110.0).freezes, 0);
        let lasting = figures(101.0, 103.8);
        assert_eq!(lasting.freezes, 1);
    }

    #[test]
    fn a_number_that_was_never_captured_is_no_latency() {
        let mut pictures = stream(2, 0..0);
        pictures[40].number = None;
        pictures[41].number = Some(7_777);
        let window = Window { zero: 100.0, from: 101.0, to: 102.0 };
        assert_eq!(picture_figures(&pictures, &captures(2), window).unmatched, 2);
        assert_eq!(picture_figures(&[], &captures(2), window).fps, 0.0);
    }
}
