//! Somebody who asks a relay: what they say, and how they understand it.

use std::net::SocketAddr;

use turn_types::{
    attribute::{
        ChannelNumber, Data, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress,
    },
    channel::ChannelData,
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND},
    stun::{
        attribute::{ErrorCode, Nonce, Realm, Username, XorMappedAddress},
        message::{
            BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass,
            MessageWriteVec, Method,
        },
        prelude::{AttributeWrite, MessageWrite as _, MessageWriteExt as _},
    },
};

/// What a relay said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) error: Option<u16>,
    pub(crate) nonce: Option<String>,
    pub(crate) relayed: Option<SocketAddr>,
    pub(crate) mapped: Option<SocketAddr>,
    pub(crate) lifetime: Option<u32>,
    pub(crate) data: Option<(Option<SocketAddr>, Vec<u8>)>,
}

impl Heard {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if bytes[0] >> 6 == 0b01 {
            let channel = ChannelData::parse(bytes).unwrap();
            return Self { data: Some((None, channel.data().to_vec())), ..Self::default() };
        }
        let message = Message::from_bytes(bytes).unwrap();
        let id = message.transaction_id();
        let attribute = |peer: XorPeerAddress| Some(peer.addr(id));
        let from = message.attribute::<XorPeerAddress>().ok().and_then(attribute);
        let data = message.attribute::<Data<'_>>().ok();
        Self {
            error: message.attribute::<ErrorCode>().ok().map(|it| it.code()),
            nonce: message.attribute::<Nonce>().ok().map(|it| it.nonce().to_owned()),
            relayed: message.attribute::<XorRelayedAddress>().ok().map(|it| it.addr(id)),
            mapped: message.attribute::<XorMappedAddress>().ok().map(|it| it.addr(id)),
            lifetime: message.attribute::<Lifetime>().ok().map(|it| it.seconds()),
            data: data.map(|data| (from, data.data().to_vec())),
        }
    }

    /// A request was done.
    pub(crate) fn is_done(&self) -> bool {
        self.error.is_none() && self.data.is_none()
    }
}

/// See the module's head.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) username: String,
    pub(crate) password: String,
    /// Learnt from the relay's first refusal.
    pub(crate) nonce: String,
}

impl Asker {
    pub(crate) fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.to_owned(), nonce: String::new() }
    }

    fn request(&self, method: Method, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        for attribute in attributes {
            message.add_attribute(*attribute).unwrap();
        }
        self.sign(message)
    }

    fn sign(&self, mut message: MessageWriteVec) -> Vec<u8> {
        if !self.nonce.is_empty() {
            message.add_attribute(&Username::new(&self.username).unwrap()).unwrap();
            message.add_attribute(&Realm::new("quartet").unwrap()).unwrap();
            message.add_attribute(&Nonce::new(&self.nonce).unwrap()).unwrap();
            let (username, password) = (self.username.clone(), self.password.clone());
            let key = LongTermKeyCredentials::new(username, password, "quartet".to_owned()).into();
            message.add_message_integrity(&key, IntegrityAlgorithm::Sha1).unwrap();
        }
        message.finish()
    }

    pub(crate) fn binding() -> Vec<u8> {
        Message::builder_request(BINDING, MessageWriteVec::new()).finish()
    }

    pub(crate) fn allocate(&self) -> Vec<u8> {
        self.request(ALLOCATE, &[&RequestedTransport::new(RequestedTransport::UDP)])
    }

    pub(crate) fn allocate_with(&self, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        self.request(ALLOCATE, attributes)
    }

    pub(crate) fn refresh(&self, seconds: u32) -> Vec<u8> {
        self.request(REFRESH, &[&Lifetime::new(seconds)])
    }

    pub(crate) fn permit(&self, peer: SocketAddr) -> Vec<u8> {
        let mut message = Message::builder_request(CREATE_PERMISSION, MessageWriteVec::new());
        let id = message.transaction_id();
        message.add_attribute(&XorPeerAddress::new(peer, id)).unwrap();
        self.sign(message)
    }

    pub(crate) fn bind(&self, number: u16, peer: SocketAddr) -> Vec<u8> {
        let mut message = Message::builder_request(CHANNEL_BIND, MessageWriteVec::new());
        let id = message.transaction_id();
        message.add_attribute(&ChannelNumber::new(number)).unwrap();
        message.add_attribute(&XorPeerAddress::new(peer, id)).unwrap();
        self.sign(message)
    }

    pub(crate) fn send(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
        let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
        let id = message.transaction_id();
        message.add_attribute(&XorPeerAddress::new(peer, id)).unwrap();
        message.add_attribute(&Data::new(data)).unwrap();
        assert_eq!(message.class(), MessageClass::Indication);
        message.finish()
    }

    pub(crate) fn by_channel(number: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 4 + data.len()];
        ChannelData::new(number, data).write_into_unchecked(&mut bytes);
        bytes
    }
}
