//! A window of a test's own, full of text, for others to share.

use anyhow::Context as _;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{
        ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, ImageFormat,
        WindowClass,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::Display;

/// Luma of black and white, limited range.
const BLACK: u8 = 16;
const WHITE: u8 = 235;

/// A plain window on an X11 display.
#[derive(Debug)]
pub struct TextWindow {
    connection: RustConnection,
    id: u32,
    gc: u32,
    depth: u8,
}

impl TextWindow {
    /// On top of everything.
    pub fn open(
        display: &Display,
        (x, y): (i16, i16),
        (width, height): (u16, u16),
    ) -> anyhow::Result<Self> {
        let (connection, number) = x11rb::connect(Some(display.name()))?;
        let screen = connection.setup().roots.get(number).context("no screen")?.clone();
        let (id, gc) = (connection.generate_id()?, connection.generate_id()?);
        let (depth, class) = (screen.root_depth, WindowClass::INPUT_OUTPUT);
        let look = CreateWindowAux::new().background_pixel(screen.white_pixel);
        connection.create_window(
            depth,
            id,
            screen.root,
            x,
            y,
            width,
            height,
            0,
            class,
            0,
            &look,
        )?;
        connection.create_gc(gc, id, &CreateGCAux::new())?;
        connection.map_window(id)?;
        // Out of the way, in the lower right corner.
        let corner = (screen.width_in_pixels as i16, screen.height_in_pixels as i16);
        connection.warp_pointer(x11rb::NONE, screen.root, 0, 0, 0, 0, corner.0, corner.1)?;
        connection.sync()?;
        Ok(Self { connection, id, gc, depth })
    }

    /// As `--share` wants it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("window:{:x}", self.id)
    }

    /// Shows a page in the upper left corner.
    pub fn draw(&self, page: &Page) -> anyhow::Result<()> {
        let pixels: Vec<u8> =
            page.luma.iter().flat_map(|luma| [if *luma == WHITE { 255 } else { 0 }; 4]).collect();
        let (width, height) = (page.width as u16, page.height as u16);
        let format = ImageFormat::Z_PIXMAP;
        self.connection
            .put_image(format, self.id, self.gc, width, height, 0, 0, 0, self.depth, &pixels)?;
        self.connection.sync()?;
        Ok(())
    }

    /// Changes its size, in pixels.
    pub fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let size = ConfigureWindowAux::new().width(width).height(height);
        self.connection.configure_window(self.id, &size)?;
        self.connection.sync()?;
        Ok(())
    }

    /// Closes it.
    pub fn close(self) -> anyhow::Result<()> {
        self.connection.destroy_window(self.id)?;
        self.connection.sync()?;
        Ok(())
    }
}

/// Lines of letters of ten pixels, as an editor shows them.
#[derive(Debug)]
pub struct Page {
    width: usize,
    height: usize,
    luma: Vec<u8>,
}

impl Page {
    /// Pages of different numbers have nothing in common.
    #[must_use]
    pub fn new(width: usize, height: usize, number: u64) -> Self {
        let mut luma = vec![WHITE; width * height];
        let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for line in 0..height / 15 {
            for column in 2..width / 8 - 2 {
                // xorshift64
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                for dot in (0..35).filter(|dot| state >> dot & 1 == 1) {
                    let (x, y) = (column * 8 + dot % 5, line * 15 + 4 + dot / 5);
                    luma[y * width + x] = BLACK;
                }
            }
        }
        Self { width, height, luma }
    }

    /// The brightness of its pixels, limited range.
    #[must_use]
    pub fn luma(&self) -> &[u8] {
        &self.luma
    }
}
