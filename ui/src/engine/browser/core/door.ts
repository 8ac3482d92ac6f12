// Whom this participant takes for one, whatever the server says: the members' side of knocking,
// locking and removing. The same rules as `session/door.rs` of `quartet_core`; `docs/protocol.md`
// has them under “room”. Only keeps and decides; `Session` says and does.

import { MAX_MEMBERS, MAX_ROOM_IDS, MAX_U32, MAX_WAITING, ROOM_CAPACITY } from './limits';
import type { PeerId, PeerInfo, RoomPolicy } from './messages';
import { earliest } from './output';
import type { RoomWord } from './peer_message';

/** A member's word about somebody new comes within this, or the person is asked. */
const ADMISSION_PATIENCE = 3_000;
/** Ids that are kept in a list, the newest. */
const MAX_KEPT = 64;
const MAX_STRANGERS = 2 * ROOM_CAPACITY;

const STRICTNESS: Record<RoomPolicy, number> = { open: 0, knock: 1, locked: 2 };

export function stricter(a: RoomPolicy, b: RoomPolicy): RoomPolicy {
  return STRICTNESS[a] >= STRICTNESS[b] ? a : b;
}

/** Says the server that they are in the room, but nobody let them in. */
interface Stranger {
  info: PeerInfo;
  /** When the person is asked; `null` once that has happened. */
  askAt: number | null;
}

export class Door {
  /** The higher the newer. */
  private change = 0;
  private readonly admitted = new Kept();
  /** Of them, whom the person here let in: those are vouched for before they come. */
  private readonly admittedHere = new Kept();
  private readonly removedHere = new Kept();
  private readonly shunned = new Kept();
  private readonly knocking = new Map<PeerId, PeerInfo>();
  private readonly strangers = new Map<PeerId, Stranger>();

  constructor(public policy: RoomPolicy) {}

  /** The person wants it; true when it has changed, as below. */
  choose(policy: RoomPolicy): boolean {
    if (policy === this.policy) return false;
    this.change = Math.min(this.change + 1, MAX_U32);
    this.policy = policy;
    return true;
  }

  /** The server may close the door, and not open it. */
  serverSays(policy: RoomPolicy): boolean {
    const before = this.policy;
    this.policy = stricter(before, policy);
    return this.policy !== before;
  }

  /** A member, who was told by whoever changed it. */
  memberSays(policy: RoomPolicy, change: number): boolean {
    const before = this.policy;
    if (change > this.change) {
      this.policy = policy;
      this.change = change;
    } else if (change === this.change) {
      this.policy = stricter(before, policy);
    }
    return this.policy !== before;
  }

  /** Not everybody with the link gets in. */
  get isGuarded(): boolean {
    return this.policy !== 'open';
  }

  passes(peer: PeerId): boolean {
    return !this.isShunned(peer) && (this.policy === 'open' || this.admitted.has(peer));
  }

  isShunned(peer: PeerId): boolean {
    return this.shunned.has(peer) || this.removedHere.has(peer);
  }

  wasRemovedHere(peer: PeerId): boolean {
    return this.removedHere.has(peer);
  }

  admit(peer: PeerId): void {
    this.admitted.add(peer);
  }

  /** The person lets them in. */
  letIn(peer: PeerId): void {
    this.admit(peer);
    this.admittedHere.add(peer);
  }

  /** They have left; if they come again, they are somebody new. */
  forget(peer: PeerId): void {
    this.admitted.delete(peer);
    this.admittedHere.delete(peer);
  }

  /** Somebody else has put them out. */
  shun(peer: PeerId): void {
    this.forget(peer);
    this.shunned.add(peer);
  }

  /** The person puts them out. */
  remove(peer: PeerId): void {
    this.forget(peer);
    this.removedHere.add(peer);
  }

  /** What the others are told, who are those of `present`. */
  word(present: Iterable<PeerId>): RoomWord {
    // What others said is not passed on, but for those who have come by it: lists that hold each
    // other's ids would never get shorter.
    const admitted = [...new Set([...present, ...this.admittedHere.newestFirst()])];
    return {
      type: 'room',
      policy: this.policy,
      change: this.change,
      admitted: admitted.slice(0, MAX_ROOM_IDS),
      removed: this.removedHere.newestFirst().slice(0, MAX_ROOM_IDS),
    };
  }

  /** Those for whom this one vouches to a server that has forgotten the room. */
  members(present: Iterable<PeerId>): PeerId[] {
    return [...new Set([...present, ...this.admitted.newestFirst()])].slice(0, MAX_MEMBERS);
  }

  /** True when the person is to be asked. */
  knock(info: PeerInfo): boolean {
    const known = this.knocking.has(info.id) || this.strangers.has(info.id);
    if (known || this.knocking.size >= MAX_WAITING) return false;
    this.knocking.set(info.id, info);
    return true;
  }

  /** True when the person was asked. */
  knockOver(peer: PeerId): boolean {
    return this.knocking.delete(peer);
  }

  isKnocking(peer: PeerId): boolean {
    return this.knocking.has(peer);
  }

  /** Nobody has let them in yet, as far as is known. */
  strange(now: number, info: PeerInfo): void {
    const known = this.strangers.get(info.id);
    if (known) {
      known.info = info;
    } else if (this.strangers.size < MAX_STRANGERS) {
      const asked = this.knocking.delete(info.id);
      this.strangers.set(info.id, { info, askAt: asked ? null : now + ADMISSION_PATIENCE });
    }
  }

  /** Takes a stranger out, and says whether the person was asked about them. */
  takeStranger(peer: PeerId): { info: PeerInfo; asked: boolean } | null {
    const stranger = this.strangers.get(peer);
    if (!stranger) return null;
    this.strangers.delete(peer);
    return { info: stranger.info, asked: stranger.askAt === null };
  }

  forgetStrangers(): void {
    this.strangers.clear();
  }

  allStrangers(): PeerId[] {
    return [...this.strangers.keys()];
  }

  /** Everybody about whom the person was asked and who is not in `but`. */
  askedExcept(but: PeerId[]): PeerId[] {
    const strangers = [...this.strangers].filter(([, it]) => it.askAt === null).map(([id]) => id);
    return [...this.knocking.keys(), ...strangers].filter((id) => !but.includes(id));
  }

  pollTimeout(): number | null {
    return earliest(...[...this.strangers.values()].map((it) => it.askAt));
  }

  /** About whom the person is to be asked now. */
  due(now: number): PeerInfo[] {
    const due = [...this.strangers.values()].filter((it) => it.askAt !== null && it.askAt <= now);
    for (const stranger of due) stranger.askAt = null;
    return due.map((stranger) => stranger.info);
  }
}

/** A list of ids, which keeps the newest. */
class Kept {
  private readonly ids = new Set<PeerId>();

  has(peer: PeerId): boolean {
    return this.ids.has(peer);
  }

  add(peer: PeerId): void {
    if (this.ids.has(peer)) return;
    const [oldest] = this.ids;
    if (this.ids.size >= MAX_KEPT && oldest !== undefined) this.ids.delete(oldest);
    this.ids.add(peer);
  }

  delete(peer: PeerId): void {
    this.ids.delete(peer);
  }

  newestFirst(): PeerId[] {
    return [...this.ids].reverse();
  }
}
