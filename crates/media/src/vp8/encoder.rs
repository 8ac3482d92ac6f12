use std::{ffi::c_int, mem::MaybeUninit, ptr, slice};

use bytes::Bytes;
use quartet_core::{EncodedFrame, VIDEO_CLOCK_RATE, layers::BASE_SHARE_PCT};
use vpx_sys::{
    VP8_EFLAG_NO_REF_ARF, VP8_EFLAG_NO_REF_GF, VP8_EFLAG_NO_UPD_ARF, VP8_EFLAG_NO_UPD_ENTROPY,
    VP8_EFLAG_NO_UPD_GF, VP8_EFLAG_NO_UPD_LAST, VPX_DL_REALTIME, VPX_EFLAG_FORCE_KF,
    VPX_ENCODER_ABI_VERSION, VPX_ERROR_RESILIENT_DEFAULT, VPX_FRAME_IS_KEY, vp8e_enc_control_id,
    vpx_codec_control_, vpx_codec_cx_pkt_kind, vpx_codec_enc_cfg_t, vpx_codec_enc_config_default,
    vpx_codec_enc_config_set, vpx_codec_enc_init_ver, vpx_codec_encode, vpx_codec_get_cx_data,
    vpx_codec_vp8_cx, vpx_enc_pass, vpx_img_fmt, vpx_img_wrap, vpx_kf_mode, vpx_rational,
    vpx_rc_mode,
};

use super::{Context, Vp8Error, check};
use crate::I420Frame;

/// Speed: negative is a fixed speed, from 0 on the encoder watches the wall clock and becomes
/// unstable on a busy machine. −6 is what a call on a laptop can afford: 8.5 ms at 720p.
const CPU_USED: c_int = -6;
/// A key frame may take this much of one frame's share of the bitrate, in percent. libwebrtc's
/// formula for 30 fps and the buffer below: half the optimal buffer × fps / 10.
const MAX_INTRA_BITRATE_PCT: c_int = 900;
/// The rate controller's leaky bucket in milliseconds of video; libwebrtc's values.
const BUFFER_MS: u32 = 1000;
const BUFFER_OPTIMAL_MS: u32 = 600;
/// How full it begins decides the first picture's size. Libwebrtc's 500 ms are of the whole rate;
/// here they are counted at the base layer's.
const BUFFER_INITIAL_MS: u32 = 500 * 100 / BASE_SHARE_PCT;
/// What the rate controller is told of the first picture's length, and at most of any other's: it
/// would save a pause up for a burst.
const NOMINAL_STEP_TICKS: i64 = VIDEO_CLOCK_RATE as i64 / 30;
const MAX_STEP_TICKS: i64 = VIDEO_CLOCK_RATE as i64;
/// The coarsest quality of a screen, 0..=63: text of ten pixels can still be read
/// (`text_stays_readable_at_a_low_bitrate`). A picture that does not fit makes those after it wait.
const SCREEN_MAX_QUANTIZER: u32 = 42;
/// And the finest: beyond it nobody sees a difference, and a screen on which nothing moves would go
/// on taking the whole bitrate.
const SCREEN_MIN_QUANTIZER: u32 = 10;
/// Pictures are left out as long as the bucket is emptier than this, in percent.
const SCREEN_DROP_PCT: u32 = 30;
/// Libwebrtc's.
const SCREEN_BUFFER_INITIAL_MS: u32 = 500;
/// A base picture refers to the base picture before it, and takes its place.
const BASE_FLAGS: u32 =
    VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF | VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF;
/// An upper picture refers to the newest base picture, and leaves everything as it was.
const UPPER_FLAGS: u32 = BASE_FLAGS | VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_ENTROPY;

/// Encodes pictures as a call needs it: constant bitrate, no delay, key frames only on demand, and
/// every other picture in an upper temporal layer, which can be left out.
///
/// No picture is dropped to hold the bitrate: the quality gives way, down to the coarsest, so that
/// motion stays smooth. A picture of another size than the one before begins anew with a key frame.
/// Each key frame begins the pattern of layers anew: key, upper, base, upper …
#[derive(Debug)]
pub struct Vp8Encoder {
    content: Content,
    bitrate_bps: u32,
    codec: Option<Codec>,
    last_time: Option<i64>,
}

/// What is encoded, and so what gives way when the bitrate does not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The quality: motion stays smooth.
    Camera,
    /// The number of pictures: text stays readable.
    Screen,
}

#[derive(Debug)]
struct Codec {
    content: Content,
    context: Context,
    config: vpx_codec_enc_cfg_t,
    /// The next picture belongs to the upper layer.
    upper: bool,
}

impl Vp8Encoder {
    /// An encoder for pictures of any size at this bitrate, in bits a second.
    #[must_use]
    pub fn new(bitrate_bps: u32) -> Self {
        Self { content: Content::Camera, bitrate_bps, codec: None, last_time: None }
    }

    /// The same for a shared screen: rather fewer pictures than blurred ones, and one temporal layer
    /// only, as hardly any two pictures of a screen are alike in length.
    #[must_use]
    pub fn for_screen(bitrate_bps: u32) -> Self {
        Self { content: Content::Screen, ..Self::new(bitrate_bps) }
    }

    /// Changes the bitrate, in bits a second, from the next picture on, without a key frame.
    pub fn set_bitrate(&mut self, bitrate_bps: u32) -> Result<(), Vp8Error> {
        self.bitrate_bps = bitrate_bps;
        if let Some(codec) = &mut self.codec {
            set_rates(&mut codec.config, codec.content, bitrate_bps);
            // SAFETY: both are valid; the configuration is copied.
            check(unsafe {
                vpx_codec_enc_config_set(codec.context.as_mut_ptr(), &raw const codec.config)
            })?;
        }
        Ok(())
    }

    /// Encodes one picture; `None` when libvpx gave nothing for it. `time` is in ticks of
    /// [`VIDEO_CLOCK_RATE`] and has to grow from picture to picture. After an error the next picture
    /// begins anew with a key frame.
    pub fn encode(
        &mut self,
        frame: &I420Frame,
        time: i64,
        force_key: bool,
    ) -> Result<Option<EncodedFrame>, Vp8Error> {
        let result = self.try_encode(frame, time, force_key);
        if result.is_err() {
            self.codec = None;
        }
        result
    }

    fn try_encode(
        &mut self,
        frame: &I420Frame,
        time: i64,
        force_key: bool,
    ) -> Result<Option<EncodedFrame>, Vp8Error> {
        let size = (u32::from(frame.width()), u32::from(frame.height()));
        let fits = |codec: &Codec| (codec.config.g_w, codec.config.g_h) == size;
        let codec = match self.codec.take() {
            Some(codec) if fits(&codec) => self.codec.insert(codec),
            // A context cannot grow beyond its first size.
            _ => self.codec.insert(Codec::new(self.content, size, self.bitrate_bps)?),
        };
        let step = self.last_time.map_or(NOMINAL_STEP_TICKS, |last| time.saturating_sub(last));
        self.last_time = Some(time);
        let encoded = codec.encode(frame, time, step.clamp(1, MAX_STEP_TICKS), force_key)?;
        Ok(encoded.map(|Encoded { data, key, temporal }| EncodedFrame {
            data,
            key,
            width: frame.width(),
            height: frame.height(),
            timestamp: time as u32,
            temporal,
        }))
    }
}

struct Encoded {
    data: Bytes,
    key: bool,
    temporal: u8,
}

impl Codec {
    fn new(
        content: Content,
        (width, height): (u32, u32),
        bitrate_bps: u32,
    ) -> Result<Self, Vp8Error> {
        // SAFETY: returns a static description of the codec.
        let interface = unsafe { vpx_codec_vp8_cx() };
        let mut config = MaybeUninit::uninit();
        // SAFETY: fills the whole of `config` when it succeeds.
        check(unsafe { vpx_codec_enc_config_default(interface, config.as_mut_ptr(), 0) })?;
        // SAFETY: just filled.
        let mut config = unsafe { config.assume_init() };
        config.g_w = width;
        config.g_h = height;
        config.g_timebase = vpx_rational { num: 1, den: VIDEO_CLOCK_RATE as c_int };
        // A second thread costs 2–5 times the CPU at these sizes.
        config.g_threads = 1;
        config.g_pass = vpx_enc_pass::VPX_RC_ONE_PASS;
        config.g_lag_in_frames = 0;
        config.g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
        config.rc_end_usage = vpx_rc_mode::VPX_CBR;
        if content == Content::Camera {
            config.ts_number_layers = 2;
            config.ts_periodicity = 2;
            (config.ts_layer_id[0], config.ts_layer_id[1]) = (0, 1);
            (config.ts_rate_decimator[0], config.ts_rate_decimator[1]) = (2, 1);
        }
        set_rates(&mut config, content, bitrate_bps);
        config.rc_dropframe_thresh = if content == Content::Screen { SCREEN_DROP_PCT } else { 0 };
        config.rc_resize_allowed = 0;
        config.rc_min_quantizer = if content == Content::Screen { SCREEN_MIN_QUANTIZER } else { 2 };
        config.rc_max_quantizer =
            if content == Content::Screen { SCREEN_MAX_QUANTIZER } else { 63 };
        config.rc_undershoot_pct = 100;
        config.rc_overshoot_pct = 15;
        config.rc_buf_sz = BUFFER_MS;
        config.rc_buf_initial_sz = match content {
            Content::Camera => BUFFER_INITIAL_MS,
            Content::Screen => SCREEN_BUFFER_INITIAL_MS,
        };
        config.rc_buf_optimal_sz = BUFFER_OPTIMAL_MS;
        config.kf_mode = vpx_kf_mode::VPX_KF_DISABLED;

        let mut context = Context::new(|context| {
            // SAFETY: `context` is zeroed, `config` valid and copied.
            unsafe {
                vpx_codec_enc_init_ver(
                    context,
                    interface,
                    &raw const config,
                    0,
                    VPX_ENCODER_ABI_VERSION as c_int,
                )
            }
        })?;
        let (intra_pct, is_screen) = match content {
            Content::Camera => (MAX_INTRA_BITRATE_PCT, 0),
            // As long as it has to be at the coarsest quality that is allowed.
            Content::Screen => (0, 1),
        };
        for (control, value) in [
            (vp8e_enc_control_id::VP8E_SET_CPUUSED, CPU_USED),
            (vp8e_enc_control_id::VP8E_SET_MAX_INTRA_BITRATE_PCT, intra_pct),
            // Blocks that did not change are skipped.
            (vp8e_enc_control_id::VP8E_SET_STATIC_THRESHOLD, 1),
            (vp8e_enc_control_id::VP8E_SET_NOISE_SENSITIVITY, 0),
            (vp8e_enc_control_id::VP8E_SET_SCREEN_CONTENT_MODE, is_screen),
        ] {
            // SAFETY: each of these controls takes one `int`.
            check(unsafe { vpx_codec_control_(context.as_mut_ptr(), control as c_int, value) })?;
        }
        Ok(Self { content, context, config, upper: false })
    }

    fn encode(
        &mut self,
        frame: &I420Frame,
        time: i64,
        step: i64,
        force_key: bool,
    ) -> Result<Option<Encoded>, Vp8Error> {
        let mut image = MaybeUninit::zeroed();
        // SAFETY: the planes lie one behind another without padding, which is what alignment 1
        // means, and `frame` outlives `image`. The encoder only reads them.
        let wrapped = unsafe {
            vpx_img_wrap(
                image.as_mut_ptr(),
                vpx_img_fmt::VPX_IMG_FMT_I420,
                u32::from(frame.width()),
                u32::from(frame.height()),
                1,
                frame.data().as_ptr().cast_mut(),
            )
        };
        if wrapped.is_null() {
            return Err(Vp8Error::Codec("the picture cannot be wrapped"));
        }
        let upper = self.upper && !force_key;
        self.upper = !upper && self.content == Content::Camera;
        let flags = match (force_key, upper) {
            (true, _) => VPX_EFLAG_FORCE_KF,
            (false, true) => UPPER_FLAGS,
            (false, false) if self.content == Content::Camera => BASE_FLAGS,
            // A picture that comes back, a window that was covered say, may still be known.
            (false, false) => 0,
        };
        let context = self.context.as_mut_ptr();
        if self.content == Content::Camera {
            let set_layer = vp8e_enc_control_id::VP8E_SET_TEMPORAL_LAYER_ID as c_int;
            // SAFETY: this control takes one `int`, below the number of layers.
            check(unsafe { vpx_codec_control_(context, set_layer, c_int::from(upper)) })?;
        }
        // SAFETY: the context is an encoder of the image's size.
        check(unsafe {
            vpx_codec_encode(context, wrapped, time, step as _, flags as _, VPX_DL_REALTIME as _)
        })?;

        let mut iter = ptr::null();
        loop {
            // SAFETY: iterates over the packets of the call above.
            let packet = unsafe { vpx_codec_get_cx_data(context, &raw mut iter).as_ref() };
            let Some(packet) = packet else {
                return Ok(None);
            };
            if packet.kind == vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                // SAFETY: `kind` says which member is valid.
                let frame = unsafe { packet.data.frame };
                // SAFETY: valid until the next call into this context; copied here.
                let data = unsafe { slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz) };
                let key = frame.flags & VPX_FRAME_IS_KEY != 0;
                let data = Bytes::copy_from_slice(data);
                return Ok(Some(Encoded { data, key, temporal: u8::from(upper) }));
            }
        }
    }
}

/// The rates of the layers add up: the upper one's is what both take together.
fn set_rates(config: &mut vpx_codec_enc_cfg_t, content: Content, bitrate_bps: u32) {
    let both = kilobits(bitrate_bps);
    config.rc_target_bitrate = both;
    if content == Content::Screen {
        return;
    }
    config.ts_target_bitrate[0] = both * BASE_SHARE_PCT / 100;
    config.ts_target_bitrate[1] = both;
}

/// What libvpx counts bitrates in; it refuses less than 1 for either layer, and beyond 2 Gbit/s.
fn kilobits(bitrate_bps: u32) -> u32 {
    (bitrate_bps / 1000).clamp(2, 1_000_000)
}
