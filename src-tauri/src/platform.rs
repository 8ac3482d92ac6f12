//! Where the systems differ, one file each.

#[cfg(target_os = "linux")]
#[path = "platform/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "platform/other.rs"]
mod system;

pub(crate) use system::{draws_in_software, prepare, register_scheme};

/// `th` where the system speaks Thai, else `en`.
pub(crate) fn system_language() -> String {
    let locale = sys_locale::get_locale().unwrap_or_default();
    if locale.starts_with("th") { "th".to_owned() } else { "en".to_owned() }
}
