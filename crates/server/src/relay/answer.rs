//! What a relay says, and how what it hears is taken apart.

use std::{net::SocketAddr, time::Duration};

use turn_types::{
    attribute::{
        ChannelNumber, Data, Lifetime, RequestedAddressFamily, RequestedTransport, XorPeerAddress,
        XorRelayedAddress,
    },
    message::DATA,
    stun::{
        attribute::{
            AttributeType, ErrorCode, Fingerprint, MessageIntegrity, MessageIntegritySha256, Nonce,
            Realm, UnknownAttributes, Username, XorMappedAddress,
        },
        message::{
            IntegrityAlgorithm, IntegrityKey, MAGIC_COOKIE, Message, MessageClass, MessageHeader,
            MessageType, MessageWriteVec, Method, TransactionId,
        },
        prelude::{
            Attribute as _, AttributeFromRaw as _, AttributeStaticType as _, AttributeWrite,
            MessageWrite as _, MessageWriteExt as _,
        },
    },
};

use super::auth::REALM;

/// Peers named in one request; more than anybody has addresses.
const MAX_PEERS: usize = 16;

/// The bytes of a STUN message that a datagram begins with, without what may follow.
pub(super) fn whole_message(datagram: &[u8]) -> Option<&[u8]> {
    let header = datagram.first_chunk::<{ MessageHeader::LENGTH }>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let cookie = header[4..8] == MAGIC_COOKIE.to_be_bytes();
    if !cookie || !length.is_multiple_of(4) {
        return None;
    }
    datagram.get(..MessageHeader::LENGTH + length)
}

/// Those that have to be understood, and are not.
pub(super) fn unknown_attributes(message: &Message<'_>) -> Vec<AttributeType> {
    const KNOWN: &[AttributeType] = &[
        Username::TYPE,
        Realm::TYPE,
        Nonce::TYPE,
        MessageIntegrity::TYPE,
        MessageIntegritySha256::TYPE,
        RequestedTransport::TYPE,
        RequestedAddressFamily::TYPE,
        Lifetime::TYPE,
        XorPeerAddress::TYPE,
        ChannelNumber::TYPE,
        Data::TYPE,
        Fingerprint::TYPE,
    ];
    let types = message.iter_attributes().map(|(_, attribute)| attribute.get_type());
    types.filter(|it| it.comprehension_required() && !KNOWN.contains(it)).take(MAX_PEERS).collect()
}

/// All that a request names; `None` when that is nobody, too many, or one is malformed.
pub(super) fn peer_addresses(message: &Message<'_>) -> Option<Vec<SocketAddr>> {
    let named = message.iter_attributes().filter(|(_, it)| it.get_type() == XorPeerAddress::TYPE);
    let mut addresses = Vec::new();
    for (_, attribute) in named {
        let address = XorPeerAddress::from_raw(attribute).ok()?;
        addresses.push(address.addr(message.transaction_id()));
    }
    (1..=MAX_PEERS).contains(&addresses.len()).then_some(addresses)
}

/// What a client gets from a peer by a channel (RFC 8656 §12.4).
pub(super) fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a datagram has fewer bytes");
    let mut bytes = Vec::with_capacity(4 + data.len());
    bytes.extend(number.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(data);
    bytes
}

/// And without one (RFC 8656 §11.4).
pub(super) fn data_indication(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut message = Message::builder_indication(DATA, MessageWriteVec::new());
    let transaction = message.transaction_id();
    put(&mut message, &XorPeerAddress::new(peer, transaction));
    put(&mut message, &Data::new(data));
    message.finish()
}

/// What answers one request.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    method: Method,
    transaction: TransactionId,
}

impl Answer {
    pub(super) fn to(request: &Message<'_>) -> Self {
        Self { method: request.method(), transaction: request.transaction_id() }
    }

    fn begin(&self, class: MessageClass) -> MessageWriteVec {
        let kind = MessageType::from_class_method(class, self.method);
        Message::builder(kind, self.transaction, MessageWriteVec::new())
    }

    pub(super) fn bound(&self, client: SocketAddr) -> Vec<u8> {
        let mut message = self.begin(MessageClass::Success);
        put(&mut message, &XorMappedAddress::new(client, self.transaction));
        finish(message, None)
    }

    pub(super) fn allocated(
        &self,
        client: SocketAddr,
        relayed: SocketAddr,
        lifetime: Duration,
        key: &IntegrityKey,
    ) -> Vec<u8> {
        let mut message = self.begin(MessageClass::Success);
        put(&mut message, &XorRelayedAddress::new(relayed, self.transaction));
        put(&mut message, &seconds(lifetime));
        put(&mut message, &XorMappedAddress::new(client, self.transaction));
        finish(message, Some(key))
    }

    pub(super) fn refreshed(&self, lifetime: Duration, key: &IntegrityKey) -> Vec<u8> {
        let mut message = self.begin(MessageClass::Success);
        put(&mut message, &seconds(lifetime));
        finish(message, Some(key))
    }

    pub(super) fn done(&self, key: &IntegrityKey) -> Vec<u8> {
        finish(self.begin(MessageClass::Success), Some(key))
    }

    pub(super) fn error(&self, code: u16, key: Option<&IntegrityKey>) -> Vec<u8> {
        finish(self.begin_error(code), key)
    }

    /// To somebody who is not believed, with what they need to try again.
    pub(super) fn refusal(&self, code: u16, nonce: Option<&str>) -> Vec<u8> {
        let mut message = self.begin_error(code);
        if let (ErrorCode::UNAUTHORIZED | ErrorCode::STALE_NONCE, Some(nonce)) = (code, nonce) {
            put(&mut message, &Realm::new(REALM).expect("it is short"));
            put(&mut message, &Nonce::new(nonce).expect("it is short"));
        }
        finish(message, None)
    }

    pub(super) fn unknown(&self, attributes: &[AttributeType], key: &IntegrityKey) -> Vec<u8> {
        let mut message = self.begin_error(ErrorCode::UNKNOWN_ATTRIBUTE);
        put(&mut message, &UnknownAttributes::new(attributes));
        finish(message, Some(key))
    }

    fn begin_error(&self, code: u16) -> MessageWriteVec {
        let mut message = self.begin(MessageClass::Error);
        let code = ErrorCode::builder(code).build().expect("a code of an RFC");
        put(&mut message, &code);
        message
    }
}

fn seconds(lifetime: Duration) -> Lifetime {
    Lifetime::new(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX))
}

fn put(message: &mut MessageWriteVec, attribute: &dyn AttributeWrite) {
    message.add_attribute(attribute).expect("each once, short, and before the integrity");
}

fn finish(mut message: MessageWriteVec, key: Option<&IntegrityKey>) -> Vec<u8> {
    if let Some(key) = key {
        message
            .add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1)
            .expect("there is none yet");
    }
    message.add_fingerprint().expect("there is none yet");
    message.finish()
}
