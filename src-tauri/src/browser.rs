//! Opens an address out of a chat in the system's browser. The page has looked at it; nothing is
//! taken for granted here all the same, for it goes to a program of the system.

use std::io;

use tauri::Url;

/// What every browser takes, in bytes.
const MAX_URL_BYTES: usize = 2_000;

/// Why an address is not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrowserError {
    /// Of another scheme, without a host, with a password in it, too long, or none at all.
    #[error("this is no address of the web")]
    Address,
    /// The system has no browser, say.
    #[error("the browser could not be opened: {0}")]
    System(#[from] io::Error),
}

/// Opens it; returns at once.
pub(crate) fn open(address: &str) -> Result<(), BrowserError> {
    let url = checked(address)?;
    Ok(open::that_detached(url.as_str())?)
}

fn checked(address: &str) -> Result<Url, BrowserError> {
    let url = Url::parse(address).map_err(|_| BrowserError::Address)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let has_user = !url.username().is_empty() || url.password().is_some();
    if is_web && !has_user && url.as_str().len() <= MAX_URL_BYTES {
        Ok(url)
    } else {
        Err(BrowserError::Address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_are_opened() {
        for address in
            ["https://example.org/a?b#c", "http://127.0.0.1:8080/", "HTTPS://EXAMPLE.ORG"]
        {
            assert!(checked(address).is_ok(), "{address}");
        }
        let long = format!("https://example.org/{}", "x".repeat(MAX_URL_BYTES));
        for address in [
            "",
            "example.org",
            "--help",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "quartet://join?server=x",
            "ssh://example.org",
            "https://",
            "https://bank.example@example.org/",
            "https://a:b@example.org/",
            &long,
        ] {
            assert!(checked(address).is_err(), "{address}");
        }
    }
}
