//! The pointer, which no picture of a screen has in it.

use x11rb::{protocol::xfixes, rust_connection::RustConnection};

use super::{Trouble, pixels::Image};

/// Where it is and what it looks like.
#[derive(Debug, Default)]
pub(super) struct Pointer {
    serial: u32,
    /// The upper left corner, on the root.
    at: (i16, i16),
    size: (u16, u16),
    /// Alpha, red, green, blue; the colours multiplied by alpha.
    argb: Vec<u32>,
}

impl Pointer {
    /// Whether it has moved or changed.
    pub(super) fn look(&mut self, connection: &RustConnection) -> Result<bool, Trouble> {
        let reply = xfixes::get_cursor_image(connection)?.reply();
        // Without a pointer there is nothing to draw.
        let Ok(reply) = reply else { return Ok(false) };
        let at = (reply.x.wrapping_sub(reply.xhot as i16), reply.y.wrapping_sub(reply.yhot as i16));
        if (self.serial, self.at) == (reply.cursor_serial, at) {
            return Ok(false);
        }
        *self = Self {
            serial: reply.cursor_serial,
            at,
            size: (reply.width, reply.height),
            argb: reply.cursor_image,
        };
        Ok(true)
    }

    /// Draws it where it is over the picture, whose own corner lies at `origin` of the root.
    pub(super) fn draw(&self, image: &mut Image, origin: (i16, i16)) {
        let (width, height) = (usize::from(image.width), usize::from(image.height));
        let left = i32::from(self.at.0) - i32::from(origin.0);
        let top = i32::from(self.at.1) - i32::from(origin.1);
        let columns = usize::from(self.size.0).max(1);
        for (row, pixels) in self.argb.chunks_exact(columns).enumerate() {
            let Some(y) = inside(top, row, height) else { continue };
            for (column, pixel) in pixels.iter().enumerate() {
                let Some(x) = inside(left, column, width) else { continue };
                let [blue, green, red, alpha] = pixel.to_le_bytes();
                let place = &mut image.bgrx[(y * width + x) * 4..][..3];
                for (below, above) in place.iter_mut().zip([blue, green, red]) {
                    let kept = u16::from(*below) * (255 - u16::from(alpha)) / 255;
                    *below = (kept as u8).saturating_add(above);
                }
            }
        }
    }
}

fn inside(corner: i32, offset: usize, side: usize) -> Option<usize> {
    let place = usize::try_from(corner + i32::try_from(offset).ok()?).ok()?;
    (place < side).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_mixed_into_what_is_below_and_cut_off_at_the_edge() {
        let mut image = Image { width: 2, height: 2, bgrx: vec![100; 16] };
        let pointer = Pointer {
            serial: 1,
            at: (-1, 9),
            size: (2, 2),
            argb: vec![0xffff_ffff, 0xff00_00ff, 0xffff_ffff, 0x8000_0000],
        };
        pointer.draw(&mut image, (0, 9));
        assert_eq!(image.bgrx[..4], [255, 0, 0, 100]);
        assert_eq!(image.bgrx[4..8], [100; 4], "beside it");
        assert_eq!(image.bgrx[8..11], [49; 3], "half of what was there");
        let broken = Pointer { size: (0, 0), ..pointer };
        broken.draw(&mut image, (0, 0));
    }
}
