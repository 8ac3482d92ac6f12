//! Windows and macOS need nothing here: the installer and the bundle register the scheme, and the
//! system's webview draws by the graphics card where there is one.

use tauri::AppHandle;

pub(crate) fn has_display() -> bool {
    true
}

pub(crate) fn prepare() {}

pub(crate) fn draws_in_software() -> bool {
    false
}

pub(crate) fn register_scheme(_handle: &AppHandle) {
    #[cfg(windows)]
    {
        use tauri_plugin_deep_link::DeepLinkExt as _;
        // HKCU: the installer's entry, again for a copy that was only unpacked.
        if let Err(error) = _handle.deep_link().register_all() {
            tracing::warn!(%error, "quartet: links do not open this app");
        }
    }
}

pub(crate) fn may_be_second_start() {}

pub(crate) fn is_first_start() {}
