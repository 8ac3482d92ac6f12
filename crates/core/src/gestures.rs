//! Raised hands and reactions of one visit to a room: what people say without a word.
//!
//! A hand is a state, and told anew on each connection; a reaction is an event, which is told once,
//! on the connections that there are. What others say is limited where it arrives. Left out: who is
//! in the call, and the connections.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use quartet_proto::{
    PeerId, PeerMessage, Reaction,
    limits::{REACTION_BURST, REACTION_BURST_HEARD, REACTIONS_PER_SECOND},
};

use crate::allowance::Allowance;

/// See the module's head.
#[derive(Debug)]
pub struct Gestures {
    own: PeerId,
    /// Those that are up, the own one included, and since when: the lower, the earlier.
    raised: BTreeMap<PeerId, u32>,
    /// The own one was up before, so that those who missed its end have to be told.
    raised_before: bool,
    reactions: u32,
    allowance: Allowance,
    others: BTreeMap<PeerId, Other>,
}

/// What came from somebody.
#[derive(Debug)]
struct Other {
    /// The highest number of a reaction.
    seen: u32,
    allowance: Allowance,
}

/// What something heard means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// The hands that are up, or their order, have changed.
    Hands,
    /// Somebody reacts.
    Reaction(Reaction),
}

impl Gestures {
    /// Of a visit as `own`.
    #[must_use]
    pub fn new(own: PeerId) -> Self {
        Self {
            own,
            raised: BTreeMap::new(),
            raised_before: false,
            reactions: 0,
            allowance: allowance(REACTION_BURST),
            others: BTreeMap::new(),
        }
    }

    /// Raises or lowers the own hand; gives what all are to be told, if that is news.
    pub fn raise(&mut self, up: bool) -> Option<PeerMessage> {
        if up == self.raised.contains_key(&self.own) {
            return None;
        }
        if up {
            let last = self.raised.values().max().copied().unwrap_or_default();
            self.raised.insert(self.own, last.saturating_add(1));
            self.raised_before = true;
        } else {
            self.raised.remove(&self.own);
        }
        Some(self.hand())
    }

    /// What a new connection is to be told: nothing where nobody can have heard otherwise.
    #[must_use]
    pub fn greeting(&self) -> Option<PeerMessage> {
        self.raised_before.then(|| self.hand())
    }

    /// Reacts; gives what those who are connected are to be told, if it may be sent.
    pub fn react(&mut self, now: Instant, kind: Reaction) -> Option<PeerMessage> {
        if !self.allowance.take(now) {
            return None;
        }
        self.reactions = self.reactions.checked_add(1)?;
        Some(PeerMessage::Reaction { count: self.reactions, kind })
    }

    /// Somebody is in the call, or still is.
    pub fn joined(&mut self, peer: PeerId) {
        let new = || Other { seen: 0, allowance: allowance(REACTION_BURST_HEARD) };
        self.others.entry(peer).or_insert_with(new);
    }

    /// Somebody is gone; true when the hands have changed.
    pub fn left(&mut self, peer: PeerId) -> bool {
        self.others.remove(&peer);
        self.raised.remove(&peer).is_some()
    }

    /// Somebody in the call has said something.
    pub fn heard(&mut self, now: Instant, peer: PeerId, message: &PeerMessage) -> Option<Gesture> {
        let other = self.others.get_mut(&peer)?;
        match *message {
            PeerMessage::Hand { raised } => {
                let before = match raised {
                    0 => self.raised.remove(&peer),
                    raised => self.raised.insert(peer, raised),
                };
                (before.unwrap_or_default() != raised).then_some(Gesture::Hands)
            }
            PeerMessage::Reaction { count, kind } if count > other.seen => {
                other.seen = count;
                other.allowance.take(now).then_some(Gesture::Reaction(kind))
            }
            _ => None,
        }
    }

    /// Whose hands are up, in the order in which they were raised: the same for all.
    #[must_use]
    pub fn hands(&self) -> Vec<PeerId> {
        let mut hands: Vec<_> = self.raised.iter().map(|(peer, since)| (*since, *peer)).collect();
        hands.sort_unstable();
        hands.into_iter().map(|(_, peer)| peer).collect()
    }

    fn hand(&self) -> PeerMessage {
        PeerMessage::Hand { raised: self.raised.get(&self.own).copied().unwrap_or_default() }
    }
}

fn allowance(burst: u32) -> Allowance {
    Allowance::new(burst, Duration::from_secs(1) / REACTIONS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: PeerId = PeerId::from_u64(5);
    const ANN: PeerId = PeerId::from_u64(1);
    const BO: PeerId = PeerId::from_u64(9);

    fn gestures() -> Gestures {
        let mut gestures = Gestures::new(OWN);
        gestures.joined(ANN);
        gestures.joined(BO);
        gestures
    }

    fn hand(gestures: &mut Gestures, peer: PeerId, raised: u32) -> Option<Gesture> {
        gestures.heard(Instant::now(), peer, &PeerMessage::Hand { raised })
    }

    #[test]
    fn hands_are_in_the_order_in_which_they_were_raised() {
        let mut it = gestures();
        assert_eq!(it.greeting(), None);
        assert_eq!(hand(&mut it, BO, 1), Some(Gesture::Hands));
        assert_eq!(it.raise(true), Some(PeerMessage::Hand { raised: 2 }));
        assert_eq!(it.raise(true), None, "it is up");
        // At the same moment as the own one: the id decides, for all.
        assert_eq!(hand(&mut it, ANN, 2), Some(Gesture::Hands));
        assert_eq!(it.hands(), [BO, ANN, OWN]);
        assert_eq!(hand(&mut it, ANN, 2), None, "said again on a new connection");
        assert_eq!(hand(&mut it, BO, 0), Some(Gesture::Hands));
        assert_eq!(hand(&mut it, BO, 0), None);
        assert_eq!(it.hands(), [ANN, OWN]);
        assert_eq!(it.raise(false), Some(PeerMessage::Hand { raised: 0 }));
        assert_eq!(it.greeting(), Some(PeerMessage::Hand { raised: 0 }), "who missed it learns it");
    }

    #[test]
    fn the_hand_of_somebody_who_leaves_is_down() {
        let mut it = gestures();
        hand(&mut it, ANN, u32::MAX);
        assert_eq!(it.raise(true), Some(PeerMessage::Hand { raised: u32::MAX }));
        assert!(it.left(ANN));
        assert!(!it.left(BO));
        assert_eq!(it.hands(), [OWN]);
        assert_eq!(hand(&mut it, ANN, 3), None, "who is not in the call has no hand");
        assert_eq!(it.hands(), [OWN]);
    }

    #[test]
    fn a_reaction_is_seen_once() {
        let (mut it, now) = (gestures(), Instant::now());
        let clap = |count| PeerMessage::Reaction { count, kind: Reaction::Clap };
        let seen = Some(Gesture::Reaction(Reaction::Clap));
        assert_eq!(it.heard(now, ANN, &clap(3)), seen);
        assert_eq!(it.heard(now, ANN, &clap(3)), None);
        assert_eq!(it.heard(now, ANN, &clap(2)), None);
        assert_eq!(it.heard(now, BO, &clap(1)), seen);
        assert_eq!(it.heard(now, ANN, &clap(4)), seen);
        assert_eq!(it.heard(now, PeerId::from_u64(77), &clap(1)), None);
    }

    #[test]
    fn nobody_reacts_more_often_than_allowed_or_is_shown_to() {
        let (mut it, start) = (gestures(), Instant::now());
        let second = Duration::from_secs(1);
        let mut count = 0;
        for (at, sent, shown) in [
            (start, REACTION_BURST, REACTION_BURST_HEARD),
            (start + second, REACTIONS_PER_SECOND, REACTIONS_PER_SECOND),
            (start + 60 * second, REACTION_BURST, REACTION_BURST_HEARD),
        ] {
            let reactions = (0..50).filter_map(|_| it.react(at, Reaction::Heart)).count();
            assert_eq!(reactions, sent as usize);
            let heard = (0..50).filter_map(|_| {
                count += 1;
                it.heard(at, ANN, &PeerMessage::Reaction { count, kind: Reaction::Wow })
            });
            assert_eq!(heard.count(), shown as usize);
        }
        // The others' are not affected by it.
        let clap = PeerMessage::Reaction { count: 1, kind: Reaction::Clap };
        assert!(it.heard(start + 60 * second, BO, &clap).is_some());
    }
}
