// Somebody in the room, and what makes them leave it. Times are milliseconds.

import { DISCONNECTED_LIMIT, Negotiator } from './negotiator';
import type { MediaState, PeerId, PeerInfo } from './messages';
import { earliest, type Connection, type Outbox } from './output';
import type { Credentials, Trust } from './pair_trust';

/**
 * Somebody whom the server does not list stays this long while the link is connected: long enough
 * for both sides to find a restarted server, as their tries are at most 8 s apart.
 */
const ABSENCE_LIMIT = 30_000;
/** And this long without a connected link, if the server has just been found again. */
const RETURN_LIMIT = 10_000;

/** Somebody is still here whom the server does not list. */
interface Absence {
  /** With a connected link until then. */
  until: number;
  /** This long without one. */
  patience: number;
  /** Without one, until then. */
  aloneUntil: number | null;
}

export class Peer {
  readonly negotiator: Negotiator;
  /** What the person was told last. */
  private told: Connection = 'connecting';
  private toldTrust: Trust = { code: null, mark: 'unconfirmed' };
  private absence: Absence | null = null;

  constructor(
    own: PeerId,
    private info: PeerInfo,
    credentials: Credentials,
    private readonly out: Outbox,
  ) {
    this.negotiator = new Negotiator(own, info.id, credentials, out);
  }

  /** The server lists them again, or still. */
  isBack({ name, media }: PeerInfo): void {
    this.absence = null;
    this.info = { ...this.info, name };
    this.setMedia(media);
  }

  setMedia(media: MediaState): void {
    if (sameMedia(this.info.media, media)) return;
    this.info = { ...this.info, media };
    this.out.event({ type: 'peer_media', peer: this.info.id, media });
  }

  /** The server is gone, so it is not known who is there. */
  unheard(): void {
    this.absence = null;
    this.negotiator.lostReach();
  }

  /** The server, which may have been restarted, does not list them. */
  notListed(now: number): void {
    this.absent(now, RETURN_LIMIT, RETURN_LIMIT);
  }

  /** The server has waited for them in vain. */
  lost(now: number): void {
    this.absent(now, 0, DISCONNECTED_LIMIT);
  }

  /** Keeps up with the link. */
  settle(now: number): void {
    const { connection } = this.negotiator;
    if (connection !== this.told) {
      this.told = connection;
      this.out.event({ type: 'peer_connection', peer: this.info.id, connection });
    }
    const { trust } = this.negotiator;
    if (trust.mark !== this.toldTrust.mark || trust.code?.join() !== this.toldTrust.code?.join()) {
      this.toldTrust = trust;
      this.out.event({ type: 'peer_trust', peer: this.info.id, trust });
    }
    if (!this.absence) return;
    if (connection === 'connected') this.absence.aloneUntil = null;
    else this.absence.aloneUntil ??= now + this.absence.patience;
  }

  isGone(now: number): boolean {
    const at = this.goneAt();
    return at !== null && at <= now;
  }

  leave(): void {
    this.negotiator.close();
    this.out.event({ type: 'peer_left', peer: this.info });
  }

  pollTimeout(): number | null {
    return earliest(this.negotiator.pollTimeout(), this.goneAt());
  }

  private absent(now: number, alone: number, patience: number): void {
    this.negotiator.lostReach();
    const aloneUntil = this.negotiator.isConnected ? null : now + alone;
    this.absence = { until: now + ABSENCE_LIMIT, patience, aloneUntil };
  }

  private goneAt(): number | null {
    return this.absence && earliest(this.absence.until, this.absence.aloneUntil);
  }
}

export function sameMedia(a: MediaState, b: MediaState): boolean {
  return a.muted === b.muted && a.camera_off === b.camera_off && a.sharing === b.sharing;
}
