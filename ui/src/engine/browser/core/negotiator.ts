// One pair: the connection between this participant and one other, and its repair. The same rules
// as `quartet_core::negotiator`, which says more about why.
//
// The side with the lower id makes every offer and counts the epochs; the other one answers, and
// asks with `negotiate` for what it misses. Nothing that was sent can be relied on to arrive, but
// what arrives is in order. The repairs, from mild to harsh: an ICE restart of the link, and a new
// link under the next epoch. Whatever a peer sends costs a bounded number of links and messages,
// and only this pair. Nothing that is not proven to come from somebody with the link gets to the
// link of the browser. Times are milliseconds.

import { Allowance } from './allowance';
import { Backoff, SETTLED } from './backoff';
import { MAX_CANDIDATE_BYTES, MAX_SDP_BYTES, MAX_U32 } from './limits';
import type { Candidate, DescriptionKind, Epoch, PeerId } from './messages';
import {
  earliest,
  type Connection,
  type LinkAction,
  type LinkEvent,
  type LinkState,
  type Outbox,
} from './output';
import { PairTrust, type Credentials, type Trust } from './pair_trust';
import type { Code, Fingerprint, Proof } from './trust';

/** From an offer, or the wish for one, to a path. */
export const CONNECT_LIMIT = 10_000;
/** A path that is silent for less comes back by itself more often than not. */
export const DISCONNECTED_LIMIT = 2_000;
/** The side that answers expects the first offer of somebody new within this time. */
const OFFER_LIMIT = 3_000;
/** An offer younger than this may have crossed with a wish for one, which is then fulfilled. */
const CROSSING = 1_000;
/** Offers taken from a peer at once, each of which may cost a link … */
const OFFER_BURST = 10;
/** … and one more after each such time. */
const OFFER_INTERVAL = 1_000;
/** Candidates taken after each description: a machine with many interfaces has about 40. */
export const MAX_CANDIDATES = 100;
/**
 * So often in a row the peer may fail to prove itself before this side stops trying by itself:
 * nothing that happens to an honest pair looks like that.
 */
const MAX_DISTRUSTS = 3;

/** Since when signalling goes through to the peer: both new to each other, or one was away. */
export type Reach = 'first' | 'again';
type Repair = 'restart' | 'renew';

/** The link of the current epoch, as far as it is known. */
interface Link {
  state: LinkState;
  openedAt: number;
  /** For the first time. */
  connectedAt: number | null;
  /** It stays disconnected until then: it is restarted. */
  restartAt: number | null;
  /** It has no path by then: it is given up. */
  deadline: number | null;
  /** When this side last made an offer. */
  offeredAt: number | null;
  /** That offer has had no answer. */
  unanswered: boolean;
  /** The machine's addresses have changed since. */
  outdated: boolean;
  /** Taken since the last description. */
  candidates: number;
}

export class Negotiator {
  private readonly offers: boolean;
  private reachable = false;
  /** Of the newest link that this side has heard of; 0 before the first. */
  private epoch: Epoch = 0;
  private link: Link | null = null;
  /** What is needed and cannot be, or has not been, seen to yet. */
  private repair: Repair | null = 'renew';
  /** When something is done about it, again if need be. */
  private repairAt: number | null = null;
  private readonly backoff: Backoff;
  private askedAt: number | null = null;
  private readonly offersTaken = new Allowance(OFFER_BURST, OFFER_INTERVAL);
  private everConnected = false;
  /** The last link ended without having had a path. */
  private lastFailed = false;
  private readonly trustState: PairTrust;
  /** In a row, somebody in the peer's place could not prove to belong there. */
  private distrusts = 0;

  constructor(
    own: PeerId,
    private readonly peer: PeerId,
    credentials: Credentials,
    private readonly out: Outbox,
  ) {
    this.offers = own < peer;
    this.trustState = new PairTrust(own, peer, credentials);
    this.backoff = new Backoff(own + peer);
  }

  /** To the one who has proven to be the peer. */
  get isConnected(): boolean {
    return this.link?.state === 'connected' && this.trustState.isProven;
  }

  /** For the person. */
  get trust(): Trust {
    return this.trustState.view;
  }

  /** The one that was first proven to be the peer's. */
  get certificate(): Fingerprint | null {
    return this.trustState.firstCertificate;
  }

  /** The person has compared the code with the peer, or takes that back. */
  confirmCode(code: Code, matches: boolean): void {
    this.trustState.confirmCode(code, matches);
  }

  /** For the person. */
  get connection(): Connection {
    if (this.isConnected) return 'connected';
    if (this.distrusts > 0) return 'untrusted';
    if (this.lastFailed) return 'failed';
    return this.everConnected ? 'reconnecting' : 'connecting';
  }

  /** Signalling goes through to the peer. Said again, either side was away in between. */
  reached(now: number, reach: Reach): void {
    this.reachable = true;
    this.backoff.reset();
    const { link } = this;
    if (link?.state === 'connected') {
      if (link.unanswered) {
        this.repair = 'restart';
      } else if (this.offers) {
        // It may not have arrived.
        this.sayConfirm();
      } else if (!this.trustState.isProven) {
        link.deadline = now + CONNECT_LIMIT;
        this.repair = 'restart';
      }
    } else if (link && link.connectedAt !== null) {
      link.deadline = now + CONNECT_LIMIT;
      this.repair = 'restart';
    } else if (link) {
      // It never had a path, and its description, its answer or candidates may be lost.
      this.dropLink(now);
    } else {
      this.repair = 'renew';
    }
    if (this.repair === null) return;
    const patience = !this.offers && reach === 'first';
    this.repairAt = patience ? now + OFFER_LIMIT : now;
    this.seeToRepair(now);
  }

  /** Signalling does not go through to the peer for now. The link goes on. */
  lostReach(): void {
    this.reachable = false;
    this.repairAt = null;
    if (!this.link) return;
    this.link.restartAt = null;
    this.link.deadline = null;
  }

  /** The machine's addresses may have changed: the link looks for new paths. */
  networkChanged(now: number): void {
    // A link that never had a path has its deadline. A restart under way goes first: its offer
    // names the old addresses, but an answer to it has to come.
    const { link } = this;
    if (!link || link.connectedAt === null) return;
    link.outdated = link.unanswered;
    if (link.unanswered || this.repair !== null) return;
    this.repair = 'restart';
    this.repairAt = this.reachable ? now : null;
    this.seeToRepair(now);
  }

  /** The pair is over. */
  close(): void {
    if (this.link) this.out.push({ type: 'close_link', peer: this.peer, epoch: this.epoch });
    this.link = null;
    this.lostReach();
  }

  /** The peer's description; in a guarded room nobody else takes the peer's id over. */
  description(
    now: number,
    epoch: Epoch,
    kind: DescriptionKind,
    sdp: string,
    proof: Proof | null,
    guarded: boolean,
  ): void {
    const ownTurn = this.offers === (kind === 'answer');
    if (!ownTurn || sdp.length > MAX_SDP_BYTES) return;
    const current = epoch === this.epoch;
    if (kind === 'answer' && !(current && this.link?.unanswered)) return;
    const proven = this.trustState.check(epoch, kind, sdp, proof, current, guarded);
    if (proven === 'stale') return;
    if (proven === 'unproven') return this.distrust(now);
    if (kind === 'offer' && current && this.link && this.trustState.isNewestOffer(proven)) {
      // Said again, as its answer may be lost: that needs no other link, however often.
      if (!this.offersTaken.take(now)) return;
      this.repair = null;
      this.repairAt = null;
    } else if (kind === 'offer' && !this.takeOffer(now, epoch)) {
      return;
    }
    if (!this.trustState.take(proven)) return this.giveUp(now);
    if (this.link) {
      this.link.unanswered = false;
      this.link.candidates = 0;
      // A path that works waits for nothing more; should it be lost it is restarted.
      if (this.isConnected) this.link.deadline = null;
      if (this.link.outdated) {
        this.link.outdated = false;
        this.repair = 'restart';
        this.repairAt = now;
      }
    }
    this.act({ type: 'description', kind, sdp });
    if (this.offers) this.sayConfirm();
    this.seeToRepair(now);
  }

  /** The peer, which offers, has taken an answer. */
  confirm(now: number, epoch: Epoch, proof: Proof): void {
    if (!this.link || epoch !== this.epoch || this.offers) return;
    switch (this.trustState.takeConfirmation(epoch, proof)) {
      case 'unproven':
        return this.distrust(now);
      case 'proven':
        if (this.link.state !== 'connected') return;
        this.link.deadline = null;
        this.connected();
    }
  }

  /** The peer's candidate; one for another link than the current one is of no use. */
  candidate(epoch: Epoch, candidate: Candidate): void {
    const texts = [candidate.candidate, candidate.sdpMid, candidate.usernameFragment];
    if (texts.some((text) => text !== undefined && text.length > MAX_CANDIDATE_BYTES)) return;
    if (epoch !== this.epoch || !this.link || this.link.candidates >= MAX_CANDIDATES) return;
    this.link.candidates++;
    this.act({ type: 'candidate', candidate });
  }

  /** The peer, which answers, wants an offer. */
  negotiate(now: number, epoch: Epoch, renew: boolean): void {
    if (!this.offers || !this.reachable) return;
    const { link } = this;
    if (!link) {
      // The next link is under way; it goes on from what the peer remembers.
      this.epoch = Math.max(this.epoch, epoch);
      return;
    }
    const crossing = link.offeredAt !== null && now < link.offeredAt + CROSSING;
    if (epoch > this.epoch) {
      // This side has forgotten the pair's history, as after a long outage.
      this.giveUp(now);
      this.epoch = epoch;
    } else if (epoch < this.epoch) {
      // If the peer has answered this epoch's offer, it has forgotten it since; otherwise the
      // offer is lost, or about to arrive.
      if (!link.unanswered || !crossing) this.giveUp(now);
    } else if (renew) {
      this.giveUp(now);
    } else if (link.connectedAt !== null && !crossing) {
      this.repair = 'restart';
      this.repairAt = now;
      this.seeToRepair(now);
    }
  }

  /** The link of `epoch` says something. */
  linkEvent(now: number, epoch: Epoch, event: LinkEvent): void {
    if (epoch !== this.epoch || !this.link) return;
    switch (event.type) {
      // What cannot be sent is lost: `reached` makes up for it.
      case 'description': {
        const proof = this.trustState.prove(epoch, event.kind, event.sdp);
        if (!proof) break;
        if (this.reachable) this.out.send({ ...event, to: this.peer, epoch, proof });
        return;
      }
      case 'candidate':
        if (this.reachable) this.out.send({ ...event, to: this.peer, epoch });
        return;
      case 'state':
        if (event.state !== 'failed') return this.linkState(now, this.link, event.state);
    }
    if (this.link.connectedAt === null) this.lastFailed = true;
    this.giveUp(now);
  }

  pollTimeout(): number | null {
    return earliest(this.link?.restartAt, this.link?.deadline, this.repairAt);
  }

  handleTimeout(now: number): void {
    const { link } = this;
    if (link) {
      const restart = link.restartAt !== null && link.restartAt <= now;
      if (restart) link.restartAt = null;
      if (link.deadline !== null && link.deadline <= now) {
        link.deadline = null;
        if (link.state !== 'connected') {
          this.giveUp(now);
        } else if (!this.trustState.isProven) {
          // Both have a path, and nothing comes that proves the peer to be there.
          this.distrust(now);
        } else if (link.unanswered) {
          // The old path still works: there is no hurry, but a new one was wanted.
          this.repair = 'restart';
          this.repairAt = now;
        }
      } else if (restart && link.deadline === null) {
        link.deadline = now + CONNECT_LIMIT;
        this.repair = 'restart';
        this.repairAt = now;
      }
    }
    this.seeToRepair(now);
  }

  private linkState(now: number, link: Link, state: Exclude<LinkState, 'failed'>): void {
    link.state = state;
    link.restartAt = null;
    if (state === 'connected') {
      link.connectedAt ??= now;
      this.repair = null;
      this.repairAt = null;
      if (!this.trustState.isProven) return;
      if (!link.unanswered) link.deadline = null;
      this.connected();
    } else if (this.reachable && state === 'disconnected') {
      link.restartAt = now + DISCONNECTED_LIMIT;
    } else if (this.reachable) {
      link.deadline ??= now + CONNECT_LIMIT;
    }
  }

  /** There is a path, and the peer has proven to be at its end. */
  private connected(): void {
    this.everConnected = true;
    this.lastFailed = false;
    this.distrusts = 0;
  }

  /**
   * Somebody in the peer's place cannot prove to belong there. That costs the link, unless the peer
   * has proven itself on it and is connected: then it is the message alone that is wrong.
   */
  private distrust(now: number): void {
    if (this.isConnected) return;
    this.distrusts++;
    this.dropLink(now);
    const delay = this.backoff.delayAfter(0);
    this.repairAt = this.reachable ? now + delay : null;
  }

  /** Tells the side that answers that its answer was taken. */
  private sayConfirm(): void {
    const proof = this.trustState.confirmation(this.epoch);
    if (!proof || !this.reachable) return;
    this.out.send({ type: 'confirm', to: this.peer, epoch: this.epoch, proof });
  }

  /** Whether an offer goes to the link, which is opened for it if it is a new one. */
  private takeOffer(now: number, epoch: Epoch): boolean {
    const renews = epoch > this.epoch;
    const stale = !renews && (epoch < this.epoch || !this.link);
    if (!this.offersTaken.take(now) || stale) {
      // The peer has forgotten the newer link, wants to go on with one that has failed here, or
      // is hasty.
      this.askForRenewal(now);
      return false;
    }
    if (renews) {
      this.dropLink(now);
      this.epoch = epoch;
      this.openLink(now, false);
    }
    this.repair = null;
    this.repairAt = null;
    if (this.link && this.reachable && this.link.state !== 'connected') {
      this.link.deadline = now + CONNECT_LIMIT;
    }
    return true;
  }

  /** The link is beyond repair. */
  private giveUp(now: number): void {
    if (!this.link) return;
    const lasted = this.link.connectedAt === null ? 0 : now - this.link.connectedAt;
    this.dropLink(now);
    if (this.offers) {
      const delay = this.backoff.delayAfter(lasted);
      this.repairAt = this.reachable ? now + delay : null;
    } else {
      if (lasted >= SETTLED) this.backoff.reset();
      this.askForRenewal(now);
      this.seeToRepair(now);
    }
  }

  /** Lets the side that offers know, as soon as it has not just been told. */
  private askForRenewal(now: number): void {
    if (this.repair === 'renew' && this.repairAt !== null) return;
    this.repair = 'renew';
    const at = this.askedAt === null ? now : Math.max(now, this.askedAt + CROSSING);
    this.repairAt = this.reachable ? at : null;
  }

  private seeToRepair(now: number): void {
    if (this.repairAt === null || now < this.repairAt) return;
    this.repairAt = null;
    const { repair } = this;
    if (repair === null || this.distrusts >= MAX_DISTRUSTS) return;
    if (this.offers) {
      this.repair = null;
      if (repair === 'restart') this.restart(now);
      else this.renew(now);
    } else {
      const renew = repair === 'renew';
      this.out.send({ type: 'negotiate', to: this.peer, epoch: this.epoch, renew });
      this.askedAt = now;
      this.repairAt = now + this.backoff.delayAfter(0);
    }
  }

  private restart(now: number): void {
    const { link } = this;
    if (!link) return;
    link.offeredAt = now;
    if (link.unanswered) {
      // A peer that never answers does not put the deadline off.
      link.deadline ??= now + CONNECT_LIMIT;
      this.act({ type: 'repeat_offer' });
    } else {
      link.unanswered = true;
      link.deadline = now + CONNECT_LIMIT;
      this.act({ type: 'offer', iceRestart: true });
    }
  }

  private renew(now: number): void {
    if (this.epoch === MAX_U32) {
      // Only a peer that lies about its epoch gets this far. There is no next one.
      this.lastFailed = true;
      return;
    }
    this.epoch++;
    this.openLink(now, true);
    this.act({ type: 'offer', iceRestart: false });
  }

  private openLink(now: number, offerer: boolean): void {
    this.link = {
      state: 'connecting',
      openedAt: now,
      connectedAt: null,
      restartAt: null,
      deadline: this.reachable ? now + CONNECT_LIMIT : null,
      offeredAt: offerer ? now : null,
      unanswered: offerer,
      outdated: false,
      candidates: 0,
    };
    this.trustState.begin();
    this.out.openLink(this.peer, this.epoch, offerer);
  }

  /** A new one is needed, whoever has to make it. */
  private dropLink(now: number): void {
    const { link } = this;
    this.link = null;
    if (link) {
      // One that is dropped early may have lost nothing but a message.
      const fairTry = now >= link.openedAt + CONNECT_LIMIT / 2;
      this.lastFailed ||= fairTry && link.connectedAt === null;
      this.out.push({ type: 'close_link', peer: this.peer, epoch: this.epoch });
    }
    this.repair = 'renew';
    this.repairAt = null;
  }

  /** The link learns the servers that a restart is to use. */
  renewIceServers(): void {
    if (this.link) this.act({ type: 'ice_servers', iceServers: this.out.iceServers });
  }

  private act(action: LinkAction): void {
    this.out.push({ type: 'link', peer: this.peer, epoch: this.epoch, action });
  }
}
