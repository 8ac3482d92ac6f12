//! What cameras give → planar 4:2:0, limited range BT.601, cropped to even sides.
//!
//! Everything comes from outside: sizes are capped and lengths checked before a byte is read.
//! Nothing goes through RGB that did not come as RGB.

use std::sync::Arc;

use yuv::{
    YuvConversionMode, YuvPackedImage, YuvRange, YuvStandardMatrix, bgr_to_yuv420, rgb_to_yuv420,
    uyvy422_to_yuv420, yuyv422_to_yuv420,
};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use crate::planar::Target;

/// Pixels; 4K cameras have 3840, and a JPEG header may claim 65,535.
const LONGEST_SIDE: u32 = 4096;

/// How the bytes of a picture lie, without padding at the end of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// A whole JPEG picture; its header says the size. Full range.
    Mjpeg,
    /// Y U Y V, two pixels in four bytes.
    Yuyv,
    /// U Y V Y. No platform of nokhwa's names it so far.
    #[cfg_attr(not(test), allow(dead_code))]
    Uyvy,
    /// Y plane, then U V pairs for each 2×2 pixels.
    Nv12,
    /// One byte, full range.
    Gray,
    /// Three bytes, full range.
    Rgb,
    /// Three bytes, full range.
    Bgr,
}

/// Keeps its buffers from one picture to the next.
#[derive(Debug, Default)]
pub(super) struct Converter {
    /// Decoded JPEG: Y Cb Cr per pixel, or Y alone.
    decoded: Vec<u8>,
}

impl Converter {
    /// Width, height and planes of the picture; `None` when it is damaged or too large.
    pub(super) fn convert(
        &mut self,
        layout: Layout,
        width: u32,
        height: u32,
        bytes: &[u8],
    ) -> Option<(u16, u16, Arc<[u8]>)> {
        if layout == Layout::Mjpeg {
            return self.jpeg(bytes);
        }
        let mut target = Target::new(width, height, LONGEST_SIDE)?;
        let (w, h) = (width as usize, height as usize);
        let (even_w, even_h) = target.size();
        match layout {
            Layout::Yuyv | Layout::Uyvy => {
                let stride = w.div_ceil(2) * 4;
                let packed = YuvPackedImage {
                    // Exactly the rows that are used: the library wants no more than that.
                    yuy: &bytes.get(..stride * h)?[..stride * even_h as usize],
                    yuy_stride: u32::try_from(stride).ok()?,
                    width: even_w,
                    height: even_h,
                };
                let unpack =
                    if layout == Layout::Yuyv { yuyv422_to_yuv420 } else { uyvy422_to_yuv420 };
                unpack(&mut target.planar(), &packed).ok()?;
            }
            Layout::Rgb | Layout::Bgr => {
                let stride = w * 3;
                let bytes = &bytes.get(..stride * h)?[..stride * even_h as usize];
                let stride = u32::try_from(stride).ok()?;
                let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt601);
                let mode = YuvConversionMode::Balanced;
                let convert = if layout == Layout::Rgb { rgb_to_yuv420 } else { bgr_to_yuv420 };
                convert(&mut target.planar(), bytes, stride, range, matrix, mode).ok()?;
            }
            Layout::Nv12 => nv12(bytes, w, h, &mut target)?,
            Layout::Gray => {
                let bytes = bytes.get(..w * h)?;
                let (y, u, v) = target.planes();
                for (to, from) in y.chunks_exact_mut(even_w as usize).zip(bytes.chunks_exact(w)) {
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = limited_luma(*from);
                    }
                }
                u.fill(128);
                v.fill(128);
            }
            Layout::Mjpeg => unreachable!("handled above"),
        }
        target.finish()
    }

    fn jpeg(&mut self, bytes: &[u8]) -> Option<(u16, u16, Arc<[u8]>)> {
        let side = LONGEST_SIDE as usize;
        let options = DecoderOptions::new_fast().set_max_width(side).set_max_height(side);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().ok()?;
        let gray = decoder.input_colorspace()? == ColorSpace::Luma;
        let space = if gray { ColorSpace::Luma } else { ColorSpace::YCbCr };
        decoder.set_options(options.jpeg_set_out_colorspace(space));
        let info = decoder.info()?;
        let (w, h) = (usize::from(info.width), usize::from(info.height));
        self.decoded.resize(decoder.output_buffer_size()?, 0);
        decoder.decode_into(&mut self.decoded).ok()?;
        if gray {
            let gray = std::mem::take(&mut self.decoded);
            let frame = self.convert(Layout::Gray, w as u32, h as u32, &gray);
            self.decoded = gray;
            return frame;
        }
        let mut target = Target::new(w as u32, h as u32, LONGEST_SIDE)?;
        let pixels = self.decoded.get(..w * h * 3)?;
        let even_w = target.size().0 as usize;
        let (y, u, v) = target.planes();
        let rows = pixels.chunks_exact(w * 3 * 2);
        let chroma = u.chunks_exact_mut(even_w / 2).zip(v.chunks_exact_mut(even_w / 2));
        for ((rows, y), (u, v)) in rows.zip(y.chunks_exact_mut(even_w * 2)).zip(chroma) {
            let (upper, lower) = rows.split_at(w * 3);
            let (y_upper, y_lower) = y.split_at_mut(even_w);
            for (from, to) in [(upper, y_upper), (lower, y_lower)] {
                for (pixel, to) in from.chunks_exact(3).zip(to) {
                    *to = limited_luma(pixel[0]);
                }
            }
            let blocks = upper.chunks_exact(6).zip(lower.chunks_exact(6));
            for ((a, b), (u, v)) in blocks.zip(u.iter_mut().zip(v)) {
                let sum = |i: usize| {
                    u16::from(a[i]) + u16::from(a[i + 3]) + u16::from(b[i]) + u16::from(b[i + 3])
                };
                *u = limited_chroma(sum(1));
                *v = limited_chroma(sum(2));
            }
        }
        target.finish()
    }
}

fn nv12(bytes: &[u8], w: usize, h: usize, target: &mut Target) -> Option<()> {
    let chroma_stride = w.div_ceil(2) * 2;
    let (luma, chroma) = bytes.split_at_checked(w * h)?;
    let chroma = chroma.get(..chroma_stride * h.div_ceil(2))?;
    let even_w = target.size().0 as usize;
    let (y, u, v) = target.planes();
    for (to, from) in y.chunks_exact_mut(even_w).zip(luma.chunks_exact(w)) {
        to.copy_from_slice(&from[..even_w]);
    }
    let planes = u.chunks_exact_mut(even_w / 2).zip(v.chunks_exact_mut(even_w / 2));
    for ((u, v), pairs) in planes.zip(chroma.chunks_exact(chroma_stride)) {
        for ((u, v), pair) in u.iter_mut().zip(v).zip(pairs.chunks_exact(2)) {
            (*u, *v) = (pair[0], pair[1]);
        }
    }
    Some(())
}

/// 0..=255 → 16..=235, as BT.601 has it.
fn limited_luma(full: u8) -> u8 {
    // 219/255 in 16 bits of fraction, rounded.
    (16 + ((u32::from(full) * 56_284 + 32_768) >> 16)) as u8
}

/// The sum of four values of 0..=255 around 128 → their mean in 16..=240.
fn limited_chroma(sum: u16) -> u8 {
    // 128 + (sum/4 − 128) × 224/255, in 16 bits of fraction: the constant is 128 × (1 − 224/255).
    ((u32::from(sum) * 14_392 + 1_019_792 + 32_768) >> 16) as u8
}

#[cfg(test)]
mod tests;
