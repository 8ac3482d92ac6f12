use std::{ffi::c_int, ptr, slice, sync::Arc, time::SystemTime};

use quartet_core::vp8;
use vpx_sys::{
    VPX_DECODER_ABI_VERSION, vpx_codec_dec_cfg, vpx_codec_dec_init_ver, vpx_codec_decode,
    vpx_codec_get_frame, vpx_codec_vp8_dx, vpx_image_t, vpx_img_fmt,
};

use super::{Context, Vp8Error, check};
use crate::I420Frame;

/// The widest picture that is decoded, in pixels: no camera or screen of a call is larger, and a
/// stranger's header may not make this program allocate 16383 × 16383.
pub const MAX_DECODED_WIDTH: u16 = 4096;
/// The highest picture that is decoded, in pixels.
pub const MAX_DECODED_HEIGHT: u16 = 2304;

/// Decodes the pictures of one stream.
///
/// Any bytes may come in. Each key frame may have another size. A picture with an odd side loses
/// its last column or row.
#[derive(Debug)]
pub struct Vp8Decoder {
    context: Context,
    key_frame_seen: bool,
    decoded: u64,
}

impl Vp8Decoder {
    /// A decoder that waits for a key frame.
    pub fn new() -> Result<Self, Vp8Error> {
        let config = vpx_codec_dec_cfg { threads: 1, w: 0, h: 0 };
        let context = Context::new(|context| {
            // SAFETY: `context` is zeroed, `config` valid and copied.
            unsafe {
                vpx_codec_dec_init_ver(
                    context,
                    vpx_codec_vp8_dx(),
                    &raw const config,
                    0,
                    VPX_DECODER_ABI_VERSION as c_int,
                )
            }
        })?;
        Ok(Self { context, key_frame_seen: false, decoded: 0 })
    }

    /// Decodes one frame; `None` when it shows nothing. After an error only a key frame can be
    /// decoded.
    ///
    /// The picture's index counts decoded pictures, its time is now.
    pub fn decode(&mut self, data: &[u8]) -> Result<Option<I420Frame>, Vp8Error> {
        if vp8::is_key_frame(data) {
            let (width, height) = vp8::key_frame_size(data).unwrap_or_default();
            let wide_enough = (2..=MAX_DECODED_WIDTH).contains(&width);
            if !wide_enough || !(2..=MAX_DECODED_HEIGHT).contains(&height) {
                self.key_frame_seen = false;
                return Err(Vp8Error::Size { width, height });
            }
        } else if !self.key_frame_seen {
            return Err(Vp8Error::KeyFrameMissing);
        }
        let result = self.try_decode(data);
        self.key_frame_seen = result.is_ok();
        result
    }

    fn try_decode(&mut self, data: &[u8]) -> Result<Option<I420Frame>, Vp8Error> {
        let len = u32::try_from(data.len()).map_err(|_| Vp8Error::Codec("too long"))?;
        let context = self.context.as_mut_ptr();
        // SAFETY: `data` is `len` bytes long and only read during the call.
        check(unsafe { vpx_codec_decode(context, data.as_ptr(), len, ptr::null_mut(), 0) })?;
        let mut iter = ptr::null();
        // SAFETY: valid until the next call into this context.
        let image = unsafe { vpx_codec_get_frame(context, &raw mut iter).as_ref() };
        let Some(image) = image else {
            return Ok(None);
        };
        if image.fmt != vpx_img_fmt::VPX_IMG_FMT_I420 {
            return Err(Vp8Error::Codec("not 4:2:0"));
        }
        let frame = copy(image, self.decoded);
        self.decoded += 1;
        frame.map(Some).ok_or(Vp8Error::Codec("a picture without content"))
    }
}

/// Copies the visible part, both sides cut down to even numbers.
fn copy(image: &vpx_image_t, index: u64) -> Option<I420Frame> {
    let width = u16::try_from(image.d_w).ok()? & !1;
    let height = u16::try_from(image.d_h).ok()? & !1;
    let mut data = Vec::with_capacity(I420Frame::len_for(width, height));
    for plane in 0..3 {
        let shift = u32::from(plane > 0);
        let row_len = usize::from(width >> shift);
        let stride = usize::try_from(image.stride[plane]).ok()?;
        for row in 0..usize::from(height >> shift) {
            // SAFETY: the plane has at least `d_h` (chroma: half of it) rows of `stride` bytes, of
            // which the first `d_w` (half of it) are the picture.
            let row =
                unsafe { slice::from_raw_parts(image.planes[plane].add(row * stride), row_len) };
            data.extend_from_slice(row);
        }
    }
    I420Frame::new(width, height, Arc::from(data), index, SystemTime::now())
}
