//! Linux: WebKitGTK and the desktop files of freedesktop.org.

use std::{
    env, fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use tauri::{AppHandle, Manager as _};
use tauri_plugin_deep_link::DeepLinkExt as _;

/// X11 or Wayland is there. GTK does not start without, and only a panic would say so.
pub(crate) fn has_display() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Tells WebKitGTK not to share buffers with a graphics card that is not there: 0.43 s instead of
/// 0.75 s to the first picture, and 65 MB less. A value that the person has set stays.
pub(crate) fn prepare() {
    const VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    if draws_in_software() && env::var_os(VARIABLE).is_none() {
        #[expect(unsafe_code, reason = "the only way to reach WebKit, which reads it once")]
        // SAFETY: called first in `main`, before there is a second thread that could read it.
        unsafe {
            env::set_var(VARIABLE, "1");
        }
    }
}

/// While true, the process ends at `exit` without a clean-up.
static END_AT_ONCE: AtomicBool = AtomicBool::new(false);

/// Call it before it is known whether the app runs already, and [`is_first_start`] after.
///
/// A second start ends by `exit` inside the plug-in that finds out. By then GTK's and WebKit's
/// threads run, and the destructors of their libraries, which `exit` calls, crash under them now
/// and then. It has nothing to clean up: it ends before those.
pub(crate) fn may_be_second_start() {
    extern "C" fn end_at_once() {
        if END_AT_ONCE.load(Ordering::Acquire) {
            #[expect(unsafe_code, reason = "there is no safe name for it")]
            // SAFETY: ends the process; takes no pointer and runs nothing.
            unsafe {
                libc::_exit(0);
            }
        }
    }
    END_AT_ONCE.store(true, Ordering::Release);
    #[expect(unsafe_code, reason = "the only way to come before the libraries' destructors")]
    // SAFETY: the function neither unwinds nor touches anything that can be gone by then. When the
    // system has no room for it, `exit` is as it was.
    unsafe {
        libc::atexit(end_at_once);
    }
}

/// From now on `exit` is as usual.
pub(crate) fn is_first_start() {
    END_AT_ONCE.store(false, Ordering::Release);
}

/// There is no render node, so everything is drawn by the processor.
pub(crate) fn draws_in_software() -> bool {
    !fs::read_dir("/dev/dri").is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
        })
    })
}

/// Makes this program the one that opens `quartet:` links.
///
/// The plug-in writes a quoted `Exec` that a generic xdg-open cannot read (plugins-workspace#3374):
/// without a space in the path the quotes are not needed, and are taken away.
pub(crate) fn register_scheme(handle: &AppHandle) {
    if let Err(error) = handle.deep_link().register_all() {
        tracing::warn!(%error, "quartet: links do not open this app");
        return;
    }
    let (Ok(program), Ok(data)) = (tauri::utils::platform::current_exe(), handle.path().data_dir())
    else {
        return;
    };
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entry = data.join("applications").join(format!("{name}-handler.desktop"));
    if let Err(error) = unquote(&entry, &program) {
        tracing::debug!(%error, "the desktop file is left as it is");
    }
}

fn unquote(entry: &Path, program: &Path) -> std::io::Result<()> {
    let program = program.to_string_lossy();
    if program.contains(char::is_whitespace) {
        return Ok(());
    }
    let text = fs::read_to_string(entry)?;
    let plain = text.replace(&format!("\"{program}\""), &program);
    if plain == text { Ok(()) } else { fs::write(entry, plain) }
}
