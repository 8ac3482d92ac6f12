//! What the two ends of a pair prove to each other, and what is known of the other's certificate.
//!
//! Every description carries a proof that its sender has the link. The answer's also covers the
//! offer that it replies to and both certificates; the offerer then says with `confirm` that it
//! covers both too. Nothing unproven gets as far as the link. `docs/protocol.md`, «Trust», argues
//! why that is enough.
//!
//! Beside it the two exchange what the pair's short code is made of: the offerer commits itself to a
//! nonce, the answerer shows its own, the offerer reveals. A nonce that has been shown serves with
//! one partner only: when the other end comes with another certificate, or another part of its own,
//! a new one is drawn. So a reconnect keeps the code, and nobody can try codes out.

use std::collections::VecDeque;

use quartet_proto::{
    About, AuthKey, Code, CodePart, DescriptionKind, Epoch, Fingerprint, NonceSeed, PeerId, Proof,
    Statement, Word,
};

use crate::session::{Mark, Trust};

/// Offers of one link that are remembered: of one's own, so that a late answer to an older one is
/// known for what it is, and of the peer's, so that none is taken twice. A link that has been
/// restarted more often forgets the oldest: an answer to that is then taken for a wrong one, and an
/// offer repeated by the server costs an ICE restart.
const REMEMBERED_OFFERS: usize = 32;

/// What the negotiator needs to know of the room and of this visit.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) key: AuthKey,
    pub(crate) seed: NonceSeed,
    /// Different for everybody met in this visit, and for each time.
    pub(crate) acquaintance: u64,
    /// What was first proven under this id, at an earlier time.
    pub(crate) certificate: Option<Fingerprint>,
}

/// What a proof is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It comes from somebody who has the link, and belongs here.
    Proven(Proven),
    /// It did belong here: a repetition, or an answer to an offer that was replaced.
    Stale,
    /// It may come from anybody.
    Unproven,
}

/// What was proven, to be [taken](TrustState::take).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proven {
    certificate: Fingerprint,
    proof: Proof,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct TrustState {
    credentials: Credentials,
    own: PeerId,
    peer: PeerId,
    offers: bool,
    /// Counts the own nonces.
    round: u32,
    /// Whom the present nonce was shown to, or is about to be: a certificate, and what they bound
    /// themselves to.
    partner: Option<(Fingerprint, Word)>,
    code: Option<Code>,
    /// The certificate that was first proven, by a whole exchange.
    first: Option<Fingerprint>,
    /// The one that was last proven.
    certificate: Option<Fingerprint>,
    /// The one whose code the user has compared.
    confirmed: Option<Fingerprint>,
    link: LinkTrust,
}

/// The part that ends with each link.
#[derive(Debug, Default)]
struct LinkTrust {
    own: Option<Fingerprint>,
    peer: Option<Fingerprint>,
    /// Of the offers made or taken, the newest last.
    offers: VecDeque<Word>,
    /// Those taken that the link has not answered yet.
    unanswered: VecDeque<Word>,
    /// The newest thing the peer has shown: its nonce, or its commitment to it.
    shown: Option<Word>,
    /// The peer has proven that it knows both certificates.
    proven: bool,
}

impl TrustState {
    pub(super) fn new(own: PeerId, peer: PeerId, credentials: Credentials) -> Self {
        Self {
            own,
            peer,
            offers: own < peer,
            first: credentials.certificate,
            credentials,
            round: 0,
            partner: None,
            code: None,
            certificate: None,
            confirmed: None,
            link: LinkTrust::default(),
        }
    }

    /// For the user.
    pub(super) fn view(&self) -> Trust {
        let mark = match (self.confirmed, self.certificate) {
            (None, _) => Mark::Unconfirmed,
            (Some(confirmed), Some(present)) if confirmed != present => Mark::Changed,
            (Some(_), _) => Mark::Confirmed,
        };
        Trust { code: self.code, mark }
    }

    /// The user has compared a code, or takes that back; nothing, if it is not the present one.
    pub(super) fn confirm_code(&mut self, code: Code, matches: bool) {
        if self.code == Some(code) {
            self.confirmed = self.certificate.filter(|_| matches);
        }
    }

    /// See the field.
    pub(super) fn first_certificate(&self) -> Option<Fingerprint> {
        self.first
    }

    /// The peer has proven itself on the present link.
    pub(super) fn is_proven(&self) -> bool {
        self.link.proven
    }

    /// Another link.
    pub(super) fn begin(&mut self) {
        self.link = LinkTrust::default();
    }

    /// The proof of an own description; `None` when the description names no certificate.
    pub(super) fn prove(
        &mut self,
        epoch: Epoch,
        kind: DescriptionKind,
        sdp: &str,
    ) -> Option<Proof> {
        let own = Fingerprint::of_sdp(sdp).ok()?;
        self.link.own = Some(own);
        let nonce = self.credentials.seed.nonce(self.credentials.acquaintance, self.round);
        let (about, word) = match kind {
            DescriptionKind::Offer => (About::Offer, nonce.commit()),
            DescriptionKind::Answer => (About::Answer, nonce.reveal()),
        };
        let reply_to = match kind {
            DescriptionKind::Offer => None,
            DescriptionKind::Answer => Some(self.link.unanswered.pop_front()?),
        };
        let statement = Statement {
            about,
            epoch,
            from: self.own,
            to: self.peer,
            own,
            other: self.link.peer.filter(|_| kind == DescriptionKind::Answer),
            reply_to,
            sdp: Some(sdp),
        };
        let proof = self.credentials.key.prove(&statement, word);
        if kind == DescriptionKind::Offer {
            remember(&mut self.link.offers, proof.mac);
        }
        Some(proof)
    }

    /// Looks at a description of the peer's, for the `current` link or for another one. In a
    /// `guarded` room whoever has another certificate than the peer first had is somebody else.
    pub(super) fn check(
        &self,
        epoch: Epoch,
        kind: DescriptionKind,
        (sdp, proof): (&str, Option<&Proof>),
        current: bool,
        guarded: bool,
    ) -> Verdict {
        let (Some(proof), Ok(certificate)) = (proof, Fingerprint::of_sdp(sdp)) else {
            return Verdict::Unproven;
        };
        let fresh = LinkTrust::default();
        let link = if current { &self.link } else { &fresh };
        let offer = Statement {
            about: About::Offer,
            epoch,
            from: self.peer,
            to: self.own,
            own: certificate,
            other: None,
            reply_to: None,
            sdp: Some(sdp),
        };
        let holds = |statement: &Statement<'_>| self.credentials.key.is_proven(statement, proof);
        let repeated = match kind {
            // The newest is said again when its answer may be lost.
            DescriptionKind::Offer if holds(&offer) => {
                link.offers.back() != Some(&proof.mac) && link.offers.contains(&proof.mac)
            }
            DescriptionKind::Offer => return Verdict::Unproven,
            DescriptionKind::Answer => {
                let answer = |to: &&Word| {
                    let (about, reply_to) = (About::Answer, Some(**to));
                    holds(&Statement { about, other: link.own, reply_to, ..offer })
                };
                match link.offers.iter().rev().position(|offer| answer(&offer)) {
                    Some(place) => place != 0,
                    None => return Verdict::Unproven,
                }
            }
        };
        if repeated {
            return Verdict::Stale;
        }
        // One link has one certificate (RFC 8829 §5.3.1: another one would be another association).
        if link.peer.is_some_and(|known| known != certificate) {
            return Verdict::Unproven;
        }
        if guarded && self.first.is_some_and(|first| first != certificate) {
            return Verdict::Unproven;
        }
        Verdict::Proven(Proven { certificate, proof: *proof })
    }

    /// It is the offer that was taken last.
    pub(super) fn is_newest_offer(&self, proven: &Proven) -> bool {
        self.link.offers.back() == Some(&proven.proof.mac)
    }

    /// Takes what was proven. False when the own nonce is spent on somebody else: another offer has
    /// to be made, with another one.
    pub(super) fn take(&mut self, proven: Proven) -> bool {
        let Proven { certificate, proof } = proven;
        let partner = (certificate, proof.word);
        let spent = self.partner.is_some_and(|known| known != partner);
        if spent {
            self.round += 1;
            self.code = None;
            self.partner = None;
            if self.offers {
                return false;
            }
        }
        self.partner = Some(partner);
        self.certificate = Some(certificate);
        self.link.peer = Some(certificate);
        self.link.shown = Some(proof.word);
        if self.offers {
            self.link.proven = true;
            self.first.get_or_insert(certificate);
            self.agree_on_code(proof.word);
        } else {
            remember(&mut self.link.offers, proof.mac);
            remember(&mut self.link.unanswered, proof.mac);
        }
        true
    }

    /// The side that offers has taken an answer, and says so.
    pub(super) fn confirmation(&self, epoch: Epoch) -> Option<Proof> {
        let nonce = self.credentials.seed.nonce(self.credentials.acquaintance, self.round);
        let statement = Statement {
            about: About::Confirm,
            epoch,
            from: self.own,
            to: self.peer,
            own: self.link.own?,
            other: Some(self.link.peer?),
            reply_to: Some(self.link.shown?),
            sdp: None,
        };
        Some(self.credentials.key.prove(&statement, nonce.reveal()))
    }

    /// The peer, which offers, says that it has taken the answer.
    pub(super) fn take_confirmation(&mut self, epoch: Epoch, proof: &Proof) -> Verdict {
        let nonce = self.credentials.seed.nonce(self.credentials.acquaintance, self.round);
        let (Some(own), Some(peer), Some(shown)) = (self.link.own, self.link.peer, self.link.shown)
        else {
            // Nothing has been answered that could be confirmed.
            return Verdict::Stale;
        };
        let statement = Statement {
            about: About::Confirm,
            epoch,
            from: self.peer,
            to: self.own,
            own: peer,
            other: Some(own),
            reply_to: Some(nonce.reveal()),
            sdp: None,
        };
        let binding = proof.word.as_nonce().commit() == shown;
        if !binding || !self.credentials.key.is_proven(&statement, proof) {
            return Verdict::Unproven;
        }
        self.link.proven = true;
        self.first.get_or_insert(peer);
        self.agree_on_code(proof.word);
        Verdict::Proven(Proven { certificate: peer, proof: *proof })
    }

    fn agree_on_code(&mut self, theirs: Word) {
        let (Some(own), Some(peer)) = (self.link.own, self.link.peer) else { return };
        let nonce = self.credentials.seed.nonce(self.credentials.acquaintance, self.round);
        let own = CodePart { id: self.own, fingerprint: own, nonce };
        let peer = CodePart { id: self.peer, fingerprint: peer, nonce: theirs.as_nonce() };
        let (offerer, answerer) = if self.offers { (&own, &peer) } else { (&peer, &own) };
        self.code = Some(Code::new(offerer, answerer));
    }
}

fn remember(offers: &mut VecDeque<Word>, offer: Word) {
    if offers.len() == REMEMBERED_OFFERS {
        offers.pop_front();
    }
    offers.push_back(offer);
}
