//! Identifiers: a room, a participant, and the key that proves to be that participant.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct InvalidId(pub(crate) &'static str);

/// A participant of one room for one visit: 16 hexadecimal digits.
///
/// It is the beginning of a hash of the participant's [`SessionKey`], so any server, also one that
/// has just been started, can tell that a returning participant is who it was before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerId(u64);

impl PeerId {
    /// The participant that a number names; for tests and simulations.
    #[must_use]
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }

    /// The 8 bytes that the text writes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl From<PeerId> for String {
    fn from(id: PeerId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for PeerId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl std::str::FromStr for PeerId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let hex = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !hex {
            return Err(InvalidId("participant id"));
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| InvalidId("participant id"))
    }
}

/// 128 random bits, made for one visit to a room: whoever shows them is that participant.
///
/// Known to the participant and the server only, never to the other participants. Comparing two
/// takes the same time whatever they have in common.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionKey([u8; 16]);

impl SessionKey {
    /// A key of these bytes, which come from a cryptographic random source.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The participant that this key proves to be: the first 8 bytes of its SHA-256.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        let digest = Sha256::digest(self.0);
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        PeerId(u64::from_be_bytes(first))
    }
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SessionKey {}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

impl From<SessionKey> for String {
    fn from(key: SessionKey) -> Self {
        URL_SAFE_NO_PAD.encode(key.0)
    }
}

impl TryFrom<String> for SessionKey {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        decode_16(&text).map(Self).ok_or(InvalidId("session key"))
    }
}

/// A room as the server knows it: 128 bits derived from the link's secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomId([u8; 16]);

impl RoomId {
    /// The room that these bytes name.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomId(…)")
    }
}

impl From<RoomId> for String {
    fn from(room: RoomId) -> Self {
        URL_SAFE_NO_PAD.encode(room.0)
    }
}

impl TryFrom<String> for RoomId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        decode_16(&text).map(Self).ok_or(InvalidId("room id"))
    }
}

/// 22 characters of unpadded base64url as 16 bytes.
pub(crate) fn decode_16(text: &str) -> Option<[u8; 16]> {
    // The length first: a stranger's text is not decoded to find out that it is too long.
    if text.len() != 22 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
