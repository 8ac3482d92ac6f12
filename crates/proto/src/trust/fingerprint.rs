//! The fingerprint of a DTLS certificate (RFC 8122), and how it is found in a description.

use std::fmt;

/// The name of the attribute, which may stand nowhere else.
const ATTRIBUTE: &str = "fingerprint";
/// What every line has to begin with (RFC 8122 §5).
const LINE: &str = "a=fingerprint:sha-256 ";

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// Why no fingerprint can be taken from a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFingerprint {
    /// There is none.
    #[error("the description names no certificate")]
    Missing,
    /// There is something else than `a=fingerprint:sha-256` and 32 bytes in hexadecimal.
    #[error("the description names a certificate in an unknown way")]
    Malformed,
    /// There are two.
    #[error("the description names several certificates")]
    Several,
}

impl Fingerprint {
    /// The fingerprint of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The one certificate that a description names.
    ///
    /// Stricter than RFC 8122, so that no other reader can find another one in the same text: the
    /// word stands only in lines of the one form, whatever ends a line there, and all agree.
    ///
    /// # Errors
    ///
    /// When there is no such fingerprint, or anything else beside it.
    pub fn of_sdp(sdp: &str) -> Result<Self, InvalidFingerprint> {
        let mut found = None;
        for line in sdp.split(['\r', '\n']) {
            if !contains(line, ATTRIBUTE) {
                continue;
            }
            let value = line.strip_prefix(LINE).and_then(parse);
            let fingerprint = value.ok_or(InvalidFingerprint::Malformed)?;
            if *found.get_or_insert(fingerprint) != fingerprint {
                return Err(InvalidFingerprint::Several);
            }
        }
        found.ok_or(InvalidFingerprint::Missing)
    }
}

impl fmt::Display for Fingerprint {
    /// As in a description.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// In any case of the letters.
fn contains(line: &str, word: &str) -> bool {
    line.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// 32 times two hexadecimal digits, with colons between.
fn parse(text: &str) -> Option<Fingerprint> {
    let mut bytes = [0; 32];
    // Three characters a byte, without the last colon.
    if text.len() != bytes.len() * 3 - 1 {
        return None;
    }
    for (byte, part) in bytes.iter_mut().zip(text.as_bytes().chunks(3)) {
        let digit = |place: usize| char::from(part[place]).to_digit(16);
        if part.get(2).is_some_and(|colon| *colon != b':') {
            return None;
        }
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(Fingerprint(bytes))
}
