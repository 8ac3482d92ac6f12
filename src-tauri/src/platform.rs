//! Where the systems differ, one file each.

#[cfg(target_os = "linux")]
#[path = "platform/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "platform/other.rs"]
mod system;

pub(crate) use system::{
    draws_in_software, has_display, is_first_start, may_be_second_start, prepare, register_scheme,
};

/// Waits until the system, or whoever started the app in a terminal, wants it to end.
pub(crate) async fn asked_to_end() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
            _ = hang_up.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// `th` where the system speaks Thai, else `en`.
pub(crate) fn system_language() -> String {
    let locale = sys_locale::get_locale().unwrap_or_default();
    if locale.starts_with("th") { "th".to_owned() } else { "en".to_owned() }
}
