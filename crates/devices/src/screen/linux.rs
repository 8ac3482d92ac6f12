//! X11, through its own protocol: RandR names the monitors, Composite gives the pictures of windows
//! that others cover, Damage says when there is something new, MIT-SHM moves the pixels, XFixes
//! knows the pointer.
//!
//! A Wayland session shows no program the others' windows but through its portal, which this does
//! not speak: there it says so. (Xwayland would answer, and show black.)

mod capture;
mod pixels;
mod pointer;
mod targets;

use std::time::{Duration, Instant, SystemTime};

use quartet_media::{DeviceError, FrameSlot, I420Frame, Stop};
use x11rb::{
    errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError},
    rust_connection::RustConnection,
};

use self::{
    capture::{Capture, News},
    pixels::{shrink, to_planes},
    targets::Target,
};
use super::{Screen, ScreenError, Thumbnail};

/// Between two pictures while something moves: 30 a second.
const TICK: Duration = Duration::from_millis(33);
/// And while nothing does: 5 a second, for the encoder to make fine what was coarse, and for whoever
/// has just come.
const REST: Duration = Duration::from_millis(200);

/// Why the X server does not do what is asked of it.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// A window was closed, a monitor unplugged.
    #[error("it is gone")]
    Gone,
    /// A window is minimised, and has no picture.
    #[error("it is hidden")]
    Hidden,
    /// Pixels that are neither 24 nor 32 bits deep.
    #[error("its pixels are of an unusual kind")]
    Pixels,
    #[error("no X server: {0}")]
    Connect(#[from] ConnectError),
    #[error("the X server is gone: {0}")]
    Connection(#[from] ConnectionError),
    #[error("the X server refuses: {0}")]
    Reply(#[from] ReplyError),
    #[error("the X server refuses: {0}")]
    Id(#[from] ReplyOrIdError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl From<Trouble> for ScreenError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Gone | Trouble::Hidden => Self::Gone,
            other => Self::System(other.to_string()),
        }
    }
}

/// The connection, and the number of its default screen.
struct Server {
    connection: RustConnection,
    root: u32,
}

impl Server {
    fn connect() -> Result<Self, ScreenError> {
        use x11rb::connection::Connection as _;
        if is_wayland() {
            return Err(ScreenError::Unsupported(
                "a Wayland session lets this app share no screen yet; the browser can, and so can \
                 this app in an X11 session",
            ));
        }
        let (connection, number) = x11rb::connect(None).map_err(Trouble::from)?;
        let roots = &connection.setup().roots;
        let root = roots.get(number).ok_or(ScreenError::Gone)?.root;
        Ok(Self { connection, root })
    }
}

fn is_wayland() -> bool {
    std::env::var_os("WAYLAND_DISPLAY").is_some_and(|name| !name.is_empty())
}

pub(super) fn list() -> Result<Vec<Screen>, ScreenError> {
    let server = Server::connect()?;
    Ok(targets::list(&server)?)
}

pub(super) fn thumbnail(id: &str) -> Result<Thumbnail, ScreenError> {
    let server = Server::connect()?;
    let target = Target::find(&server, Some(id))?;
    let mut capture = Capture::open(&server, target)?;
    let image = capture.grab()?;
    Ok(shrink(image))
}

pub(super) fn run(
    id: Option<&str>,
    label: &str,
    out: &FrameSlot,
    stop: &Stop,
) -> Result<(), DeviceError> {
    let failed = |error: &dyn std::fmt::Display| DeviceError::Failed {
        device: label.to_owned(),
        reason: error.to_string(),
    };
    let of_trouble = |trouble: Trouble| match trouble {
        Trouble::Gone => DeviceError::Closed(label.to_owned()),
        other => failed(&other),
    };
    let server = Server::connect().map_err(|error| failed(&error))?;
    let target = Target::find(&server, id).map_err(of_trouble)?;
    let mut capture = Capture::open(&server, target).map_err(of_trouble)?;
    let mut last: Option<I420Frame> = None;
    let mut given = Instant::now();
    let mut index = 0;
    let mut next = Instant::now();
    loop {
        if stop.wait(next.saturating_duration_since(Instant::now())) {
            return Ok(());
        }
        let now = Instant::now();
        // A machine that is too slow for this pace takes pictures more seldom.
        next = (next + TICK).max(now + TICK / 4);
        let news = capture.look().map_err(of_trouble)?;
        let rested = now.saturating_duration_since(given) >= REST;
        if news == News::Nothing && !rested {
            continue;
        }
        let at = SystemTime::now();
        let taken = match (news, &last) {
            (News::Nothing, Some(last)) => Some((last.width(), last.height(), last.shared_data())),
            _ => match capture.grab() {
                Ok(image) => to_planes(image),
                // A minimised window keeps the picture that it had.
                Err(Trouble::Hidden) => {
                    last.as_ref().map(|last| (last.width(), last.height(), last.shared_data()))
                }
                Err(trouble) => return Err(of_trouble(trouble)),
            },
        };
        let Some((width, height, planes)) = taken else { continue };
        let Some(frame) = I420Frame::new(width, height, planes, index, at) else { continue };
        out.put(frame.clone());
        (last, given) = (Some(frame), now);
        index += 1;
    }
}
