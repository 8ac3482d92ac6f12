//! The library's errors, made fit for logs.

use webrtc::error::Error;

use crate::LinkError;

/// Names an error without the values in it: those may be addresses, SDP or packets.
pub(crate) fn name(error: &Error) -> String {
    let text = format!("{error:?}");
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    text[..end].to_owned()
}

impl LinkError {
    pub(crate) fn library(doing: &'static str, error: &Error) -> Self {
        Self { doing, reason: name(error) }
    }

    pub(crate) fn refused(doing: &'static str, reason: &str) -> Self {
        Self { doing, reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_without_its_values() {
        assert_eq!(name(&Error::Other("192.0.2.7".to_owned())), "Other");
        assert_eq!(name(&Error::ErrNoRemoteDescription), "ErrNoRemoteDescription");
    }
}
