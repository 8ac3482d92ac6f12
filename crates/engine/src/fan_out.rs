//! Where the own picture and voice go: straight from the threads that encode them to every
//! connected link and to the own tile.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use parking_lot::RwLock;
use quartet_core::EncodedFrame;
use quartet_proto::PeerId;
use quartet_rtc::Link;

use crate::tile::Tile;

/// The takers of the own picture and voice. The actor changes the list a few times a call; the
/// encoders read it without waiting for each other.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    outlets: RwLock<Vec<Outlet>>,
    pub(crate) own_tile: Tile,
}

#[derive(Debug)]
struct Outlet {
    peer: PeerId,
    link: Arc<Link>,
    /// It has had a key frame: what comes before one cannot be decoded and is not sent.
    begun: AtomicBool,
}

impl FanOut {
    /// From now on the link takes everything, pictures from the next key frame on. A link that is
    /// there already stays as it is.
    pub(crate) fn add(&self, peer: PeerId, link: &Arc<Link>) {
        let mut outlets = self.outlets.write();
        if !outlets.iter().any(|outlet| Arc::ptr_eq(&outlet.link, link)) {
            outlets.retain(|outlet| outlet.peer != peer);
            outlets.push(Outlet { peer, link: Arc::clone(link), begun: AtomicBool::new(false) });
        }
    }

    /// The peer gets nothing any more.
    pub(crate) fn remove(&self, peer: PeerId) {
        self.outlets.write().retain(|outlet| outlet.peer != peer);
    }

    /// Takes a picture from the encoder's thread; true when the own tile waits for a key frame.
    pub(crate) fn picture(&self, frame: &EncodedFrame) -> bool {
        for outlet in self.outlets.read().iter() {
            if frame.key {
                outlet.begun.store(true, Ordering::Relaxed);
            }
            if outlet.begun.load(Ordering::Relaxed) {
                outlet.link.send_video(frame);
            }
        }
        self.own_tile.show(frame)
    }

    /// Takes a voice packet from the microphone's thread.
    pub(crate) fn voice(&self, timestamp: u32, payload: &Bytes) {
        for outlet in self.outlets.read().iter() {
            outlet.link.send_voice(timestamp, payload.clone());
        }
    }
}
