//! How two participants prove to each other, past the server, that they hold the same link.
//!
//! Everything here is pure: what is signed, byte for byte, and how it is checked. When what is said
//! is `quartet-core`'s; `docs/protocol.md` has the same in words, with test vectors, and the page's
//! own engine does the same with WebCrypto. Left out: certificates and DTLS themselves.

mod code;
mod fingerprint;

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::{
    code::{Code, CodePart, EMOJI, Emoji},
    fingerprint::{Fingerprint, InvalidFingerprint},
};
use crate::{Epoch, InvalidId, PeerId};

/// What everybody with the link can make, and no server: the key of all proofs in a room.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthKey(pub(crate) [u8; 32]);

/// 32 bytes of a proof, as 43 characters of base64url without padding: a [`Nonce`] or what stands
/// for one, or an authentication code.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Word([u8; 32]);

/// What is said beside a description: that it comes from somebody who has the link, and the
/// sender's part of the pair's [`Code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// In an offer the commitment to the offerer's nonce; in an answer the answerer's nonce; in a
    /// `confirm` the offerer's nonce itself.
    pub word: Word,
    /// HMAC-SHA256 of the [`Statement`] under the [`AuthKey`].
    pub mac: Word,
}

/// What a [`Proof`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum About {
    /// An offer.
    Offer = 1,
    /// The answer to it.
    Answer = 2,
    /// The offerer's word that it knows who has answered.
    Confirm = 3,
}

/// Everything that a proof vouches for.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// Which of the three.
    pub about: About,
    /// The pair's connection.
    pub epoch: Epoch,
    /// The sender.
    pub from: PeerId,
    /// The addressee.
    pub to: PeerId,
    /// The sender's certificate.
    pub own: Fingerprint,
    /// The addressee's, once the sender knows it: in an answer and a `confirm`.
    pub other: Option<Fingerprint>,
    /// What it replies to: the `mac` of the offer, the `word` of the answer, nothing for an offer.
    pub reply_to: Option<Word>,
    /// The description itself; nothing for a `confirm`.
    pub sdp: Option<&'a str>,
}

impl AuthKey {
    /// Vouches for a statement.
    #[must_use]
    pub fn prove(&self, statement: &Statement<'_>, word: Word) -> Proof {
        let mac = self.hash(statement, word).finalize().into_bytes().into();
        Proof { word, mac: Word(mac) }
    }

    /// Whether somebody with the same key vouches for a statement. Takes the same time for every
    /// wrong proof.
    #[must_use]
    pub fn is_proven(&self, statement: &Statement<'_>, proof: &Proof) -> bool {
        self.hash(statement, proof.word).verify_slice(&proof.mac.0).is_ok()
    }

    /// Every part has a fixed length, so no two statements have the same bytes.
    fn hash(&self, statement: &Statement<'_>, word: Word) -> Hmac<Sha256> {
        let absent = [0_u8; 32];
        let mut hash = hmac(&self.0);
        hash.update(b"quartet proof 1");
        hash.update(&[statement.about as u8]);
        hash.update(&statement.epoch.to_be_bytes());
        hash.update(&statement.from.to_bytes());
        hash.update(&statement.to.to_bytes());
        hash.update(statement.own.as_bytes());
        hash.update(&statement.other.map_or(absent, |other| *other.as_bytes()));
        hash.update(&word.0);
        hash.update(&statement.reply_to.map_or(absent, |word| word.0));
        hash.update(&statement.sdp.map_or(absent, |sdp| Sha256::digest(sdp).into()));
        hash
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(…)")
    }
}

/// 256 random bits, one side's part of a pair's [`Code`]. Used with one partner only, and never
/// shown before that partner is bound to its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// The nonce of these bytes, which come from a cryptographic random source.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Itself, to be shown.
    #[must_use]
    pub const fn reveal(self) -> Word {
        Word(self.0)
    }

    /// What can be shown before it, and binds to it: SHA-256 of `quartet commitment 1` and itself.
    #[must_use]
    pub fn commit(self) -> Word {
        let hash = Sha256::new().chain_update(b"quartet commitment 1").chain_update(self.0);
        Word(hash.finalize().into())
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(…)")
    }
}

/// The random bits of one visit, from which every nonce of it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct NonceSeed([u8; 32]);

impl NonceSeed {
    /// The seed of these bytes, which come from a cryptographic random source.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The nonce of these numbers; another for every other pair of numbers.
    #[must_use]
    pub fn nonce(&self, acquaintance: u64, round: u32) -> Nonce {
        let mut hash = hmac(&self.0);
        hash.update(&acquaintance.to_be_bytes());
        hash.update(&round.to_be_bytes());
        Nonce(hash.finalize().into_bytes().into())
    }
}

impl fmt::Debug for NonceSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceSeed(…)")
    }
}

impl Word {
    /// The word of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The nonce that was revealed with it.
    #[must_use]
    pub const fn as_nonce(self) -> Nonce {
        Nonce(self.0)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Word(…)")
    }
}

impl From<Word> for String {
    fn from(word: Word) -> Self {
        URL_SAFE_NO_PAD.encode(word.0)
    }
}

impl TryFrom<String> for Word {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        // The length first: a stranger's text is not decoded to find out that it is too long.
        let bytes = (text.len() == 43).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten();
        bytes.and_then(|it| it.try_into().ok()).map(Self).ok_or(InvalidId("part of a proof"))
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests;
