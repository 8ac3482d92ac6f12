//! Which of a camera's formats to ask for.

use std::cmp::Reverse;

use nokhwa::utils::{CameraFormat, FrameFormat};

use super::convert::Layout;

/// Smaller pictures are enlarged by somebody.
const SMALLEST: (u32, u32) = (640, 360);

/// The largest that calls send: larger ones would only be scaled down again.
const LARGEST: (u32, u32) = (1280, 720);

/// Pictures a second that calls send.
const RATE: u32 = 30;

/// The best of `formats` for a call, with its layout; `None` when none is understood.
///
/// In this order: fluent and of a useful size; fluent; of a useful size; wide rather than 4:3 (a
/// tile is wide); as large as a call sends at most, because one person on a large window gets it;
/// cheap to convert; small, as every pixel is read again by the encoder.
pub(super) fn choose(
    formats: &[CameraFormat],
    layout: fn(FrameFormat) -> Option<Layout>,
) -> Option<(CameraFormat, Layout)> {
    formats
        .iter()
        .filter(|format| format.width() >= 2 && format.height() >= 2)
        .filter_map(|format| Some((*format, layout(format.format())?)))
        .min_by_key(|(format, layout)| {
            let (width, height, rate) = (format.width(), format.height(), format.frame_rate());
            let jerky = match rate {
                24.. => 0,
                15.. => 1,
                _ => 2_u8,
            };
            let small = width < SMALLEST.0 || height < SMALLEST.1;
            let large = width > LARGEST.0 || height > LARGEST.1;
            let odd_sized = match (small, large) {
                (false, false) => 0,
                _ if width >= SMALLEST.0 / 2 && width <= LARGEST.0 * 3 / 2 => 1,
                _ => 2_u8,
            };
            let area = u64::from(width) * u64::from(height);
            let narrow = u64::from(width) * 3 < u64::from(height) * 5;
            (
                (jerky + odd_sized, jerky, odd_sized),
                narrow,
                (width, height) != LARGEST,
                cost(*layout),
                // Below the useful sizes the largest, otherwise the smallest.
                if small { Err(Reverse(area)) } else { Ok(area) },
                rate.abs_diff(RATE),
            )
        })
}

/// Rough order of the time that conversion takes: copying, unpacking, colours, JPEG.
fn cost(layout: Layout) -> u8 {
    match layout {
        Layout::Nv12 => 0,
        Layout::Yuyv | Layout::Uyvy => 1,
        Layout::Rgb | Layout::Bgr => 2,
        Layout::Mjpeg => 3,
        // Infrared cameras for face unlock: only where there is nothing else.
        Layout::Gray => 4,
    }
}

#[cfg(test)]
mod tests {
    use FrameFormat::{GRAY, MJPEG, NV12, YUYV};

    use super::*;

    fn chosen(formats: &[(u32, u32, FrameFormat, u32)]) -> Option<(u32, u32, FrameFormat, u32)> {
        let formats: Vec<_> =
            formats.iter().map(|&(w, h, f, r)| CameraFormat::new_from(w, h, f, r)).collect();
        choose(&formats, super::super::platform::layout)
            .map(|(f, _)| (f.width(), f.height(), f.format(), f.frame_rate()))
    }

    #[test]
    fn a_usual_webcam_gives_the_largest_size_of_a_call_if_it_is_fluent() {
        let webcam = [
            (640, 480, YUYV, 30),
            (640, 360, YUYV, 30),
            (1280, 720, YUYV, 10),
            (1280, 720, MJPEG, 30),
            (1920, 1080, MJPEG, 30),
        ];
        assert_eq!(chosen(&webcam), Some((1280, 720, MJPEG, 30)));
        assert_eq!(chosen(&webcam[..3]), Some((640, 360, YUYV, 30)));
    }

    #[test]
    fn fluent_beats_large_and_wide_beats_cheap() {
        let webcam = [(640, 480, YUYV, 30), (1280, 720, YUYV, 10), (1280, 720, MJPEG, 30)];
        assert_eq!(chosen(&webcam), Some((1280, 720, MJPEG, 30)));
        assert_eq!(chosen(&webcam[..2]), Some((640, 480, YUYV, 30)));
    }

    #[test]
    fn the_rate_nearest_to_thirty_is_taken() {
        let rates = [(640, 360, YUYV, 60), (640, 360, YUYV, 25), (640, 360, YUYV, 30)];
        assert_eq!(chosen(&rates), Some((640, 360, YUYV, 30)));
        assert_eq!(chosen(&rates[..2]), Some((640, 360, YUYV, 25)));
    }

    #[test]
    fn odd_cameras_still_give_something() {
        assert_eq!(chosen(&[(3840, 2160, MJPEG, 30)]), Some((3840, 2160, MJPEG, 30)));
        assert_eq!(
            chosen(&[(160, 120, YUYV, 30), (320, 240, YUYV, 30)]),
            Some((320, 240, YUYV, 30))
        );
        assert_eq!(chosen(&[(640, 360, GRAY, 30)]), Some((640, 360, GRAY, 30)));
        assert_eq!(chosen(&[(0, 0, YUYV, 30)]), None);
        assert_eq!(chosen(&[]), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_cheapest_layout_is_taken() {
        let same = [(640, 360, MJPEG, 30), (640, 360, YUYV, 30), (640, 360, NV12, 30)];
        assert_eq!(chosen(&same), Some((640, 360, NV12, 30)));
    }
}
