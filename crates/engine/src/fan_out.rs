//! Where the own picture and voice go: straight from the threads that encode them to every
//! connected link and to the own tile, to each the layer that the plan gives it.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use quartet_core::{
    EncodedFrame, RtpPacket, Rung,
    layers::{Layer, LayerSelector},
};
use quartet_media::VoiceReceiver;
use quartet_proto::PeerId;
use quartet_rtc::Link;

use crate::tile::Tile;

/// The takers of the own picture and voice. The actor changes the list a few times a call; the
/// encoders read it without waiting for each other.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    outlets: RwLock<Vec<Outlet>>,
    pub(crate) own_tile: Tile,
    own_layer: Mutex<LayerSelector>,
    own_voice: Mutex<Option<OwnVoice>>,
}

/// The own voice on its way to the own speaker.
#[derive(Debug)]
struct OwnVoice {
    receiver: VoiceReceiver,
    sequence: u16,
}

#[derive(Debug)]
struct Outlet {
    peer: PeerId,
    link: Arc<Link>,
    selector: Mutex<LayerSelector>,
    screen: Mutex<ScreenFlow>,
}

/// Whether somebody gets the shared screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ScreenFlow {
    #[default]
    Nothing,
    /// From the next key frame on.
    AwaitKey,
    Everything,
}

impl FanOut {
    /// From now on the link takes every voice packet, and the pictures of the layer that is set. A
    /// link that is there already stays as it is.
    pub(crate) fn add(&self, peer: PeerId, link: &Arc<Link>) {
        let mut outlets = self.outlets.write();
        if !outlets.iter().any(|outlet| Arc::ptr_eq(&outlet.link, link)) {
            outlets.retain(|outlet| outlet.peer != peer);
            let link = Arc::clone(link);
            outlets.push(Outlet {
                peer,
                link,
                selector: Mutex::default(),
                screen: Mutex::default(),
            });
        }
    }

    /// The peer gets nothing any more.
    pub(crate) fn remove(&self, peer: PeerId) {
        self.outlets.write().retain(|outlet| outlet.peer != peer);
    }

    /// The peer gets this layer from now on, or nothing. `ask` is told which encodings have to make
    /// a key frame for that.
    pub(crate) fn set(&self, peer: PeerId, layer: Option<Layer>, ask: impl FnMut(Rung)) {
        self.with(peer, |selector| selector.set(layer), ask);
    }

    /// The peer, or the way to it, cannot go on without a key frame of what it gets.
    pub(crate) fn restart(&self, peer: PeerId, ask: impl FnMut(Rung)) {
        self.with(peer, |selector| selector.restart(Instant::now()), ask);
    }

    /// What the peer gets at present.
    pub(crate) fn rung(&self, peer: PeerId) -> Option<Rung> {
        let outlets = self.outlets.read();
        let outlet = outlets.iter().find(|outlet| outlet.peer == peer)?;
        outlet.selector.lock().rung()
    }

    /// The same for the own tile.
    pub(crate) fn set_own(&self, layer: Option<Layer>, ask: impl FnMut(Rung)) {
        change(&self.own_layer, |selector| selector.set(layer), ask);
    }

    /// The same for the own tile.
    pub(crate) fn restart_own(&self, ask: impl FnMut(Rung)) {
        change(&self.own_layer, |selector| selector.restart(Instant::now()), ask);
    }

    /// Takes a picture from the encoder's thread. `ask` is told which encodings have to make a key
    /// frame for somebody.
    pub(crate) fn picture(&self, rung: Rung, frame: &EncodedFrame, mut ask: impl FnMut(Rung)) {
        let now = Instant::now();
        for outlet in self.outlets.read().iter() {
            let mut selector = outlet.selector.lock();
            if let Some(frame) = selector.take(now, rung, frame) {
                outlet.link.send_video(&frame);
            }
            selector.poll_key_frame(now).into_iter().for_each(&mut ask);
        }
        let mut selector = self.own_layer.lock();
        if let Some(frame) = selector.take(now, rung, frame)
            && self.own_tile.show(&frame)
        {
            selector.restart(now);
        }
        selector.poll_key_frame(now).into_iter().for_each(&mut ask);
    }

    /// The peer gets the shared screen from now on, or does not; true when it needs a key frame for
    /// that.
    pub(crate) fn set_screen(&self, peer: PeerId, shown: bool) -> bool {
        let outlets = self.outlets.read();
        let Some(outlet) = outlets.iter().find(|outlet| outlet.peer == peer) else { return false };
        let mut flow = outlet.screen.lock();
        match (*flow, shown) {
            (ScreenFlow::Nothing, true) => *flow = ScreenFlow::AwaitKey,
            (_, false) => *flow = ScreenFlow::Nothing,
            (ScreenFlow::AwaitKey | ScreenFlow::Everything, true) => return false,
        }
        shown
    }

    /// Whether the peer gets the shared screen.
    pub(crate) fn gets_screen(&self, peer: PeerId) -> bool {
        let outlets = self.outlets.read();
        let outlet = outlets.iter().find(|outlet| outlet.peer == peer);
        outlet.is_some_and(|outlet| *outlet.screen.lock() != ScreenFlow::Nothing)
    }

    /// Takes a picture of the shared screen from its encoder's thread. A link that drops pictures
    /// asks for a key frame by itself.
    pub(crate) fn screen(&self, frame: &EncodedFrame) {
        for outlet in self.outlets.read().iter() {
            let mut flow = outlet.screen.lock();
            if *flow == ScreenFlow::AwaitKey && frame.key {
                *flow = ScreenFlow::Everything;
            }
            if *flow == ScreenFlow::Everything {
                outlet.link.send_screen(frame);
            }
        }
    }

    /// Takes a voice packet from the microphone's thread.
    pub(crate) fn voice(&self, timestamp: u32, payload: &Bytes) {
        for outlet in self.outlets.read().iter() {
            outlet.link.send_voice(timestamp, payload.clone());
        }
        if let Some(own) = self.own_voice.lock().as_mut() {
            own.sequence = own.sequence.wrapping_add(1);
            own.receiver.push(RtpPacket {
                sequence: own.sequence,
                timestamp,
                marker: false,
                redundant: false,
                payload: payload.clone(),
            });
        }
    }

    /// The own voice is heard here as well, or no more.
    pub(crate) fn hear_own_voice(&self, receiver: Option<VoiceReceiver>) {
        *self.own_voice.lock() = receiver.map(|receiver| OwnVoice { receiver, sequence: 0 });
    }

    pub(crate) fn own_voice_is_heard(&self) -> bool {
        self.own_voice.lock().is_some()
    }

    fn with(&self, peer: PeerId, with: impl FnOnce(&mut LayerSelector), ask: impl FnMut(Rung)) {
        let outlets = self.outlets.read();
        if let Some(outlet) = outlets.iter().find(|outlet| outlet.peer == peer) {
            change(&outlet.selector, with, ask);
        }
    }
}

/// Changes what a selector lets through, and asks for the key frames that it then needs.
fn change(
    selector: &Mutex<LayerSelector>,
    with: impl FnOnce(&mut LayerSelector),
    ask: impl FnMut(Rung),
) {
    let mut selector = selector.lock();
    with(&mut selector);
    selector.poll_key_frame(Instant::now()).into_iter().for_each(ask);
}
