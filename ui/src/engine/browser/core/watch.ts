// Looks into a room without entering it, for the green room: who is there, for as long as it takes.
// Pure, like `Session`, which it shares the life of the connection with.

import type { RoomPolicy, ServerMessage } from './messages';
import { Outbox, type Output } from './output';
import { Signalling, type Fate } from './signalling';

export type WatchInput =
  | { type: 'stop' }
  | { type: 'network_changed' }
  | { type: 'socket_opened' }
  | { type: 'socket_message'; message: ServerMessage }
  | { type: 'socket_closed' };

/** The names of those inside; `null` while that is not known. */
export type Roster = string[] | null;

export class Watch {
  /** Who is in, as far as is known. */
  roster: Roster = null;
  /** Who gets in, as far as is known. */
  policy: RoomPolicy = 'open';
  private readonly out = new Outbox();
  private readonly signalling: Signalling;
  private stopped = false;

  constructor(
    private readonly room: string,
    now: number,
  ) {
    // Whoever waits in the green room waits for the server, too: no time is up.
    this.signalling = new Signalling(now, room, null, this.out);
  }

  handle(now: number, input: WatchInput): void {
    if (this.stopped) return;
    switch (input.type) {
      case 'stop':
        this.stopped = true;
        return this.signalling.end();
      case 'network_changed':
        return this.follow(this.signalling.networkChanged(now));
      case 'socket_opened':
        return this.signalling.opened(now, { type: 'watch', room: this.room });
      case 'socket_message':
        this.signalling.heard(now);
        return this.message(now, input.message);
      case 'socket_closed':
        return this.follow(this.signalling.closed(now));
    }
  }

  poll(): Output | undefined {
    return this.out.poll();
  }

  pollTimeout(): number | null {
    return this.stopped ? null : this.signalling.pollTimeout();
  }

  handleTimeout(now: number): void {
    if (!this.stopped) this.follow(this.signalling.handleTimeout(now));
  }

  private message(now: number, message: ServerMessage): void {
    if (message.type === 'roster') {
      if (this.signalling.isJoining) this.signalling.welcomed(now);
      this.roster = message.peers.map((peer) => peer.name);
      this.policy = message.policy;
    } else if (message.type === 'error' && this.signalling.isJoining) {
      // The server is full, goes down, or speaks another version: the join will say so.
      this.follow(this.signalling.abandon(now));
    }
  }

  private follow(fate: Fate): void {
    if (fate === 'lost') this.roster = null;
  }
}
