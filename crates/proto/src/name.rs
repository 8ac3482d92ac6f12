//! Display names: what somebody may be called on the others' screens.

use crate::limits::MAX_NAME_CHARS;

/// Why a text cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing that can be seen.
    #[error("please give a name")]
    Empty,
    /// More than [`MAX_NAME_CHARS`] characters.
    #[error("this name is too long")]
    TooLong,
    /// A line break, a control, or a character that changes how the text around it is shown.
    #[error("this name has characters that a name cannot have")]
    Character,
}

/// The name without the white space around it, if it can be one.
///
/// A name is drawn next to other people's names and words, so it must stay on its line, keep its
/// direction to itself and be visible. Everything else is allowed, in any script.
pub fn display_name(text: &str) -> Result<&str, InvalidName> {
    let name = text.trim();
    // Before counting: a stranger's text may be a megabyte, and no character has over four bytes.
    if name.len() > 4 * MAX_NAME_CHARS || name.chars().count() > MAX_NAME_CHARS {
        return Err(InvalidName::TooLong);
    }
    if name.chars().any(is_refused) {
        return Err(InvalidName::Character);
    }
    if name.chars().all(is_unseen) {
        return Err(InvalidName::Empty);
    }
    Ok(name)
}

/// Characters that no name may have.
fn is_refused(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Direction marks, embeddings, overrides and isolates (UAX #9).
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // Invisible: soft hyphen, zero-width space, word joiner and its kin, byte order mark,
            // interlinear annotations, tags.
            | '\u{00AD}' | '\u{200B}' | '\u{2060}'..='\u{2065}' | '\u{206A}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
            // Letters that show nothing: the fillers of Hangul.
            | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}')
}

/// Characters that show nothing by themselves, but that words and emoji need.
fn is_unseen(c: char) -> bool {
    // Zero-width (non-)joiner, variation selectors, the empty Braille pattern.
    c.is_whitespace() || matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{2800}')
}
