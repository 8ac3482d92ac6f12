// The door of the room, as the server tells of it: who gets in, and who waits for that. Left out is
// what members tell each other of it (`room` on the data channel); a client that never says that is
// a full member.

import { MAX_KNOCKING, MAX_MEMBERS } from './limits';
import type { PeerId, PeerInfo, RoomPolicy } from './messages';
import type { Outbox } from './output';

const STRICTNESS: Record<RoomPolicy, number> = { open: 0, knock: 1, locked: 2 };

export class Door {
  /** Those who wait, whom somebody inside lets in or turns away. */
  private knocking: PeerId[] = [];

  /** `policy` is what a room that this participant makes begins with. */
  constructor(
    public policy: RoomPolicy,
    private readonly out: Outbox,
  ) {}

  /** In the room, for the first time or `again`. */
  entered(policy: RoomPolicy, waiting: PeerInfo[], again: boolean): void {
    if (!again) {
      this.policy = policy;
      if (policy !== 'open') this.out.event({ type: 'policy', policy, by: null });
    } else if (STRICTNESS[policy] < STRICTNESS[this.policy]) {
      // The server has forgotten, or was never told.
      this.out.send({ type: 'policy', policy: this.policy });
    } else {
      this.changed(policy, null);
    }
    for (const id of this.knocking.filter((it) => !waiting.some(({ id }) => id === it))) {
      this.knockOver(id);
    }
    for (const peer of waiting) this.knock(peer);
  }

  changed(policy: RoomPolicy, by: PeerId | null): void {
    if (policy === this.policy) return;
    this.policy = policy;
    this.out.event({ type: 'policy', policy, by });
  }

  knock(peer: PeerInfo): void {
    if (this.knocking.includes(peer.id) || this.knocking.length >= MAX_KNOCKING) return;
    this.knocking.push(peer.id);
    this.out.event({ type: 'knock', peer });
  }

  knockOver(peer: PeerId): void {
    if (!this.knocking.includes(peer)) return;
    this.knocking = this.knocking.filter((id) => id !== peer);
    this.out.event({ type: 'knock_over', peer });
  }

  /** The person's answer to somebody who knocks. */
  answer(peer: PeerId, admit: boolean): void {
    if (this.knocking.includes(peer)) this.out.send({ type: admit ? 'admit' : 'refuse', peer });
  }
}

/** The others, as somebody who comes back names them: a restarted server lets them pass, too. */
export function membersToName(peers: Iterable<PeerId>): PeerId[] {
  return [...peers].slice(0, MAX_MEMBERS);
}
