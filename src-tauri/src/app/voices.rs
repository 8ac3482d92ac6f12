//! Hands, reactions, and how loud each person is to be heard.

use quartet_engine::Command;
use quartet_proto::{PeerId, Reaction};

use super::App;
use crate::view::ReactionKind;

/// Percent; see [`quartet_media::MAX_GAIN`].
const MAX_VOLUME: u16 = 200;

impl App {
    pub(crate) fn raise_hand(&self, up: bool) {
        self.engine.send(Command::RaiseHand(up));
    }

    pub(crate) fn react(&self, kind: ReactionKind) {
        self.engine.send(Command::React(match kind {
            ReactionKind::ThumbsUp => Reaction::ThumbsUp,
            ReactionKind::Heart => Reaction::Heart,
            ReactionKind::Clap => Reaction::Clap,
            ReactionKind::Laugh => Reaction::Laugh,
            ReactionKind::Wow => Reaction::Wow,
            ReactionKind::Party => Reaction::Party,
        }));
    }

    /// So that a person can try microphone and speaker.
    pub(crate) fn hear_self(&self, on: bool) {
        self.engine.send(Command::HearSelf(on));
    }

    /// How loud somebody is to be heard, in percent; more than twice as loud is twice as loud.
    pub(crate) fn set_volume(&self, peer: PeerId, volume: u16) {
        let volume = volume.min(MAX_VOLUME);
        let mut state = self.state.lock();
        if state.model.set_volume(peer, volume) {
            self.engine.send(Command::Volume(peer, f32::from(volume) / 100.0));
        }
        state.show();
    }
}
