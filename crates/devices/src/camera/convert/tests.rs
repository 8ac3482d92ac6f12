use super::*;

/// Y of a gradient to the right and downwards, within the limited range.
fn luma(x: usize, y: usize) -> u8 {
    (16 + (x * 3 + y * 5) % 200) as u8
}

fn convert(layout: Layout, w: u32, h: u32, bytes: &[u8]) -> Option<(u16, u16, Arc<[u8]>)> {
    Converter::default().convert(layout, w, h, bytes)
}

/// The planes of what must be a picture of this size.
fn planes(picture: &(u16, u16, Arc<[u8]>), w: usize, h: usize) -> (&[u8], &[u8], &[u8]) {
    assert_eq!((usize::from(picture.0), usize::from(picture.1)), (w, h));
    assert_eq!(picture.2.len(), w * h * 3 / 2);
    let (y, chroma) = picture.2.split_at(w * h);
    let (u, v) = chroma.split_at(w * h / 4);
    (y, u, v)
}

fn packed(w: usize, h: usize, order: impl Fn(u8, u8) -> [u8; 4]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for y in 0..h {
        for x in (0..w.div_ceil(2) * 2).step_by(2) {
            bytes.extend(order(luma(x, y), luma(x + 1, y)));
        }
    }
    bytes
}

fn check_gradient(picture: &(u16, u16, Arc<[u8]>), w: usize, h: usize, u: u8, v: u8) {
    let (luma_plane, u_plane, v_plane) = planes(picture, w, h);
    for y in 0..h {
        for x in 0..w {
            assert_eq!(luma_plane[y * w + x], luma(x, y), "at {x},{y}");
        }
    }
    assert!(u_plane.iter().all(|value| *value == u), "{u_plane:?}");
    assert!(v_plane.iter().all(|value| *value == v), "{v_plane:?}");
}

#[test]
fn packed_pictures_are_taken_apart() {
    // Wide enough for the vector code, and odd sides for what is left over.
    for (w, h) in [(64, 36), (640, 360), (66, 6), (2, 2), (7, 5), (67, 37)] {
        let yuyv = packed(w, h, |a, b| [a, 90, b, 170]);
        let picture = convert(Layout::Yuyv, w as u32, h as u32, &yuyv).unwrap();
        check_gradient(&picture, w & !1, h & !1, 90, 170);
        let uyvy = packed(w, h, |a, b| [90, a, 170, b]);
        let picture = convert(Layout::Uyvy, w as u32, h as u32, &uyvy).unwrap();
        check_gradient(&picture, w & !1, h & !1, 90, 170);
    }
}

#[test]
fn nv12_is_taken_apart() {
    for (w, h) in [(64_usize, 36_usize), (2, 2), (7, 5)] {
        let mut bytes: Vec<u8> = (0..h).flat_map(|y| (0..w).map(move |x| luma(x, y))).collect();
        bytes.extend([90, 170].repeat(w.div_ceil(2) * h.div_ceil(2)));
        let picture = convert(Layout::Nv12, w as u32, h as u32, &bytes).unwrap();
        check_gradient(&picture, w & !1, h & !1, 90, 170);
    }
}

#[test]
fn gray_gets_the_limited_range_and_no_colour() {
    let bytes = [0, 255, 128, 9, 0, 255, 128, 9, 1, 1, 1, 1];
    let picture = convert(Layout::Gray, 4, 3, &bytes).unwrap();
    let (y, u, v) = planes(&picture, 4, 2);
    assert_eq!(y, [16, 235, 126, 24, 16, 235, 126, 24]);
    assert_eq!((u, v), (&[128, 128][..], &[128, 128][..]));
}

#[test]
fn red_is_red_in_either_order() {
    let red = [255, 0, 0].repeat(65 * 5);
    let blue_first = [0, 0, 255].repeat(65 * 5);
    for (layout, bytes) in [(Layout::Rgb, &red), (Layout::Bgr, &blue_first)] {
        let picture = convert(layout, 65, 5, bytes).unwrap();
        let (y, u, v) = planes(&picture, 64, 4);
        // BT.601: 16 + 65.481, 128 − 37.797, 128 + 112.
        let near = |plane: &[u8], wanted: u8| plane.iter().all(|p| p.abs_diff(wanted) <= 1);
        assert!(
            near(y, 81) && near(u, 90) && near(v, 240),
            "{layout:?} {} {} {}",
            y[0],
            u[0],
            v[0]
        );
    }
}

/// 32×16 pixels of RGB (200, 60, 30), 4:2:2, quality 95, as a camera would send it.
const JPEG: &[u8] = include_bytes!("plain.jpg");

#[test]
fn jpeg_is_decoded_without_a_detour_through_rgb() {
    let picture = convert(Layout::Mjpeg, 0, 0, JPEG).unwrap();
    let (y, u, v) = planes(&picture, 32, 16);
    // Full range: Y 98.4, Cb 89.4, Cr 200.5; limited: 100.5, 94.1, 191.7.
    let near = |plane: &[u8], wanted: u8| plane.iter().all(|p| p.abs_diff(wanted) <= 2);
    assert!(near(y, 100) && near(u, 94) && near(v, 192), "{} {} {}", y[0], u[0], v[0]);
}

#[test]
fn damaged_pictures_are_refused_and_harm_nothing() {
    let mut converter = Converter::default();
    for layout in [Layout::Yuyv, Layout::Uyvy, Layout::Nv12, Layout::Gray, Layout::Rgb, Layout::Bgr]
    {
        for length in [0, 1, 47] {
            assert!(converter.convert(layout, 8, 6, &vec![0; length]).is_none(), "{layout:?}");
        }
        let plenty = vec![0; 64];
        for (w, h) in [(0, 0), (1, 8), (8, 1), (u32::MAX, 2), (2, u32::MAX), (4098, 2)] {
            assert!(converter.convert(layout, w, h, &plenty).is_none(), "{layout:?} {w}×{h}");
        }
    }
}

#[test]
fn cut_and_hostile_jpegs_never_panic() {
    let mut converter = Converter::default();
    for length in 0..JPEG.len() {
        let _ = converter.convert(Layout::Mjpeg, 32, 16, &JPEG[..length]);
    }
    for place in 0..JPEG.len() {
        for value in [0, 0x7f, 0xff] {
            let mut bytes = JPEG.to_vec();
            bytes[place] = value;
            let _ = converter.convert(Layout::Mjpeg, 32, 16, &bytes);
        }
    }
    // A header that claims 65,535 pixels a side.
    let size = JPEG.windows(4).position(|w| w == [0, 16, 0, 32]).unwrap();
    let mut bytes = JPEG.to_vec();
    bytes[size..size + 4].fill(0xff);
    assert!(converter.convert(Layout::Mjpeg, 32, 16, &bytes).is_none());
    // It goes on working.
    assert!(converter.convert(Layout::Mjpeg, 32, 16, JPEG).is_some());
}
