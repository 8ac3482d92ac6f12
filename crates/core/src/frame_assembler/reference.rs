//! Which picture can be decoded after which (RFC 7741 §4.2).
//!
//! With temporal layers a picture of the base (TID 0) builds on the base picture before it, whose
//! TL0PICIDX is one lower; a picture of an upper layer carries the TL0PICIDX of the base picture
//! that it builds on, and builds also on upper ones since then unless Y says otherwise. Without
//! these fields each picture builds on the one before, unless that says with N that nothing does.

use crate::vp8::{PayloadDescriptor, PictureId};

/// What was given out last, as far as later pictures refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference {
    /// The number of the last picture, or that of one skipped behind it.
    picture_id: Option<PictureId>,
    /// TL0PICIDX of the last base picture; `None` for a stream without temporal layers.
    base: Option<u8>,
    /// Every upper picture since that base picture was given out.
    complete: bool,
}

/// How a picture stands to what was given out last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// It can be decoded.
    Yes,
    /// It cannot, but nothing else needs it.
    Skipped,
    /// Something that it builds on is missing for good.
    Not,
}

impl Reference {
    /// After a key frame.
    pub(super) fn to_key(descriptor: &PayloadDescriptor) -> Self {
        let base = layer(descriptor).filter(|layer| layer.id == 0).map(|layer| layer.base);
        Self { picture_id: descriptor.picture_id, base, complete: true }
    }

    /// Whether a picture that no missing packet separates from the last can be decoded.
    pub(super) fn follows(&self, descriptor: &PayloadDescriptor) -> Follows {
        let gapless = self.is_gapless(descriptor);
        let (Some(base), Some(layer)) = (self.base, layer(descriptor)) else {
            return if self.base.is_none() && gapless { Follows::Yes } else { Follows::Not };
        };
        match (layer.id, layer.base.wrapping_sub(base)) {
            (0, 1) => Follows::Yes,
            (0, _) => Follows::Not,
            (_, 0) if layer.sync || (self.complete && gapless) => Follows::Yes,
            (_, 0 | 128..) => Follows::Skipped,
            _ => Follows::Not,
        }
    }

    /// Whether a picture can be decoded though what lies before it is missing; `skipped` is a
    /// packet of what is missing.
    pub(super) fn follows_gap(
        &self,
        descriptor: &PayloadDescriptor,
        skipped: Option<&PayloadDescriptor>,
    ) -> bool {
        if self.base.is_some() {
            return self.after_gap(None).follows(descriptor) == Follows::Yes;
        }
        let Some(skipped) = skipped.filter(|skipped| skipped.non_reference) else {
            return false;
        };
        let (Some(last), Some(between), Some(this)) =
            (self.picture_id, skipped.picture_id, descriptor.picture_id)
        else {
            return false;
        };
        last.next() == between && between.next() == this
    }

    /// What is left when the pictures before the next start are given up.
    pub(super) fn after_gap(&self, skipped: Option<&PayloadDescriptor>) -> Self {
        let picture_id = skipped.and_then(|skipped| skipped.picture_id);
        Self { picture_id, complete: false, ..*self }
    }

    /// After a picture that follows.
    pub(super) fn advance(&self, descriptor: &PayloadDescriptor) -> Self {
        let picture_id = descriptor.picture_id;
        match (self.base, layer(descriptor)) {
            (Some(_), Some(layer)) if layer.id == 0 => {
                Self { picture_id, base: Some(layer.base), complete: true }
            }
            _ => {
                Self { picture_id, complete: self.complete && self.is_gapless(descriptor), ..*self }
            }
        }
    }

    /// The missing packets between two, of which `before` is `None` when everything before them
    /// was given out, are of pictures that nothing builds on.
    pub(super) fn gap_is_droppable(
        &self,
        before: Option<(&PayloadDescriptor, bool)>,
        after: &PayloadDescriptor,
    ) -> bool {
        let Some(base) = self.base else {
            // The rest of a picture on which nothing builds, up to the next one.
            return before.is_some_and(|(before, _)| {
                before.non_reference
                    && before
                        .picture_id
                        .zip(after.picture_id)
                        .is_some_and(|(before, after)| before == after || before.next() == after)
                    && (after.starts_frame() || before.picture_id == after.picture_id)
            });
        };
        let base = match before {
            None => base,
            Some((before, ended)) => match layer(before) {
                // The end of a base picture may be among what is missing.
                Some(layer) if layer.id > 0 || ended => layer.base,
                _ => return false,
            },
        };
        layer(after).is_some_and(|layer| match layer.base.wrapping_sub(base) {
            0 => layer.id > 0,
            1 => layer.id == 0 && after.starts_frame(),
            _ => false,
        })
    }

    fn is_gapless(&self, descriptor: &PayloadDescriptor) -> bool {
        match (self.picture_id, descriptor.picture_id) {
            (Some(last), Some(this)) => last.next() == this,
            _ => true,
        }
    }
}

/// The place of a picture in a stream with temporal layers.
struct Layer {
    /// TID.
    id: u8,
    /// Y.
    sync: bool,
    /// TL0PICIDX.
    base: u8,
}

fn layer(descriptor: &PayloadDescriptor) -> Option<Layer> {
    let (id, sync) = descriptor.temporal_layer?;
    Some(Layer { id, sync, base: descriptor.base_layer_index? })
}
