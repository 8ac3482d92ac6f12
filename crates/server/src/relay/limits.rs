//! How much a relay gives. Each limit is there so that whoever got hold of a credential cannot have
//! the whole machine.

use std::time::Duration;

/// See each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    /// Allocations at once; each takes a socket. One more is refused with 508.
    pub allocations: u32,
    /// Of one participant: up to three links, each with an allocation for each address of the
    /// machine, and the same again while ICE restarts. One more is refused with 486.
    pub per_user: u32,
    /// From one address (IPv6: one network of 64 bits): a household of four. One more is refused
    /// with 486.
    pub per_address: u32,
    /// Peers that an allocation may talk to at once, and channels likewise: more than an honest peer
    /// has candidates. One more is refused with 508.
    pub permissions: usize,
    /// Bytes a second that an allocation relays each way, and as many at once: four times a picture
    /// of 2 Mbit/s with its repairs. What is more is dropped, as on any narrow line.
    pub bytes_per_second: u32,
    /// Of an allocation that is not refreshed (RFC 8656 §3.2).
    pub lifetime: Duration,
    /// The most that a client may ask for.
    pub longest_lifetime: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            allocations: 400,
            per_user: 32,
            per_address: 128,
            permissions: 64,
            bytes_per_second: 1_000_000,
            lifetime: Duration::from_secs(600),
            longest_lifetime: Duration::from_secs(3600),
        }
    }
}

/// The longest datagram that is relayed, bytes: no path carries longer ones whole, and WebRTC makes
/// none. What is longer is dropped.
pub(crate) const MAX_DATAGRAM: usize = 2048;
/// Datagrams from peers that wait for the one task of the relay: some 2 MB at the most. When it is
/// full the next ones are dropped, as on any full line.
pub(crate) const PEER_QUEUE: usize = 1024;
/// Answers that one source gets without a credential, at once and a second: gathering with three
/// links from a machine with five addresses takes thirty, and four may share an outer address.
/// Whoever forges a victim's address can so direct 8 KB/s at it.
pub(crate) const ANSWER_BURST: u32 = 200;
/// See [`ANSWER_BURST`].
pub(crate) const ANSWERS_PER_SECOND: u32 = 50;
/// Sources are told apart by their hash only, so that there is nothing to fill.
pub(crate) const SOURCE_BUCKETS: usize = 4096;
/// A nonce is good for so long; then the client is given another one, and asks again.
pub(crate) const NONCE_LIFE: Duration = Duration::from_secs(3600);
/// The longest name that a user may have, bytes; ours have 27.
pub(crate) const MAX_USERNAME: usize = 128;
/// RFC 8656 §9.
pub(crate) const PERMISSION_LIFE: Duration = Duration::from_secs(300);
/// RFC 8656 §12.
pub(crate) const CHANNEL_LIFE: Duration = Duration::from_secs(600);
