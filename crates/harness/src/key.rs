//! Keys that write no character, as WebDriver names them (W3C WebDriver, section 17.4.2).

/// Tab.
pub const TAB: &str = "\u{E004}";
/// Enter.
pub const ENTER: &str = "\u{E007}";
/// Escape.
pub const ESCAPE: &str = "\u{E00C}";
