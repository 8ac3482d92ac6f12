//! Which monitors and windows there are.

use x11rb::{
    protocol::{
        randr,
        xproto::{AtomEnum, ConnectionExt as _, MapState, WindowClass},
    },
    rust_connection::RustConnection,
};

use super::{
    super::{SCREEN, Screen, ScreenKind, WINDOW},
    Server, Trouble,
};

/// Windows that are offered at most.
const MAX_WINDOWS: usize = 64;
/// Smaller ones are icons and helpers, pixels.
const LEAST_SIDE: u16 = 32;
/// Characters of a title that are shown at most.
const MAX_TITLE: usize = 120;
/// Words of 4 bytes that are read of a title, or of a list of windows.
const MAX_WORDS: u32 = 1_024;

/// What is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Monitor { x: i16, y: i16, width: u16, height: u16 },
    Window(u32),
}

impl Target {
    /// What an id names; without one, the main screen.
    pub(super) fn find(server: &Server, id: Option<&str>) -> Result<Self, Trouble> {
        if let Some(window) = id.and_then(|id| id.strip_prefix(WINDOW)) {
            return u32::from_str_radix(window, 16).map(Self::Window).map_err(|_| Trouble::Gone);
        }
        let name = id.and_then(|id| id.strip_prefix(SCREEN));
        let monitors = monitors(server)?;
        let found = match name {
            Some(name) => monitors.iter().find(|monitor| monitor.name == name),
            None => monitors.iter().find(|monitor| monitor.primary).or(monitors.first()),
        };
        found.map(|monitor| monitor.target).ok_or(Trouble::Gone)
    }
}

struct Monitor {
    name: String,
    primary: bool,
    target: Target,
    size: (u16, u16),
}

/// The monitors; where RandR knows none, the whole of the X screen.
fn monitors(server: &Server) -> Result<Vec<Monitor>, Trouble> {
    let Server { connection, root } = server;
    let reply = randr::get_monitors(connection, *root, true).ok().and_then(|it| it.reply().ok());
    let mut monitors = Vec::new();
    for info in reply.map(|reply| reply.monitors).unwrap_or_default() {
        let randr::MonitorInfo { x, y, width, height, primary, .. } = info;
        let name = connection.get_atom_name(info.name)?.reply()?.name;
        let name = String::from_utf8_lossy(&name).into_owned();
        let target = Target::Monitor { x, y, width, height };
        monitors.push(Monitor { name, primary, target, size: (width, height) });
    }
    if monitors.is_empty() {
        let root = connection.get_geometry(*root)?.reply()?;
        let size = (root.width, root.height);
        let target = Target::Monitor { x: 0, y: 0, width: size.0, height: size.1 };
        monitors.push(Monitor { name: "X".to_owned(), primary: true, target, size });
    }
    Ok(monitors)
}

pub(super) fn list(server: &Server) -> Result<Vec<Screen>, Trouble> {
    let screens = monitors(server)?.into_iter().map(|Monitor { name, size, .. }| Screen {
        id: format!("{SCREEN}{name}"),
        kind: ScreenKind::Screen,
        title: name,
        width: size.0,
        height: size.1,
    });
    let mut all: Vec<_> = screens.collect();
    // One that is closed meanwhile is left out.
    let windows = windows(server)?.into_iter().rev();
    all.extend(windows.filter_map(|id| window(server, id).ok().flatten()).take(MAX_WINDOWS));
    Ok(all)
}

/// The lowest first: those that the window manager names (EWMH, `_NET_CLIENT_LIST_STACKING`); where
/// there is none, the children of the root.
fn windows(server: &Server) -> Result<Vec<u32>, Trouble> {
    let Server { connection, root } = server;
    let atom = connection.intern_atom(false, b"_NET_CLIENT_LIST_STACKING")?.reply()?.atom;
    let named = connection.get_property(false, *root, atom, AtomEnum::WINDOW, 0, MAX_WORDS)?;
    let named: Vec<_> = named.reply()?.value32().into_iter().flatten().collect();
    if !named.is_empty() {
        return Ok(named);
    }
    Ok(connection.query_tree(*root)?.reply()?.children)
}

/// A window that can be shared.
fn window(server: &Server, id: u32) -> Result<Option<Screen>, Trouble> {
    let connection = &server.connection;
    let attributes = connection.get_window_attributes(id)?;
    let geometry = connection.get_geometry(id)?;
    let (attributes, geometry) = (attributes.reply()?, geometry.reply()?);
    let (width, height) = (geometry.width, geometry.height);
    let fit = attributes.map_state == MapState::VIEWABLE
        && attributes.class == WindowClass::INPUT_OUTPUT
        && !attributes.override_redirect
        && width.min(height) >= LEAST_SIDE;
    // This app's own window would show itself in itself.
    if !fit || cardinal(connection, id, b"_NET_WM_PID")? == Some(std::process::id()) {
        return Ok(None);
    }
    let title = title(connection, id)?;
    let id = format!("{WINDOW}{id:x}");
    Ok(Some(Screen { id, kind: ScreenKind::Window, title, width, height }))
}

fn title(connection: &RustConnection, window: u32) -> Result<String, Trouble> {
    let name = connection.intern_atom(false, b"_NET_WM_NAME")?.reply()?.atom;
    let utf8 = connection.intern_atom(false, b"UTF8_STRING")?.reply()?.atom;
    let title = connection.get_property(false, window, name, utf8, 0, MAX_WORDS)?.reply()?.value;
    let title = if title.is_empty() {
        let old: u32 = AtomEnum::WM_NAME.into();
        let title = connection.get_property(false, window, old, AtomEnum::ANY, 0, MAX_WORDS)?;
        // Latin 1 (ICCCM §4.1.2.1).
        title.reply()?.value.into_iter().map(char::from).collect()
    } else {
        String::from_utf8_lossy(&title).into_owned()
    };
    Ok(title.chars().filter(|it| !it.is_control()).take(MAX_TITLE).collect())
}

fn cardinal(connection: &RustConnection, window: u32, name: &[u8]) -> Result<Option<u32>, Trouble> {
    let atom = connection.intern_atom(false, name)?.reply()?.atom;
    let value = connection.get_property(false, window, atom, AtomEnum::CARDINAL, 0, 1)?.reply()?;
    Ok(value.value32().and_then(|mut values| values.next()))
}
