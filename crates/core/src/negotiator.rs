//! One pair: the connection between this participant and one other, and its repair.
//! Long because every input may start, end or replace the one repair that is under way.
//!
//! The side with the lower [`PeerId`] makes every offer and counts the epochs; the other one
//! answers, and asks with `negotiate` for what it misses. Nothing that was sent can be relied on to
//! arrive, as either side's socket may be down, but what arrives is in the order in which it was
//! sent. Inputs by origin:
//!
//! * the peer: [`Negotiator::description`], [`Negotiator::confirm`], [`Negotiator::candidate`],
//!   [`Negotiator::negotiate`];
//! * the link: [`Negotiator::link_event`];
//! * the session: [`Negotiator::reached`] and [`Negotiator::lost_reach`] (signalling goes through
//!   to the peer, or not), [`Negotiator::network_changed`], [`Negotiator::confirm_code`],
//!   [`Negotiator::close`];
//! * time: [`Negotiator::handle_timeout`].
//!
//! The repairs, from mild to harsh: an ICE restart of the link ([`Repair::Restart`]), and a new
//! link under the next epoch ([`Repair::Renew`]). Each has [`CONNECT_LIMIT`] to work. While
//! signalling does not go through nothing can be repaired, so nothing is given up either.
//!
//! Nothing that the peer describes gets to the link unless it [proves](trust) to come from somebody
//! with the same join link: before that, no path is looked for.
//!
//! Whatever a peer sends, it costs a bounded number of links and messages, and only this pair.

mod trust;

use std::time::{Duration, Instant};

use quartet_proto::{
    Candidate, ClientMessage, Code, DescriptionKind, Epoch, Fingerprint, PeerId, Proof,
    limits::{MAX_CANDIDATE_BYTES, MAX_SDP_BYTES},
};

pub(crate) use self::trust::Credentials;
use self::trust::{TrustState, Verdict};
use crate::{
    LinkAction, LinkEvent, LinkState,
    allowance::Allowance,
    backoff::Backoff,
    session::{Connection, Outbox, Output, Trust},
};

/// From an offer, or the wish for one, to a path. Ten times what a relayed path over a bad mobile
/// network takes; people give up at about this time.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// A path that is silent for less comes back by itself more often than not.
pub(crate) const DISCONNECTED_LIMIT: Duration = Duration::from_secs(2);
/// The side that answers expects the first offer of somebody new within this time.
const OFFER_LIMIT: Duration = Duration::from_secs(3);
/// An offer younger than this may have crossed with a wish for one, which is then fulfilled.
const CROSSING: Duration = Duration::from_secs(1);
/// Offers taken from a peer at once, each of which may cost a link; an honest one needs five in its
/// first 10 s of failing.
const OFFER_BURST: u32 = 10;
/// And one more after each such time.
const OFFER_INTERVAL: Duration = Duration::from_secs(1);
/// Candidates taken after each description: a machine with many interfaces, both IP families and
/// two TURN servers has about 40.
const MAX_CANDIDATES: u32 = 100;
/// So often in a row the peer may fail to prove itself before this side stops trying by itself:
/// nothing that happens to an honest pair looks like that, so it would go on for ever.
const MAX_DISTRUSTS: u32 = 3;

/// What the pair needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repair {
    /// New paths for the link there is.
    Restart,
    /// Another link.
    Renew,
}

/// Since when signalling goes through to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Both sides have just heard of each other: the first offer is under way.
    First,
    /// One side was away: anything sent meanwhile may be lost.
    Again,
}

/// The link of the current epoch, as far as it is known.
#[derive(Debug)]
struct Link {
    state: LinkState,
    opened_at: Instant,
    /// For the first time.
    connected_at: Option<Instant>,
    /// It stays disconnected until then: it is restarted.
    restart_at: Option<Instant>,
    /// It has no path by then: it is given up.
    deadline: Option<Instant>,
    /// When this side last made an offer.
    offered_at: Option<Instant>,
    /// That offer has had no answer.
    unanswered: bool,
    /// The machine's addresses have changed since.
    outdated: bool,
    /// Taken since the last description.
    candidates: u32,
}

impl Link {
    fn is_connected(&self) -> bool {
        self.state == LinkState::Connected
    }
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Negotiator {
    peer: PeerId,
    offers: bool,
    reachable: bool,
    /// Of the newest link that this side has heard of; 0 before the first.
    epoch: Epoch,
    link: Option<Link>,
    /// What is needed and cannot be, or has not been, seen to yet.
    repair: Option<Repair>,
    /// When something is done about it, again if need be.
    repair_at: Option<Instant>,
    backoff: Backoff,
    asked_at: Option<Instant>,
    offers_taken: Allowance,
    ever_connected: bool,
    /// The last link ended without having had a path.
    last_failed: bool,
    trust: TrustState,
    /// In a row, somebody in the peer's place could not prove to belong there.
    distrusts: u32,
}

impl Negotiator {
    /// A pair that is to be connected, once it is [reached](Self::reached).
    pub(crate) fn new(own: PeerId, peer: PeerId, credentials: Credentials) -> Self {
        Self {
            peer,
            offers: own < peer,
            reachable: false,
            epoch: 0,
            link: None,
            repair: Some(Repair::Renew),
            repair_at: None,
            backoff: Backoff::new((own, peer)),
            asked_at: None,
            offers_taken: Allowance::new(OFFER_BURST, OFFER_INTERVAL),
            ever_connected: false,
            last_failed: false,
            trust: TrustState::new(own, peer, credentials),
            distrusts: 0,
        }
    }

    /// For the user.
    pub(crate) fn connection(&self) -> Connection {
        if self.is_connected() {
            Connection::Connected
        } else if self.distrusts > 0 {
            Connection::Untrusted
        } else if self.last_failed {
            Connection::Failed
        } else if self.ever_connected {
            Connection::Reconnecting
        } else {
            Connection::Connecting
        }
    }

    /// To the one who has proven to be the peer.
    pub(crate) fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_connected) && self.trust.is_proven()
    }

    /// For the user.
    pub(crate) fn trust(&self) -> Trust {
        self.trust.view()
    }

    /// The one that was first proven to be the peer's.
    pub(crate) fn certificate(&self) -> Option<Fingerprint> {
        self.trust.first_certificate()
    }

    /// The user has compared the code with the peer, or takes that back.
    pub(crate) fn confirm_code(&mut self, code: Code, matches: bool) {
        self.trust.confirm_code(code, matches);
    }

    /// Signalling goes through to the peer. Said again, it means that either side was away in
    /// between.
    pub(crate) fn reached(&mut self, now: Instant, reach: Reach, out: &mut Outbox) {
        self.reachable = true;
        self.backoff.reset();
        match &mut self.link {
            Some(link) if link.is_connected() => {
                if link.unanswered {
                    self.repair = Some(Repair::Restart);
                } else if self.offers {
                    // It may not have arrived.
                    self.say_confirm(out);
                } else if !self.trust.is_proven() {
                    link.deadline = Some(now + CONNECT_LIMIT);
                    self.repair = Some(Repair::Restart);
                }
            }
            Some(link) if link.connected_at.is_some() => {
                link.deadline = Some(now + CONNECT_LIMIT);
                self.repair = Some(Repair::Restart);
            }
            // It never had a path, and its description, its answer or candidates may be lost.
            Some(_) => self.drop_link(now, out),
            None => self.repair = Some(Repair::Renew),
        }
        if self.repair.is_some() {
            let patience = !self.offers && reach == Reach::First;
            self.repair_at = Some(if patience { now + OFFER_LIMIT } else { now });
            self.see_to_repair(now, out);
        }
    }

    /// Signalling does not go through to the peer for now. The link goes on.
    pub(crate) fn lost_reach(&mut self) {
        self.reachable = false;
        self.repair_at = None;
        if let Some(link) = &mut self.link {
            link.restart_at = None;
            link.deadline = None;
        }
    }

    /// The machine's addresses may have changed: the link looks for new paths.
    pub(crate) fn network_changed(&mut self, now: Instant, out: &mut Outbox) {
        // A link that never had a path has its deadline. A restart under way goes first: its offer
        // names the old addresses, but an answer to it has to come.
        let Some(link) = self.link.as_mut().filter(|link| link.connected_at.is_some()) else {
            return;
        };
        link.outdated = link.unanswered;
        if !link.unanswered && self.repair.is_none() {
            self.repair = Some(Repair::Restart);
            self.repair_at = self.reachable.then_some(now);
            self.see_to_repair(now, out);
        }
    }

    /// The pair is over.
    pub(crate) fn close(&mut self, out: &mut Outbox) {
        if self.link.take().is_some() {
            out.push(Output::CloseLink { peer: self.peer, epoch: self.epoch });
        }
        self.lost_reach();
    }

    /// The peer's description; in a guarded room nobody else takes the peer's id over.
    pub(crate) fn description(
        &mut self,
        now: Instant,
        epoch: Epoch,
        kind: DescriptionKind,
        (sdp, proof): (String, Option<&Proof>),
        guarded: bool,
        out: &mut Outbox,
    ) {
        let own_turn = self.offers == (kind == DescriptionKind::Answer);
        if !own_turn || sdp.len() > MAX_SDP_BYTES {
            return;
        }
        let answers = |link: &Link| epoch == self.epoch && link.unanswered;
        if kind == DescriptionKind::Answer && !self.link.as_ref().is_some_and(answers) {
            return;
        }
        let current = epoch == self.epoch;
        let proven = match self.trust.check(epoch, kind, (&sdp, proof), current, guarded) {
            Verdict::Proven(proven) => proven,
            Verdict::Stale => return,
            Verdict::Unproven => return self.distrust(now, out),
        };
        if kind == DescriptionKind::Offer {
            // Said again, as its answer may be lost: that needs no other link, however often.
            let again = current && self.link.is_some() && self.trust.is_newest_offer(&proven);
            if again {
                if !self.offers_taken.take(now) {
                    return;
                }
                self.repair = None;
                self.repair_at = None;
            } else if !self.take_offer(now, epoch, out) {
                return;
            }
        }
        if !self.trust.take(proven) {
            return self.give_up(now, out);
        }
        let connected = self.is_connected();
        if let Some(link) = &mut self.link {
            link.candidates = 0;
            link.unanswered = false;
            if connected {
                // A path that works waits for nothing more; should it be lost it is restarted.
                link.deadline = None;
            }
            if std::mem::take(&mut link.outdated) {
                self.repair = Some(Repair::Restart);
                self.repair_at = Some(now);
            }
        }
        self.act(LinkAction::Description { kind, sdp }, out);
        if self.offers {
            self.say_confirm(out);
        }
        self.see_to_repair(now, out);
    }

    /// The peer, which offers, has taken an answer.
    pub(crate) fn confirm(&mut self, now: Instant, epoch: Epoch, proof: &Proof, out: &mut Outbox) {
        let current = self.link.as_mut().filter(|_| epoch == self.epoch && !self.offers);
        let Some(link) = current else { return };
        match self.trust.take_confirmation(epoch, proof) {
            Verdict::Proven(_) => {
                if link.is_connected() {
                    link.deadline = None;
                    self.connected();
                }
            }
            Verdict::Stale => {}
            Verdict::Unproven => self.distrust(now, out),
        }
    }

    /// The peer's candidate. One for another link than the current one is stale, or its
    /// description was lost and it is of no use.
    pub(crate) fn candidate(&mut self, epoch: Epoch, candidate: Candidate, out: &mut Outbox) {
        let Candidate { candidate: line, sdp_mid, username_fragment, .. } = &candidate;
        let texts = [Some(line), sdp_mid.as_ref(), username_fragment.as_ref()];
        let too_long = texts.into_iter().flatten().any(|text| text.len() > MAX_CANDIDATE_BYTES);
        let current = epoch == self.epoch && !too_long;
        let Some(link) = self.link.as_mut().filter(|_| current) else { return };
        if link.candidates < MAX_CANDIDATES {
            link.candidates += 1;
            self.act(LinkAction::Candidate(candidate), out);
        }
    }

    /// The peer, which answers, wants an offer.
    pub(crate) fn negotiate(&mut self, now: Instant, epoch: Epoch, renew: bool, out: &mut Outbox) {
        if !self.offers || !self.reachable {
            return;
        }
        let Some(link) = &self.link else {
            // The next link is under way; it goes on from what the peer remembers.
            self.epoch = self.epoch.max(epoch);
            return;
        };
        let crossing = link.offered_at.is_some_and(|at| now < at + CROSSING);
        if epoch > self.epoch {
            // This side has forgotten the pair's history, as after a long outage.
            self.give_up(now, out);
            self.epoch = epoch;
        } else if epoch < self.epoch {
            // What the peer sends comes in order. If it has answered this epoch's offer, it has
            // forgotten it since; otherwise the offer is lost, or about to arrive.
            if !link.unanswered || !crossing {
                self.give_up(now, out);
            }
        } else if renew {
            self.give_up(now, out);
        } else if link.connected_at.is_some() && !crossing {
            self.repair = Some(Repair::Restart);
            self.repair_at = Some(now);
            self.see_to_repair(now, out);
        }
    }

    /// The link of `epoch` says something.
    pub(crate) fn link_event(
        &mut self,
        now: Instant,
        epoch: Epoch,
        event: LinkEvent,
        out: &mut Outbox,
    ) {
        if epoch != self.epoch || self.link.is_none() {
            return;
        }
        let to = self.peer;
        match event {
            // What cannot be sent is lost: `reached` makes up for it.
            LinkEvent::Description { kind, sdp } => {
                let Some(proof) = self.trust.prove(epoch, kind, &sdp) else {
                    tracing::warn!("a link describes itself without a certificate");
                    return self.give_up(now, out);
                };
                if self.reachable {
                    out.send(ClientMessage::Description { to, epoch, kind, sdp, proof });
                }
            }
            LinkEvent::Candidate(candidate) if self.reachable => {
                out.send(ClientMessage::Candidate { to, epoch, candidate });
            }
            LinkEvent::State(LinkState::Failed) | LinkEvent::Broken(_) => {
                if self.link.as_ref().is_some_and(|link| link.connected_at.is_none()) {
                    self.last_failed = true;
                }
                self.give_up(now, out);
            }
            LinkEvent::State(state) => self.link_state(now, state),
            LinkEvent::Candidate(_)
            | LinkEvent::KeyFrameWanted
            | LinkEvent::ScreenKeyFrameWanted
            | LinkEvent::Estimate(_)
            | LinkEvent::Said(_)
            | LinkEvent::ChatOpened
            | LinkEvent::ChatSent
            | LinkEvent::ChatHeard(_)
            | LinkEvent::FilesOpened
            | LinkEvent::FilesHeard(_)
            | LinkEvent::FilesPiece { .. }
            | LinkEvent::FilesSent => {}
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let link = self.link.as_ref();
        let link_timers = link.into_iter().flat_map(|link| [link.restart_at, link.deadline]);
        link_timers.chain([self.repair_at]).flatten().min()
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        if let Some(link) = &mut self.link {
            let restart = due(&mut link.restart_at);
            if due(&mut link.deadline) {
                if !link.is_connected() {
                    self.give_up(now, out);
                } else if !self.trust.is_proven() {
                    // Both have a path, and nothing comes that proves the peer to be there.
                    self.distrust(now, out);
                } else if link.unanswered {
                    // The old path still works: there is no hurry, but a new one was wanted.
                    self.repair = Some(Repair::Restart);
                    self.repair_at = Some(now);
                }
            } else if restart && link.deadline.is_none() {
                link.deadline = Some(now + CONNECT_LIMIT);
                self.repair = Some(Repair::Restart);
                self.repair_at = Some(now);
            }
        }
        self.see_to_repair(now, out);
    }

    fn link_state(&mut self, now: Instant, state: LinkState) {
        let Some(link) = &mut self.link else { return };
        link.state = state;
        link.restart_at = None;
        match state {
            LinkState::Connected => {
                link.connected_at.get_or_insert(now);
                self.repair = None;
                self.repair_at = None;
                if self.trust.is_proven() {
                    if !link.unanswered {
                        link.deadline = None;
                    }
                    self.connected();
                }
            }
            LinkState::Disconnected if self.reachable => {
                link.restart_at = Some(now + DISCONNECTED_LIMIT);
            }
            LinkState::Connecting if self.reachable => {
                link.deadline.get_or_insert(now + CONNECT_LIMIT);
            }
            LinkState::Disconnected | LinkState::Connecting | LinkState::Failed => {}
        }
    }

    /// There is a path, and the peer has proven to be at its end.
    fn connected(&mut self) {
        self.ever_connected = true;
        self.last_failed = false;
        self.distrusts = 0;
    }

    /// Somebody in the peer's place cannot prove to belong there. That costs the link, unless the
    /// peer has proven itself on it and is connected: then it is the message alone that is wrong.
    fn distrust(&mut self, now: Instant, out: &mut Outbox) {
        tracing::warn!(peer = %self.peer, "what comes in a peer's name does not prove to be its own");
        if self.is_connected() {
            return;
        }
        self.distrusts = self.distrusts.saturating_add(1);
        self.drop_link(now, out);
        let delay = self.backoff.delay_after(Duration::ZERO);
        self.repair_at = self.reachable.then(|| now + delay);
    }

    /// Tells the side that answers that its answer was taken.
    fn say_confirm(&self, out: &mut Outbox) {
        if let Some(proof) = self.trust.confirmation(self.epoch).filter(|_| self.reachable) {
            out.send(ClientMessage::Confirm { to: self.peer, epoch: self.epoch, proof });
        }
    }

    /// Whether an offer goes to the link, which is opened for it if it is a new one.
    fn take_offer(&mut self, now: Instant, epoch: Epoch, out: &mut Outbox) -> bool {
        let new = epoch > self.epoch;
        if !self.offers_taken.take(now) || (!new && (epoch < self.epoch || self.link.is_none())) {
            // The peer has forgotten the newer link, wants to go on with one that has failed here,
            // or is hasty.
            self.ask_for_renewal(now);
            return false;
        }
        if new {
            self.drop_link(now, out);
            self.epoch = epoch;
            self.open_link(now, false, out);
        }
        self.repair = None;
        self.repair_at = None;
        if let Some(link) = &mut self.link
            && self.reachable
            && !link.is_connected()
        {
            link.deadline = Some(now + CONNECT_LIMIT);
        }
        true
    }

    /// The link is beyond repair.
    fn give_up(&mut self, now: Instant, out: &mut Outbox) {
        let Some(link) = &self.link else { return };
        let lasted = link.connected_at.map_or(Duration::ZERO, |at| now - at);
        self.drop_link(now, out);
        if self.offers {
            let delay = self.backoff.delay_after(lasted);
            self.repair_at = self.reachable.then(|| now + delay);
        } else {
            if lasted >= crate::backoff::SETTLED {
                self.backoff.reset();
            }
            self.ask_for_renewal(now);
            self.see_to_repair(now, out);
        }
    }

    /// Lets the side that offers know, as soon as it has not just been told.
    fn ask_for_renewal(&mut self, now: Instant) {
        if self.repair == Some(Repair::Renew) && self.repair_at.is_some() {
            return;
        }
        self.repair = Some(Repair::Renew);
        let earliest = self.asked_at.map_or(now, |at| now.max(at + CROSSING));
        self.repair_at = self.reachable.then_some(earliest);
    }

    fn see_to_repair(&mut self, now: Instant, out: &mut Outbox) {
        if self.repair_at.is_none_or(|at| now < at) {
            return;
        }
        self.repair_at = None;
        if self.distrusts >= MAX_DISTRUSTS {
            return;
        }
        let Some(repair) = self.repair else { return };
        if self.offers {
            self.repair = None;
            match repair {
                Repair::Restart => self.restart(now, out),
                Repair::Renew => self.renew(now, out),
            }
        } else {
            let renew = repair == Repair::Renew;
            out.send(ClientMessage::Negotiate { to: self.peer, epoch: self.epoch, renew });
            self.asked_at = Some(now);
            self.repair_at = Some(now + self.backoff.delay_after(Duration::ZERO));
        }
    }

    fn restart(&mut self, now: Instant, out: &mut Outbox) {
        let Some(link) = &mut self.link else { return };
        link.offered_at = Some(now);
        // A peer that never answers does not put the deadline off.
        if std::mem::replace(&mut link.unanswered, true) {
            link.deadline.get_or_insert(now + CONNECT_LIMIT);
            self.act(LinkAction::RepeatOffer, out);
        } else {
            link.deadline = Some(now + CONNECT_LIMIT);
            self.act(LinkAction::Offer { ice_restart: true }, out);
        }
    }

    fn renew(&mut self, now: Instant, out: &mut Outbox) {
        let Some(next) = self.epoch.checked_add(1) else {
            // Only a peer that lies about its epoch gets this far. There is no next one.
            self.last_failed = true;
            return;
        };
        self.epoch = next;
        self.open_link(now, true, out);
        self.act(LinkAction::Offer { ice_restart: false }, out);
    }

    fn open_link(&mut self, now: Instant, offerer: bool, out: &mut Outbox) {
        self.link = Some(Link {
            state: LinkState::Connecting,
            opened_at: now,
            connected_at: None,
            restart_at: None,
            deadline: self.reachable.then(|| now + CONNECT_LIMIT),
            offered_at: offerer.then_some(now),
            unanswered: offerer,
            outdated: false,
            candidates: 0,
        });
        self.trust.begin();
        out.open_link(self.peer, self.epoch, offerer);
    }

    /// A new one is needed, whoever has to make it.
    fn drop_link(&mut self, now: Instant, out: &mut Outbox) {
        if let Some(link) = self.link.take() {
            // One that is dropped early may have lost nothing but a message.
            let fair_try = now >= link.opened_at + CONNECT_LIMIT / 2;
            self.last_failed |= fair_try && link.connected_at.is_none();
            out.push(Output::CloseLink { peer: self.peer, epoch: self.epoch });
        }
        self.repair = Some(Repair::Renew);
        self.repair_at = None;
    }

    /// The link learns the servers that a restart is to use.
    pub(crate) fn renew_ice_servers(&self, out: &mut Outbox) {
        if self.link.is_some() {
            self.act(LinkAction::IceServers(out.ice_servers.clone()), out);
        }
    }

    fn act(&self, action: LinkAction, out: &mut Outbox) {
        out.push(Output::Link { peer: self.peer, epoch: self.epoch, action });
    }
}
