//! Makes pictures smaller or larger, plane by plane: never through RGB.

use std::{borrow::Cow, sync::Arc};

use crate::I420Frame;

/// Fixed-point bits of a sampling position between two pixels.
const FRACTION_BITS: u32 = 8;

/// The largest size of the same shape that fits into `max` without growing, both sides even.
#[must_use]
pub(crate) fn fit((width, height): (u16, u16), max: (u16, u16)) -> (u16, u16) {
    let (w, h) = (u32::from(width), u32::from(height));
    let (max_w, max_h) = (u32::from(max.0).min(w), u32::from(max.1).min(h));
    let (fit_w, fit_h) = if w * max_h > h * max_w {
        (max_w, (h * max_w + w / 2) / w)
    } else {
        ((w * max_h + h / 2) / h, max_h)
    };
    let even = |side: u32| u16::try_from(side & !1).unwrap_or(u16::MAX - 1).max(2);
    (even(fit_w), even(fit_h))
}

/// The picture in another size; its index and time stay. `None` when a side is odd or 0.
///
/// Halves are averaged (a 2×2 box), as often as they fit; what remains is bilinear.
#[must_use]
pub fn scale(frame: &I420Frame, width: u16, height: u16) -> Option<I420Frame> {
    if (frame.width(), frame.height()) == (width, height) {
        return Some(frame.clone());
    }
    if width == 0 || height == 0 {
        return None;
    }
    let to = (usize::from(width), usize::from(height));
    let from = (usize::from(frame.width()), usize::from(frame.height()));
    let (y, u, v) = frame.planes();
    let mut data = Vec::with_capacity(I420Frame::len_for(width, height));
    scale_plane(y, from, to, &mut data);
    for plane in [u, v] {
        scale_plane(plane, (from.0 / 2, from.1 / 2), (to.0 / 2, to.1 / 2), &mut data);
    }
    I420Frame::new(width, height, Arc::from(data), frame.index(), frame.captured_at())
}

fn scale_plane(plane: &[u8], from: (usize, usize), to: (usize, usize), out: &mut Vec<u8>) {
    let (mut plane, mut from) = (Cow::Borrowed(plane), from);
    while from.0 >= 2 * to.0 && from.1 >= 2 * to.1 {
        plane = Cow::Owned(halve(&plane, from));
        from = (from.0 / 2, from.1 / 2);
    }
    if from == to {
        out.extend_from_slice(&plane);
    } else {
        bilinear(&plane, from, to, out);
    }
}

fn halve(plane: &[u8], (width, height): (usize, usize)) -> Vec<u8> {
    let mut half = Vec::with_capacity((width / 2) * (height / 2));
    // An odd last column or row is left out.
    for rows in plane.chunks_exact(2 * width).take(height / 2) {
        let (upper, lower) = rows.split_at(width);
        half.extend(upper.chunks_exact(2).zip(lower.chunks_exact(2)).map(|(a, b)| {
            let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
            ((sum + 2) / 4) as u8
        }));
    }
    half
}

fn bilinear(plane: &[u8], from: (usize, usize), to: (usize, usize), out: &mut Vec<u8>) {
    let columns: Vec<Tap> = (0..to.0).map(|x| Tap::new(x, from.0, to.0)).collect();
    let mix = |a: u8, b: u8, weight: u32| {
        u32::from(a) * ((1 << FRACTION_BITS) - weight) + u32::from(b) * weight
    };
    for y in 0..to.1 {
        let row = Tap::new(y, from.1, to.1);
        let upper = &plane[row.first * from.0..][..from.0];
        let lower = &plane[row.second * from.0..][..from.0];
        out.extend(columns.iter().map(|column| {
            let top = mix(upper[column.first], upper[column.second], column.weight);
            let bottom = mix(lower[column.first], lower[column.second], column.weight);
            let sum = top * ((1 << FRACTION_BITS) - row.weight) + bottom * row.weight;
            ((sum + (1 << (2 * FRACTION_BITS - 1))) >> (2 * FRACTION_BITS)) as u8
        }));
    }
}

/// The two source pixels that a target pixel lies between, and how close to the second.
struct Tap {
    first: usize,
    second: usize,
    weight: u32,
}

impl Tap {
    fn new(target: usize, from: usize, to: usize) -> Self {
        // Pixel centres are mapped on one another.
        let centre = (((2 * target + 1) * from) << FRACTION_BITS) / (2 * to);
        let position = centre.saturating_sub(1 << (FRACTION_BITS - 1));
        let first = (position >> FRACTION_BITS).min(from - 1);
        Self {
            first,
            second: (first + 1).min(from - 1),
            weight: (position & ((1 << FRACTION_BITS) - 1)) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    /// Brightness that grows from left to right, and flat colour.
    fn ramp(width: u16, height: u16) -> I420Frame {
        let mut data = vec![90; I420Frame::len_for(width, height)];
        for (index, pixel) in
            data[..usize::from(width) * usize::from(height)].iter_mut().enumerate()
        {
            *pixel = (index % usize::from(width) * 200 / usize::from(width)) as u8;
        }
        I420Frame::new(width, height, data.into(), 7, SystemTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_smaller_size_keeps_the_shape_and_is_even() {
        assert_eq!(fit((1280, 720), (640, 360)), (640, 360));
        assert_eq!(fit((640, 480), (640, 360)), (480, 360));
        assert_eq!(fit((720, 1280), (640, 360)), (202, 360));
        assert_eq!(fit((320, 180), (640, 360)), (320, 180));
        assert_eq!(fit((4000, 2), (640, 360)), (640, 2));
    }

    #[test]
    fn every_ratio_shows_the_same_picture() {
        let frame = ramp(640, 360);
        for (width, height) in [(320, 180), (160, 90), (480, 270), (212, 120), (900, 500)] {
            let scaled = scale(&frame, width, height).unwrap();
            assert_eq!((scaled.width(), scaled.height()), (width, height));
            assert_eq!((scaled.index(), scaled.captured_at()), (7, SystemTime::UNIX_EPOCH));
            let expected = ramp(width, height);
            let far = scaled.data().iter().zip(expected.data()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(far.unwrap() <= 2, "{width}×{height}: off by {far:?}");
        }
    }

    #[test]
    fn odd_sides_are_refused() {
        assert!(scale(&ramp(640, 360), 321, 180).is_none());
        assert!(scale(&ramp(640, 360), 0, 180).is_none());
    }
}
