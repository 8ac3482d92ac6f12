//! A screen that nobody sees: Xvfb on a display number of its own choice.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::Context as _;

use crate::Child;

/// A virtual X11 screen.
#[derive(Debug)]
pub struct Display {
    name: String,
    _server: Child,
}

impl Display {
    /// Starts Xvfb with one screen of this size.
    pub fn start(width: u32, height: u32) -> anyhow::Result<Self> {
        let screen = format!("{width}x{height}x24");
        let mut command = Command::new("Xvfb");
        // The number comes on standard output: a fixed one could be somebody else's.
        command
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", &screen])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = Child::start("Xvfb", &mut command)?;
        let mut number = String::new();
        BufReader::new(server.take_stdout()?).read_line(&mut number)?;
        let number: u32 = number.trim().parse().context("Xvfb named no display")?;
        Ok(Self { name: format!(":{number}"), _server: server })
    }

    /// Asks every window on it to close, as the close button of a window manager does
    /// (ICCCM 4.2.8.1); gives how many there are.
    #[cfg(target_os = "linux")]
    pub fn close_windows(&self) -> anyhow::Result<usize> {
        use x11rb::{
            connection::Connection as _,
            protocol::xproto::{
                AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, MapState,
            },
        };

        let (screen, number) = x11rb::connect(Some(&self.name))?;
        let root = screen.setup().roots.get(number).context("the display has no screen")?.root;
        let protocols = screen.intern_atom(false, b"WM_PROTOCOLS")?.reply()?.atom;
        let delete = screen.intern_atom(false, b"WM_DELETE_WINDOW")?.reply()?.atom;
        let mut asked = 0;
        for window in screen.query_tree(root)?.reply()?.children {
            let understood =
                screen.get_property(false, window, protocols, AtomEnum::ATOM, 0, 32)?.reply()?;
            let closes = understood.value32().is_some_and(|mut atoms| atoms.any(|it| it == delete));
            let shown = screen.get_window_attributes(window)?.reply()?.map_state;
            if closes && shown == MapState::VIEWABLE {
                let data = [delete, x11rb::CURRENT_TIME, 0, 0, 0];
                let message = ClientMessageEvent::new(32, window, protocols, data);
                screen.send_event(false, window, EventMask::NO_EVENT, message)?.check()?;
                asked += 1;
            }
        }
        Ok(asked)
    }

    /// For the variable `DISPLAY`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
