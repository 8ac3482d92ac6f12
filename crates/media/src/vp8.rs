//! VP8 both ways: the one door to libvpx, and the only unsafe code of this crate.
//!
//! Both codecs run on the caller's thread, one picture a call, and may be moved between threads.
//! Left out: several spatial layers in one context, post-processing.
#![expect(unsafe_code, reason = "libvpx is a C library")]

mod decoder;
mod encoder;

use std::{ffi::CStr, fmt, mem, ptr};

pub use decoder::{MAX_DECODED_HEIGHT, MAX_DECODED_WIDTH, Vp8Decoder};
pub use encoder::Vp8Encoder;
use vpx_sys::{vpx_codec_ctx_t, vpx_codec_destroy, vpx_codec_err_t, vpx_codec_err_to_string};

/// Why a picture could not be encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Vp8Error {
    /// Nothing can be decoded before a key frame; ask the sender for one.
    #[error("a key frame has to come first")]
    KeyFrameMissing,
    /// A key frame declares a picture larger than this program decodes, or none.
    #[error("a picture of {width}×{height} is not decoded")]
    Size {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// libvpx's own words. After an error of the decoder only a key frame can be decoded.
    #[error("VP8: {0}")]
    Codec(&'static str),
}

/// A codec of libvpx, freed with this.
struct Context(Box<vpx_codec_ctx_t>);

// SAFETY: libvpx keeps no thread-local state and a context's own; `Context` is not `Sync` and all
// calls need `&mut`.
unsafe impl Send for Context {}

impl Context {
    /// A context that `init` has to make a codec of.
    fn new(init: impl FnOnce(*mut vpx_codec_ctx_t) -> vpx_codec_err_t) -> Result<Self, Vp8Error> {
        // SAFETY: plain C data; all zeroes are null pointers and `VPX_CODEC_OK`.
        let mut context = Self(Box::new(unsafe { mem::zeroed() }));
        // On failure libvpx has freed what it had made, and destroying again does nothing.
        check(init(context.as_mut_ptr()))?;
        Ok(context)
    }

    fn as_mut_ptr(&mut self) -> *mut vpx_codec_ctx_t {
        ptr::from_mut(&mut *self.0)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: initialised by `vpx_codec_*_init_ver`, or refused because `iface` is null.
        unsafe { vpx_codec_destroy(self.as_mut_ptr()) };
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("vpx_codec_ctx_t")
    }
}

fn check(code: vpx_codec_err_t) -> Result<(), Vp8Error> {
    if code == vpx_codec_err_t::VPX_CODEC_OK {
        return Ok(());
    }
    // SAFETY: takes any code and returns a static string.
    let text = unsafe { CStr::from_ptr(vpx_codec_err_to_string(code)) };
    Err(Vp8Error::Codec(text.to_str().unwrap_or("unknown error")))
}

#[cfg(test)]
mod tests;
