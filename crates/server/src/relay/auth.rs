//! Who asks (RFC 8489 §9.2, with the credentials of [`TurnCredentials`]).
//!
//! Nothing is remembered of whoever asks: a nonce is the time and a MAC over it and the address, so
//! that anybody's can be checked, and a password is computed from the name.

use std::{
    net::SocketAddr,
    time::{Instant, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use turn_types::stun::{
    attribute::{ErrorCode, MessageIntegrity, Nonce, Realm, Username},
    message::{IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message},
    prelude::AttributeStaticType as _,
};

use super::{
    attribute,
    limits::{MAX_USERNAME, NONCE_LIFE},
};
use crate::TurnCredentials;

/// For people who look at what a client says; nothing depends on it.
pub(super) const REALM: &str = "quartet";

/// Somebody with a credential.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) username: String,
    pub(super) key: IntegrityKey,
}

impl Asker {
    /// Who it is, also with the next credential.
    pub(super) fn user(&self) -> &str {
        self.username.split_once(':').map_or(&*self.username, |(_, user)| user)
    }
}

/// Who has an allocation on this path already.
pub(super) struct Known<'a> {
    pub(super) username: &'a str,
    pub(super) key: &'a IntegrityKey,
}

/// Why somebody is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing was shown: this is how everybody begins, to learn the nonce.
    First,
    /// What was shown is wrong, or has ended.
    Wrong,
    /// The nonce is too old, or another address's.
    Stale,
    /// The allocation is somebody else's.
    Other,
    Malformed,
}

impl Refusal {
    pub(super) fn is_first(self) -> bool {
        matches!(self, Self::First | Self::Stale)
    }

    pub(super) fn code(self) -> u16 {
        match self {
            Self::First | Self::Wrong => ErrorCode::UNAUTHORIZED,
            Self::Stale => ErrorCode::STALE_NONCE,
            Self::Other => ErrorCode::WRONG_CREDENTIALS,
            Self::Malformed => ErrorCode::BAD_REQUEST,
        }
    }
}

/// See the module's head.
pub(super) struct Authority {
    credentials: TurnCredentials,
    nonce_key: [u8; 32],
    began: Instant,
}

impl Authority {
    pub(super) fn new(now: Instant, credentials: TurnCredentials, nonce_key: [u8; 32]) -> Self {
        Self { credentials, nonce_key, began: now }
    }

    /// Who asks, or why not.
    pub(super) fn authenticate(
        &self,
        (now, date): (Instant, SystemTime),
        client: SocketAddr,
        message: &Message<'_>,
        known: Option<Known<'_>>,
    ) -> Result<Asker, Refusal> {
        let malformed = |_| Refusal::Malformed;
        if !message.has_attribute(MessageIntegrity::TYPE) {
            return Err(Refusal::First);
        }
        let username: Option<Username> = attribute(message).map_err(malformed)?;
        let nonce: Option<Nonce> = attribute(message).map_err(malformed)?;
        let realm: Option<Realm> = attribute(message).map_err(malformed)?;
        let (Some(username), Some(nonce), Some(_)) = (username, nonce, realm) else {
            return Err(Refusal::Malformed);
        };
        if !self.is_fresh(now, client, nonce.nonce()) {
            return Err(Refusal::Stale);
        }
        let username = username.username();
        if username.len() > MAX_USERNAME {
            return Err(Refusal::Wrong);
        }
        // What is in use stays so, as long as it is refreshed, when the credential has ended.
        let key = match known.as_ref().filter(|known| known.username == username) {
            Some(known) => known.key.clone(),
            None => {
                let password = self.credentials.password(date, username).ok_or(Refusal::Wrong)?;
                key(username, &password)
            }
        };
        message.validate_integrity_with_key(&key).map_err(|_| Refusal::Wrong)?;
        if known.is_some_and(|known| known.username != username) {
            return Err(Refusal::Other);
        }
        Ok(Asker { username: username.to_owned(), key })
    }

    /// A nonce for this client; none before there is a clock to tell its age by.
    pub(super) fn nonce(&self, now: Instant, client: SocketAddr) -> Option<String> {
        let seconds = now.checked_duration_since(self.began)?.as_secs();
        Some(self.nonce_of(seconds, client))
    }

    fn nonce_of(&self, seconds: u64, client: SocketAddr) -> String {
        let mut mac =
            Hmac::<Sha1>::new_from_slice(&self.nonce_key).expect("HMAC takes keys of any length");
        mac.update(format!("{seconds} {client}").as_bytes());
        format!("{seconds:x}-{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn is_fresh(&self, now: Instant, client: SocketAddr, nonce: &str) -> bool {
        let seconds = nonce.split_once('-').and_then(|(age, _)| u64::from_str_radix(age, 16).ok());
        let Some(seconds) = seconds else { return false };
        let since = now.saturating_duration_since(self.began).as_secs();
        // No secret hangs on it: somebody else's nonce is of no use without a credential.
        nonce == self.nonce_of(seconds, client)
            && since.saturating_sub(seconds) < NONCE_LIFE.as_secs()
    }
}

/// RFC 8489 §9.2.2.
pub(super) fn key(username: &str, password: &str) -> IntegrityKey {
    LongTermKeyCredentials::new(username.to_owned(), password.to_owned(), REALM.to_owned())
        .make_key(IntegrityAlgorithm::Sha1)
}
