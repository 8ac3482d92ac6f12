//! What the server's pixels are turned into.

use std::{fmt, sync::Arc};

use yuv::{YuvConversionMode, YuvRange, YuvStandardMatrix, bgra_to_yuv420};

use super::super::Thumbnail;
use crate::planar;

/// Pixels of the longest side: what is captured is bounded before.
const LONGEST_SIDE: u32 = 8_192;
/// The box that a small picture has to fit into.
const THUMBNAIL: (usize, usize) = (320, 180);

/// A picture as an X server gives it: blue, green, red, and a byte of anything.
#[derive(Default)]
pub(super) struct Image {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) bgrx: Vec<u8>,
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}×{})", self.width, self.height)
    }
}

/// Width, height and planes, with even sides; `None` of a picture that is too small for that.
pub(super) fn to_planes(image: &Image) -> Option<(u16, u16, Arc<[u8]>)> {
    let mut target =
        planar::Target::new(u32::from(image.width), u32::from(image.height), LONGEST_SIDE)?;
    let stride = u32::from(image.width) * 4;
    let rows = target.size().1 as usize;
    let pixels = image.bgrx.get(..stride as usize * rows)?;
    let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt601);
    let mode = YuvConversionMode::Balanced;
    bgra_to_yuv420(&mut target.planar(), pixels, stride, range, matrix, mode).ok()?;
    target.finish()
}

/// A small picture: each pixel the mean of those that it stands for.
pub(super) fn shrink(image: &Image) -> Thumbnail {
    let (width, height) = (usize::from(image.width), usize::from(image.height));
    let step = width.div_ceil(THUMBNAIL.0).max(height.div_ceil(THUMBNAIL.1)).max(1);
    let (columns, rows) = ((width / step).max(1), (height / step).max(1));
    let mut rgba = Vec::with_capacity(columns * rows * 4);
    for row in 0..rows {
        for column in 0..columns {
            let mut sums = [0_usize; 3];
            let mut count = 0;
            for y in (row * step..(row + 1) * step).take_while(|y| *y < height) {
                let start = (y * width + column * step) * 4;
                let end = (y * width + ((column + 1) * step).min(width)) * 4;
                for pixel in image.bgrx.get(start..end).unwrap_or_default().chunks_exact(4) {
                    for (sum, part) in sums.iter_mut().zip(pixel) {
                        *sum += usize::from(*part);
                    }
                    count += 1;
                }
            }
            let [blue, green, red] = sums.map(|sum| (sum / count.max(1)) as u8);
            rgba.extend([red, green, blue, 255]);
        }
    }
    Thumbnail { width: columns as u16, height: rows as u16, rgba }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: u16, height: u16) -> Image {
        let pixels = usize::from(width) * usize::from(height);
        Image { width, height, bgrx: [10, 20, 200, 7].repeat(pixels) }
    }

    #[test]
    fn odd_sides_lose_their_last_line() {
        let (width, height, planes) = to_planes(&image(101, 51)).unwrap();
        assert_eq!((width, height), (100, 50));
        assert_eq!(planes.len(), 100 * 50 * 3 / 2);
        // Red: a low luma, a high V.
        assert!((60..100).contains(&planes[0]) && planes[planes.len() - 1] > 180);
        assert!(to_planes(&image(1, 50)).is_none());
        let short = Image { bgrx: vec![0; 10], ..image(100, 50) };
        assert!(to_planes(&short).is_none());
    }

    #[test]
    fn a_small_picture_keeps_shape_and_colour() {
        for (width, height) in [(1920, 1080), (300, 2000), (64, 48), (1, 1)] {
            let small = shrink(&image(width, height));
            assert!(small.width <= 320 && small.height <= 180, "{small:?}");
            assert_eq!(small.rgba.len(), usize::from(small.width) * usize::from(small.height) * 4);
            assert_eq!(small.rgba[..4], [200, 20, 10, 255]);
        }
    }
}
