//! Raised hands, reactions, and how loud each person is to be heard.

use std::time::Instant;

use quartet_core::gestures::Gesture;
use quartet_proto::{PeerId, PeerMessage, Reaction};

use super::{Actor, Call};
use crate::Event;

impl Call {
    /// Tells all who are connected.
    fn tell_all(&self, message: &PeerMessage) {
        let links = self.peers.values().filter_map(|peer| peer.open_link());
        links.for_each(|link| link.tell(message));
    }

    /// Tells somebody on a new link what they may have missed.
    pub(super) fn greet(&self, peer: PeerId) {
        let link = self.peers.get(&peer).and_then(|peer| peer.open_link());
        if let (Some(link), Some(message)) = (link, self.gestures.greeting()) {
            link.tell(&message);
        }
    }
}

impl Actor {
    pub(super) fn raise_hand(&mut self, up: bool) {
        let Some(call) = &mut self.call else { return };
        if let Some(message) = call.gestures.raise(up) {
            call.tell_all(&message);
            self.say_hands();
        }
    }

    pub(super) fn react(&mut self, reaction: Reaction) {
        let Some(call) = &mut self.call else { return };
        if let Some(message) = call.gestures.react(Instant::now(), reaction) {
            call.tell_all(&message);
            self.events.send(Event::Reaction(call.own, reaction));
        }
    }

    pub(super) fn gesture_heard(&mut self, peer: PeerId, message: &PeerMessage) {
        let Some(call) = &mut self.call else { return };
        match call.gestures.heard(Instant::now(), peer, message) {
            Some(Gesture::Hands) => self.say_hands(),
            Some(Gesture::Reaction(reaction)) => {
                self.events.send(Event::Reaction(peer, reaction));
            }
            None => {}
        }
    }

    /// With the hand of somebody who is gone.
    pub(super) fn hand_gone(&mut self, peer: PeerId) {
        if self.call.as_mut().is_some_and(|call| call.gestures.left(peer)) {
            self.say_hands();
        }
    }

    pub(super) fn set_volume(&mut self, peer: PeerId, gain: f32) {
        let Some(call) = &mut self.call else { return };
        if let Some(known) = call.peers.get(&peer) {
            known.intake.set_gain(gain);
            call.gains.insert(peer, gain);
        }
    }

    fn say_hands(&self) {
        if let Some(call) = &self.call {
            self.events.send(Event::Hands(call.gestures.hands()));
        }
    }
}
