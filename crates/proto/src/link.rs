//! Join links: `https://HOST/j#SECRET` and `quartet://join?server=ORIGIN#SECRET`.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::Sha256;
use url::Url;

use crate::{AuthKey, RoomId, ids::decode_16, limits::MAX_LINK_BYTES};

/// Why a text is not a join link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLink {
    /// Longer than [`MAX_LINK_BYTES`].
    #[error("this link is too long")]
    TooLong,
    /// Neither of the two forms.
    #[error("this is not a Quartet link")]
    NotALink,
    /// The secret after `#` is missing or damaged.
    #[error("this link is incomplete: copy it again, to its very end")]
    Secret,
    /// The server in it is not a plain `http` or `https` address.
    #[error("this link names no usable server")]
    Server,
}

/// The 128 random bits after the `#`; they never reach a server, and no log.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkSecret([u8; 16]);

impl LinkSecret {
    /// A secret of these bytes, which come from a cryptographic random source.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// What the server may know: HKDF-SHA256 of the secret (RFC 5869) under `quartet room 1`.
    #[must_use]
    pub fn room_id(&self) -> RoomId {
        RoomId::from_bytes(self.derive(b"quartet room 1"))
    }

    /// What the participants prove themselves with: likewise, under `quartet auth 1`. The server
    /// cannot find it from the room.
    #[must_use]
    pub fn auth_key(&self) -> AuthKey {
        AuthKey(self.derive(b"quartet auth 1"))
    }

    fn derive<const LENGTH: usize>(&self, info: &[u8]) -> [u8; LENGTH] {
        let mut derived = [0; LENGTH];
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(info, &mut derived)
            .expect("16 and 32 bytes are within what HKDF can give");
        derived
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(…)")
    }
}

/// The origin of a signalling server: scheme, host and port, nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// Parses `http://HOST[:PORT]` or `https://HOST[:PORT]`; a path other than `/`, a query, a
    /// fragment or credentials make it invalid.
    pub fn parse(text: &str) -> Result<Self, InvalidLink> {
        if text.len() > MAX_LINK_BYTES {
            return Err(InvalidLink::TooLong);
        }
        let url = Url::parse(text).map_err(|_| InvalidLink::Server)?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        if plain { Ok(Self(url)) } else { Err(InvalidLink::Server) }
    }

    /// Where the signalling WebSocket is: `ws://HOST/ws` or `wss://HOST/ws`.
    #[must_use]
    pub fn websocket(&self) -> String {
        let scheme = if self.0.scheme() == "https" { "wss" } else { "ws" };
        format!("{scheme}://{}/ws", self.authority())
    }

    /// The host, with the port when it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.0.host_str().expect("checked by parse");
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.authority())
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerUrl(…)")
    }
}

/// An invitation: where to meet, and the secret that both ends derive everything else from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinLink {
    /// The signalling server.
    pub server: ServerUrl,
    /// What makes the room.
    pub secret: LinkSecret,
}

impl JoinLink {
    /// Reads either form. The text is a stranger's: anything unusual is refused.
    pub fn parse(text: &str) -> Result<Self, InvalidLink> {
        let text = text.trim();
        if text.len() > MAX_LINK_BYTES {
            return Err(InvalidLink::TooLong);
        }
        let mut url = Url::parse(text).map_err(|_| InvalidLink::NotALink)?;
        let secret = url.fragment().and_then(decode_16).map(LinkSecret);
        url.set_fragment(None);
        let server = match url.scheme() {
            "http" | "https" if matches!(url.path(), "/j" | "/j/") && url.query().is_none() => {
                url.set_path("/");
                ServerUrl::parse(url.as_str())?
            }
            "quartet" if url.host_str() == Some("join") && matches!(url.path(), "" | "/") => {
                let mut pairs = url.query_pairs();
                match (pairs.next(), pairs.next()) {
                    (Some((key, origin)), None) if key == "server" => ServerUrl::parse(&origin)?,
                    _ => return Err(InvalidLink::Server),
                }
            }
            _ => return Err(InvalidLink::NotALink),
        };
        Ok(Self { server, secret: secret.ok_or(InvalidLink::Secret)? })
    }

    /// The form that opens the app directly.
    #[must_use]
    pub fn to_app_url(&self) -> String {
        let origin = self.server.to_string();
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("server", &origin)
            .finish();
        format!("quartet://join?{query}#{}", URL_SAFE_NO_PAD.encode(self.secret.0))
    }

    /// The form that people send: it works without the app too.
    #[must_use]
    pub fn to_web_url(&self) -> String {
        format!("{}/j#{}", self.server, URL_SAFE_NO_PAD.encode(self.secret.0))
    }
}
