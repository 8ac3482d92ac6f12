//! The pixels of one monitor or window.

use std::{fs::File, os::unix::fs::FileExt as _};

use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        composite::{self, Redirect},
        damage::{self, ReportLevel},
        shm, xfixes,
        xproto::{
            ChangeWindowAttributesAux, ConnectionExt as _, EventMask, ImageFormat, ImageOrder,
        },
    },
    rust_connection::RustConnection,
};

use super::{Server, Trouble, pixels::Image, pointer::Pointer, targets::Target};

/// The longest side that is captured, pixels: an 8K monitor has 7680.
const LONGEST_SIDE: u16 = 8_192;

/// What has happened since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    Something,
}

/// An open capture; the server forgets all of it with the connection.
pub(super) struct Capture<'a> {
    connection: &'a RustConnection,
    root: u32,
    target: Target,
    /// The window, or the root.
    drawable: u32,
    damage: u32,
    /// Of a window: its picture, also where others cover it; none while it is hidden.
    pixmap: Option<Pixmap>,
    memory: Option<Memory>,
    pointer: Pointer,
    /// Nothing was grabbed yet, or another size.
    fresh: bool,
    image: Image,
}

#[derive(Debug, Clone, Copy)]
struct Pixmap {
    id: u32,
    border: i16,
    width: u16,
    height: u16,
}

/// Memory that the server writes into.
struct Memory {
    segment: u32,
    file: File,
    len: usize,
}

impl<'a> Capture<'a> {
    pub(super) fn open(server: &'a Server, target: Target) -> Result<Self, Trouble> {
        let Server { connection, root } = server;
        composite::query_version(connection, 0, 4)?.reply()?;
        damage::query_version(connection, 1, 1)?.reply()?;
        xfixes::query_version(connection, 5, 0)?.reply()?;
        if connection.setup().image_byte_order != ImageOrder::LSB_FIRST {
            return Err(Trouble::Pixels);
        }
        let drawable = match target {
            Target::Monitor { .. } => *root,
            Target::Window(window) => window,
        };
        let events = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        connection.change_window_attributes(drawable, &events)?.check().map_err(gone)?;
        if let Target::Window(window) = target {
            composite::redirect_window(connection, window, Redirect::AUTOMATIC)?
                .check()
                .map_err(gone)?;
        }
        let damage = connection.generate_id()?;
        damage::create(connection, damage, drawable, ReportLevel::NON_EMPTY)?
            .check()
            .map_err(gone)?;
        let mut capture = Self {
            connection,
            root: *root,
            target,
            drawable,
            damage,
            pixmap: None,
            memory: None,
            pointer: Pointer::default(),
            fresh: true,
            image: Image::default(),
        };
        capture.name_pixmap()?;
        Ok(capture)
    }

    /// Whether there is something new to grab.
    pub(super) fn look(&mut self) -> Result<News, Trouble> {
        let mut news = std::mem::take(&mut self.fresh);
        while let Some(event) = self.connection.poll_for_event()? {
            match event {
                Event::DamageNotify(_) => news = true,
                // The events of a window's children do not come.
                Event::DestroyNotify(event) if event.window == self.drawable => {
                    return Err(Trouble::Gone);
                }
                Event::ConfigureNotify(event) if event.window == self.drawable => {
                    let size = self.pixmap.map(|it| (it.width, it.height));
                    if size != Some((event.width, event.height)) {
                        self.name_pixmap()?;
                        news = true;
                    }
                }
                Event::MapNotify(event) if event.window == self.drawable => {
                    self.name_pixmap()?;
                    news = true;
                }
                Event::UnmapNotify(event) if event.window == self.drawable => {
                    self.forget_pixmap()?;
                }
                _ => {}
            }
        }
        if news {
            // From now on the next change is told.
            damage::subtract(self.connection, self.damage, x11rb::NONE, x11rb::NONE)?;
        }
        news |= self.pointer.look(self.connection)?;
        Ok(if news { News::Something } else { News::Nothing })
    }

    /// The picture as it is now, with the pointer.
    pub(super) fn grab(&mut self) -> Result<&Image, Trouble> {
        let (source, x, y, width, height) = match (self.target, self.pixmap) {
            (Target::Monitor { x, y, width, height }, _) => (self.root, x, y, width, height),
            (Target::Window(_), Some(Pixmap { id, border, width, height })) => {
                (id, border, border, width, height)
            }
            (Target::Window(_), None) => return Err(Trouble::Hidden),
        };
        let (width, height) = (width.min(LONGEST_SIDE), height.min(LONGEST_SIDE));
        let len = usize::from(width) * usize::from(height) * 4;
        self.image.width = width;
        self.image.height = height;
        self.image.bgrx.resize(len, 0);
        self.make_room(len)?;
        let format = ImageFormat::Z_PIXMAP;
        let depth = if let Some(memory) = &self.memory {
            let image = shm::get_image(
                self.connection,
                source,
                x,
                y,
                width,
                height,
                !0,
                format.into(),
                memory.segment,
                0,
            )?;
            let depth = image.reply().map_err(hidden)?.depth;
            memory.file.read_exact_at(&mut self.image.bgrx, 0)?;
            depth
        } else {
            let image = self.connection.get_image(format, source, x, y, width, height, !0)?.reply();
            let image = image.map_err(hidden)?;
            if image.data.len() < len {
                return Err(Trouble::Pixels);
            }
            self.image.bgrx.copy_from_slice(&image.data[..len]);
            image.depth
        };
        if !matches!(depth, 24 | 32) {
            return Err(Trouble::Pixels);
        }
        let origin = match self.target {
            Target::Monitor { x, y, .. } => (x, y),
            Target::Window(window) => {
                let at = self.connection.translate_coordinates(window, self.root, 0, 0)?.reply();
                let at = at.map_err(gone)?;
                (at.dst_x, at.dst_y)
            }
        };
        self.pointer.draw(&mut self.image, origin);
        Ok(&self.image)
    }

    /// Memory that the server shares with this program, where it can; else the picture comes through
    /// the socket, several times slower.
    fn make_room(&mut self, len: usize) -> Result<(), Trouble> {
        if self.memory.as_ref().is_some_and(|memory| memory.len >= len) {
            return Ok(());
        }
        if let Some(old) = self.memory.take() {
            shm::detach(self.connection, old.segment)?;
        }
        let Ok(size) = u32::try_from(len) else { return Ok(()) };
        if !matches!(
            shm::query_version(self.connection).map(|it| it.reply()),
            Ok(Ok(version)) if (version.major_version, version.minor_version) >= (1, 2)
        ) {
            return Ok(());
        }
        let segment = self.connection.generate_id()?;
        let made = shm::create_segment(self.connection, segment, size, false);
        if let Ok(Ok(made)) = made.map(|it| it.reply()) {
            let file = File::from(made.shm_fd);
            self.memory = Some(Memory { segment, file, len });
        }
        Ok(())
    }

    /// The window's present picture: another one after each change of its size.
    fn name_pixmap(&mut self) -> Result<(), Trouble> {
        self.forget_pixmap()?;
        let Target::Window(window) = self.target else { return Ok(()) };
        let geometry = self.connection.get_geometry(window)?.reply().map_err(gone)?;
        let id = self.connection.generate_id()?;
        // Refused while the window is hidden.
        if composite::name_window_pixmap(self.connection, window, id)?.check().is_ok() {
            self.pixmap = Some(Pixmap {
                id,
                border: geometry.border_width as i16,
                width: geometry.width,
                height: geometry.height,
            });
        }
        Ok(())
    }

    fn forget_pixmap(&mut self) -> Result<(), Trouble> {
        if let Some(old) = self.pixmap.take() {
            self.connection.free_pixmap(old.id)?;
        }
        Ok(())
    }
}

/// What is refused of a window is refused because it is not there.
fn gone(error: x11rb::errors::ReplyError) -> Trouble {
    match error {
        x11rb::errors::ReplyError::X11Error(_) => Trouble::Gone,
        other => other.into(),
    }
}

/// A picture that is refused has just changed its size, or was hidden: the events say so next.
fn hidden(error: x11rb::errors::ReplyError) -> Trouble {
    match error {
        x11rb::errors::ReplyError::X11Error(_) => Trouble::Hidden,
        other => other.into(),
    }
}
