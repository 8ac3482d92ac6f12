//! Credentials for a TURN server that end by themselves (draft-uberti-behave-turn-rest-00 §2.2,
//! coturn's `use-auth-secret`).
//!
//! The signalling server and the TURN server share a secret, and nothing else: the TURN server
//! checks what comes by computing it again. So a credential that somebody passes on relays for
//! strangers only until it ends.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use quartet_proto::{IceServer, PeerId};
use sha1::Sha1;

/// How long credentials are good for, unless chosen otherwise. A call does without the signalling
/// server for at least half of it, and still finds new paths through the relay.
pub const TURN_TTL: Duration = Duration::from_secs(2 * 60 * 60);

/// A TURN server, and what makes credentials for it.
#[derive(Clone)]
pub struct TurnCredentials {
    secret: Vec<u8>,
    urls: Vec<String>,
    ttl: Duration,
}

impl TurnCredentials {
    /// For the server that is reached by `urls` (RFC 7065) and knows `secret`. What is issued ends
    /// after `ttl`; seconds are what counts.
    #[must_use]
    pub fn new(secret: impl Into<Vec<u8>>, urls: Vec<String>, ttl: Duration) -> Self {
        Self { secret: secret.into(), urls, ttl }
    }

    /// Credentials for one participant, good from `date` on for the whole time to live. Their name
    /// has the participant in it, so that quotas of the TURN server are for each.
    #[must_use]
    pub fn issue(&self, date: SystemTime, peer: PeerId) -> IceServer {
        let end = date.duration_since(UNIX_EPOCH).unwrap_or_default() + self.ttl;
        let username = format!("{}:{peer}", end.as_secs());
        let credential = self.credential(&username);
        IceServer {
            urls: self.urls.clone(),
            username: Some(username),
            credential: Some(credential),
        }
    }

    /// The password for a name that was issued and has not ended, if it is one: whoever does not
    /// know the secret cannot show it.
    #[cfg(feature = "shell")]
    pub(crate) fn password(&self, date: SystemTime, username: &str) -> Option<String> {
        let (end, _) = username.split_once(':')?;
        let end = UNIX_EPOCH.checked_add(Duration::from_secs(end.parse().ok()?))?;
        (date < end).then(|| self.credential(username))
    }

    fn credential(&self, username: &str) -> String {
        let mut mac =
            Hmac::<Sha1>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        mac.update(username.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }

    /// Their age when they are replaced: half of their life is left for a server that is away.
    #[must_use]
    pub fn renewed_after(&self) -> Duration {
        self.ttl / 2
    }
}

impl fmt::Debug for TurnCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TurnCredentials({} urls, {:?})", self.urls.len(), self.ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_what_coturn_computes() {
        // printf '%s' 1700007200:0000000000000007 | openssl dgst -sha1 -hmac north -binary | base64
        let urls = vec!["turn:turn.example.org".to_owned()];
        let turn = TurnCredentials::new("north", urls.clone(), TURN_TTL);
        let date = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let issued = turn.issue(date, PeerId::from_u64(7));
        assert_eq!(issued.urls, urls);
        assert_eq!(issued.username.as_deref(), Some("1700007200:0000000000000007"));
        assert_eq!(issued.credential.as_deref(), Some("pVYT+bvW70DmoaRBkCHeeYJ5W44="));
    }

    #[test]
    fn the_secret_is_in_no_log() {
        let turn = TurnCredentials::new("north", vec!["turn:north.example".to_owned()], TURN_TTL);
        assert!(!format!("{turn:?}").contains("north"));
    }
}
