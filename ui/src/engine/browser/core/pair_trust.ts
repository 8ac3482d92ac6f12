// What the two ends of a pair prove to each other, and what is known of the other's certificate. The
// same rules as `quartet_core::negotiator::trust`, which says more about why.
//
// Every description carries a proof that its sender has the link; the answer's also covers the offer
// that it replies to and both certificates, and the offerer then says with `confirm` that it covers
// both too. The parts of the pair's code go with them. An own nonce that was shown serves with one
// partner only, so a reconnect keeps the code, and nobody can try codes out.

import { decodeId32, encodeBytes } from './base64url';
import type { DescriptionKind, Epoch, PeerId } from './messages';
import {
  codeOf,
  commitment,
  fingerprintOf,
  isProven,
  nonceOf,
  prove,
  sameBytes,
  type Code,
  type Fingerprint,
  type Proof,
  type Statement,
} from './trust';

/** Offers of one link that are remembered; the core's reasons. */
const REMEMBERED_OFFERS = 32;

/** What is needed of the room and of this visit. */
export interface Credentials {
  key: Uint8Array;
  seed: Uint8Array;
  /** Different for everybody met in this visit, and for each time. */
  acquaintance: number;
  /** What was first proven under this id, at an earlier time. */
  certificate: Fingerprint | null;
}

export type Mark = 'unconfirmed' | 'confirmed' | 'changed';

/** How sure it is that nobody stands between. */
export interface Trust {
  code: Code | null;
  mark: Mark;
}

/** What was proven, to be taken. */
export interface Proven {
  certificate: Fingerprint;
  proof: Proof;
}

/** The part that ends with each link. */
interface LinkTrust {
  own: Fingerprint | null;
  peer: Fingerprint | null;
  /** The `mac`s of the offers made or taken, the newest last. */
  offers: string[];
  /** Those taken that the link has not answered yet. */
  unanswered: string[];
  /** The newest thing the peer has shown: its nonce, or its commitment to it. */
  shown: string | null;
  proven: boolean;
}

export class PairTrust {
  private readonly offers: boolean;
  /** Counts the own nonces. */
  private round = 0;
  /** Whom the present nonce was shown to: a certificate, and what they bound themselves to. */
  private partner: { certificate: Fingerprint; word: string } | null = null;
  private code: Code | null = null;
  /** The certificate that was first proven, by a whole exchange. */
  firstCertificate: Fingerprint | null;
  /** The one that was last proven. */
  private certificate: Fingerprint | null = null;
  /** The one whose code the person has compared. */
  private confirmed: Fingerprint | null = null;
  private link: LinkTrust = newLink();

  constructor(
    private readonly own: PeerId,
    private readonly peer: PeerId,
    private readonly credentials: Credentials,
  ) {
    this.offers = own < peer;
    this.firstCertificate = credentials.certificate;
  }

  /** For the person. */
  get view(): Trust {
    const { code, confirmed, certificate } = this;
    if (!confirmed) return { code, mark: 'unconfirmed' };
    const same = certificate !== null && sameBytes(confirmed, certificate);
    return { code, mark: same ? 'confirmed' : 'changed' };
  }

  /** The peer has proven itself on the present link. */
  get isProven(): boolean {
    return this.link.proven;
  }

  /** The person has compared a code; nothing, if it is not the present one. */
  confirmCode(code: Code, matches: boolean): void {
    if (this.code?.join() === code.join()) this.confirmed = matches ? this.certificate : null;
  }

  /** Another link. */
  begin(): void {
    this.link = newLink();
  }

  /** The proof of an own description; `null` when the description names no certificate. */
  prove(epoch: Epoch, kind: DescriptionKind, sdp: string): Proof | null {
    const own = fingerprintOf(sdp);
    const answers = kind === 'answer';
    const replyTo = answers ? this.link.unanswered.shift() : null;
    if (!own || replyTo === undefined) return null;
    this.link.own = own;
    const other = answers ? this.link.peer : null;
    const statement = { ...this.said(epoch), about: kind, own, other, replyTo, sdp };
    const word = answers ? encodeBytes(this.nonce) : commitment(this.nonce);
    const proof = prove(this.credentials.key, statement, word);
    if (!answers) remember(this.link.offers, proof.mac);
    return proof;
  }

  /**
   * Looks at a description of the peer's, for the `current` link or for another one. In a `guarded`
   * room whoever has another certificate than the peer first had is somebody else.
   */
  check(
    epoch: Epoch,
    kind: DescriptionKind,
    sdp: string,
    proof: Proof | null,
    current: boolean,
    guarded: boolean,
  ): Proven | 'stale' | 'unproven' {
    const certificate = fingerprintOf(sdp);
    if (!proof || !certificate) return 'unproven';
    const link = current ? this.link : newLink();
    const base = { ...this.heard(epoch), about: kind, own: certificate, sdp };
    const holds = (other: Fingerprint | null, replyTo: string | null) =>
      isProven(this.credentials.key, { ...base, other, replyTo }, proof);
    if (kind === 'offer') {
      if (!holds(null, null)) return 'unproven';
      // The newest is said again when its answer may be lost.
      const newest = link.offers.at(-1) === proof.mac;
      if (!newest && link.offers.includes(proof.mac)) return 'stale';
    } else {
      const offer = link.offers.findLastIndex((mac) => holds(link.own, mac));
      if (offer < 0) return 'unproven';
      if (offer < link.offers.length - 1) return 'stale';
    }
    if (link.peer && !sameBytes(link.peer, certificate)) return 'unproven';
    const first = this.firstCertificate;
    if (guarded && first && !sameBytes(first, certificate)) return 'unproven';
    return { certificate, proof };
  }

  /** It is the offer that was taken last. */
  isNewestOffer({ proof: { mac } }: Proven): boolean {
    return this.link.offers.at(-1) === mac;
  }

  /**
   * Takes what was proven. False when the own nonce is spent on somebody else: another offer has to
   * be made, with another one.
   */
  take({ certificate, proof: { word, mac } }: Proven): boolean {
    const { partner } = this;
    if (partner && (partner.word !== word || !sameBytes(partner.certificate, certificate))) {
      this.round++;
      this.code = null;
      this.partner = null;
      if (this.offers) return false;
    }
    this.partner = { certificate, word };
    this.certificate = certificate;
    this.link.peer = certificate;
    this.link.shown = word;
    if (this.offers) {
      this.link.proven = true;
      this.firstCertificate ??= certificate;
      this.agreeOnCode(word);
    } else {
      remember(this.link.offers, mac);
      remember(this.link.unanswered, mac);
    }
    return true;
  }

  /** The side that offers has taken an answer, and says so. */
  confirmation(epoch: Epoch): Proof | null {
    const { own, peer: other, shown: replyTo } = this.link;
    if (!own || !other || replyTo === null) return null;
    const about = 'confirm' as const;
    const statement = { ...this.said(epoch), about, own, other, replyTo, sdp: null };
    return prove(this.credentials.key, statement, encodeBytes(this.nonce));
  }

  /** The peer, which offers, says that it has taken the answer. */
  takeConfirmation(epoch: Epoch, proof: Proof): 'proven' | 'stale' | 'unproven' {
    const { own: other, peer: own, shown } = this.link;
    // Nothing has been answered that could be confirmed.
    if (!own || !other || shown === null) return 'stale';
    const [about, replyTo] = ['confirm' as const, encodeBytes(this.nonce)];
    const statement: Statement = { ...this.heard(epoch), about, own, other, replyTo, sdp: null };
    const nonce = decodeId32(proof.word);
    if (!nonce || commitment(nonce) !== shown) return 'unproven';
    if (!isProven(this.credentials.key, statement, proof)) return 'unproven';
    this.link.proven = true;
    this.firstCertificate ??= own;
    this.agreeOnCode(proof.word);
    return 'proven';
  }

  private get nonce(): Uint8Array {
    return nonceOf(this.credentials.seed, this.credentials.acquaintance, this.round);
  }

  private said(epoch: Epoch): { epoch: Epoch; from: PeerId; to: PeerId } {
    return { epoch, from: this.own, to: this.peer };
  }

  private heard(epoch: Epoch): { epoch: Epoch; from: PeerId; to: PeerId } {
    return { epoch, from: this.peer, to: this.own };
  }

  private agreeOnCode(word: string): void {
    const theirs = decodeId32(word);
    if (!this.link.own || !this.link.peer || !theirs) return;
    const own = { id: this.own, fingerprint: this.link.own, nonce: this.nonce };
    const peer = { id: this.peer, fingerprint: this.link.peer, nonce: theirs };
    this.code = this.offers ? codeOf(own, peer) : codeOf(peer, own);
  }
}

function newLink(): LinkTrust {
  return { own: null, peer: null, offers: [], unanswered: [], shown: null, proven: false };
}

function remember(offers: string[], mac: string): void {
  offers.push(mac);
  if (offers.length > REMEMBERED_OFFERS) offers.shift();
}
