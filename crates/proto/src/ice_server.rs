//! A STUN or TURN server, and the one-line form in which command lines and settings name it.

use std::{fmt, str::FromStr};

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// A STUN or TURN server, as in `RTCIceServer`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:`, `stuns:`, `turn:` or `turns:` (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceServer({} urls)", self.urls.len())
    }
}

/// Why a text does not name a STUN or TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIceServer {
    /// Not one of the four schemes, or no usable host.
    #[error("write stun:HOST[:PORT] or turn:USER:CREDENTIAL@HOST[:PORT][?transport=udp|tcp]")]
    Form,
    /// TURN relays for those it knows only.
    #[error("a TURN server needs its user and credential: turn:USER:CREDENTIAL@HOST[:PORT]")]
    NoCredential,
    /// STUN knows no users.
    #[error("a STUN server takes no user: stun:HOST[:PORT]")]
    NeedlessCredential,
}

impl FromStr for IceServer {
    type Err = InvalidIceServer;

    /// `stun:HOST[:PORT]` or `turn:USER:CREDENTIAL@HOST[:PORT][?transport=udp|tcp]`, likewise
    /// `stuns:` and `turns:`. In USER and CREDENTIAL a `%XX` is the byte XX, so that a user with a
    /// colon can be written; an IPv6 HOST stands in brackets.
    fn from_str(text: &str) -> Result<Self, InvalidIceServer> {
        let (scheme, rest) = text.trim().split_once(':').ok_or(InvalidIceServer::Form)?;
        let relays = match scheme {
            "stun" | "stuns" => false,
            "turn" | "turns" => true,
            _ => return Err(InvalidIceServer::Form),
        };
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let (authority, transport) = match place.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (place, None),
        };
        let transport_fits = match transport {
            None => true,
            Some(query) => relays && matches!(query, "transport=udp" | "transport=tcp"),
        };
        if !transport_fits || !is_authority(authority) {
            return Err(InvalidIceServer::Form);
        }
        let (username, credential) = match (relays, login) {
            (false, None) => (None, None),
            (false, Some(_)) => return Err(InvalidIceServer::NeedlessCredential),
            (true, login) => {
                let (user, credential) =
                    login.and_then(|l| l.split_once(':')).ok_or(InvalidIceServer::NoCredential)?;
                if user.is_empty() || credential.is_empty() {
                    return Err(InvalidIceServer::NoCredential);
                }
                (Some(decode(user)?), Some(decode(credential)?))
            }
        };
        Ok(Self { urls: vec![format!("{scheme}:{place}")], username, credential })
    }
}

/// `HOST` or `HOST:PORT`, with an IPv6 address in brackets.
fn is_authority(text: &str) -> bool {
    // The URL parser knows what a host is; `http` lends it the syntax.
    let plain = !text.contains(['/', '\\', '#', '@', '%']) && !text.contains(char::is_whitespace);
    plain
        && url::Url::parse(&format!("http://{text}/"))
            .is_ok_and(|url| url.host_str().is_some() && url.path() == "/")
}

fn decode(text: &str) -> Result<String, InvalidIceServer> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| InvalidIceServer::Form)?;
    Ok(decoded.into_owned())
}
