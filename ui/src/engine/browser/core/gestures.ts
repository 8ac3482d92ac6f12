// Raised hands and reactions of one visit to a room: what people say without a word. The same rules
// as `quartet_core::gestures`.
//
// A hand is a state, and told anew on each connection; a reaction is an event, which is told once,
// on the connections that there are. What others say is limited where it arrives. Pure: times are
// milliseconds.

import { Allowance } from './allowance';
import { MAX_U32, REACTION_BURST, REACTION_BURST_HEARD, REACTIONS_PER_SECOND } from './limits';
import type { PeerId } from './messages';
import type { HandWord, Reaction, ReactionWord } from './peer_message';

const INTERVAL = 1_000 / REACTIONS_PER_SECOND;

/** What came from somebody. */
interface Other {
  /** The highest number of a reaction. */
  seen: number;
  readonly allowance: Allowance;
}

export class Gestures {
  /** Those that are up, the own one included, and since when: the lower, the earlier. */
  private readonly raised = new Map<PeerId, number>();
  /** The own one was up before, so that those who missed its end have to be told. */
  private raisedBefore = false;
  private reactions = 0;
  private readonly allowance = new Allowance(REACTION_BURST, INTERVAL);
  private readonly others = new Map<PeerId, Other>();

  constructor(private readonly own: PeerId) {}

  /** Raises or lowers the own hand; gives what all are to be told, if that is news. */
  raise(up: boolean): HandWord | null {
    if (up === this.raised.has(this.own)) return null;
    if (up) {
      const last = Math.max(0, ...this.raised.values());
      this.raised.set(this.own, Math.min(last + 1, MAX_U32));
      this.raisedBefore = true;
    } else {
      this.raised.delete(this.own);
    }
    return this.hand();
  }

  /** What a new connection is to be told: nothing where nobody can have heard otherwise. */
  greeting(): HandWord | null {
    return this.raisedBefore ? this.hand() : null;
  }

  /** Reacts; gives what those who are connected are to be told, if it may be sent. */
  react(now: number, kind: Reaction): ReactionWord | null {
    if (!this.allowance.take(now) || this.reactions === MAX_U32) return null;
    this.reactions += 1;
    return { type: 'reaction', count: this.reactions, kind };
  }

  /** Somebody is in the call, or still is. */
  joined(peer: PeerId): void {
    if (this.others.has(peer)) return;
    this.others.set(peer, { seen: 0, allowance: new Allowance(REACTION_BURST_HEARD, INTERVAL) });
  }

  /** Somebody is gone; true when the hands have changed. */
  left(peer: PeerId): boolean {
    this.others.delete(peer);
    return this.raised.delete(peer);
  }

  /** Somebody in the call raises or lowers a hand; true when the hands have changed. */
  heardHand(peer: PeerId, { raised }: HandWord): boolean {
    if (!this.others.has(peer) || (this.raised.get(peer) ?? 0) === raised) return false;
    if (raised === 0) this.raised.delete(peer);
    else this.raised.set(peer, raised);
    return true;
  }

  /** Somebody in the call reacts; true when that is to be shown. */
  heardReaction(now: number, peer: PeerId, { count }: ReactionWord): boolean {
    const other = this.others.get(peer);
    if (!other || count <= other.seen) return false;
    other.seen = count;
    return other.allowance.take(now);
  }

  /** Whose hands are up, in the order in which they were raised: the same for all. */
  hands(): PeerId[] {
    const hands = [...this.raised].sort(
      ([a, since], [b, before]) => since - before || (a < b ? -1 : 1),
    );
    return hands.map(([peer]) => peer);
  }

  private hand(): HandWord {
    return { type: 'hand', raised: this.raised.get(this.own) ?? 0 };
  }
}
