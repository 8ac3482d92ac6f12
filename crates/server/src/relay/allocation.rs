//! One relayed end: whom it may talk to, by which channels, how much, and until when.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use turn_types::stun::{attribute::ErrorCode, message::TransactionId};

use super::{
    Client,
    auth::Asker,
    budget::Bucket,
    limits::{CHANNEL_LIFE, PERMISSION_LIFE},
};

struct Channel {
    number: u16,
    peer: SocketAddr,
    expires_at: Instant,
}

/// See the module's head.
pub(super) struct Allocation {
    pub(super) client: Client,
    pub(super) asker: Asker,
    /// Of the request that made it.
    pub(super) transaction: TransactionId,
    /// As it was last given.
    pub(super) lifetime: Duration,
    /// To peers.
    pub(super) up: Bucket,
    /// From them.
    pub(super) down: Bucket,
    expires_at: Instant,
    /// Until when.
    permissions: HashMap<IpAddr, Instant>,
    channels: Vec<Channel>,
}

impl Allocation {
    pub(super) fn new(
        now: Instant,
        client: Client,
        asker: Asker,
        transaction: TransactionId,
        lifetime: Duration,
        bytes_per_second: u32,
    ) -> Self {
        let bucket = Bucket::new(now, bytes_per_second, bytes_per_second);
        Self {
            client,
            asker,
            transaction,
            lifetime,
            up: bucket,
            down: bucket,
            expires_at: now + lifetime,
            permissions: HashMap::new(),
            channels: Vec::new(),
        }
    }

    pub(super) fn is_alive(&self, now: Instant) -> bool {
        now < self.expires_at
    }

    pub(super) fn refresh(&mut self, now: Instant, lifetime: Duration) {
        self.lifetime = lifetime;
        self.expires_at = now + lifetime;
    }

    pub(super) fn forget_expired(&mut self, now: Instant) {
        self.permissions.retain(|_, until| now < *until);
        self.channels.retain(|channel| now < channel.expires_at);
    }

    /// From now on it may talk to that address; false when it may talk to too many already.
    pub(super) fn permit(&mut self, now: Instant, peer: IpAddr, most: usize) -> bool {
        self.forget_expired(now);
        if self.permissions.len() >= most && !self.permissions.contains_key(&peer) {
            return false;
        }
        self.permissions.insert(peer, now + PERMISSION_LIFE);
        true
    }

    pub(super) fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        self.permissions.get(&peer).is_some_and(|until| now < *until)
    }

    /// Binds a channel, or refreshes it, with the permission that goes with it (RFC 8656 §12.2).
    pub(super) fn bind(
        &mut self,
        now: Instant,
        number: u16,
        peer: SocketAddr,
        most: usize,
    ) -> Result<(), u16> {
        self.forget_expired(now);
        let other = |it: &Channel| (it.number == number) != (it.peer == peer);
        if self.channels.iter().any(other) {
            return Err(ErrorCode::BAD_REQUEST);
        }
        let known = self.channels.iter().position(|it| it.number == number);
        if known.is_none() && self.channels.len() >= most || !self.permit(now, peer.ip(), most) {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY);
        }
        let expires_at = now + CHANNEL_LIFE;
        match known {
            Some(place) => self.channels[place].expires_at = expires_at,
            None => self.channels.push(Channel { number, peer, expires_at }),
        }
        Ok(())
    }

    pub(super) fn peer_of(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        let channel = self.channels.iter().find(|it| it.number == number)?;
        (now < channel.expires_at).then_some(channel.peer)
    }

    pub(super) fn channel_to(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        let channel = self.channels.iter().find(|it| it.peer == peer)?;
        (now < channel.expires_at).then_some(channel.number)
    }
}
