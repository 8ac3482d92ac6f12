// The life of the connection to the signalling server: open, enter, stay, come back.
// Times are milliseconds.

import { Backoff } from './backoff';
import { PING_INTERVAL, PROTOCOL_VERSION, SILENCE_LIMIT } from './limits';
import type { ClientMessage } from './messages';
import { earliest, type Outbox } from './output';

/** To open a socket: DNS, TCP, TLS and WebSocket over a bad mobile network. */
const OPEN_LIMIT = 10_000;
/** From the wish to enter to the first welcome, with as many tries as fit. */
export const JOIN_LIMIT = 10_000;

type Stage =
  /** No socket until then. */
  | { is: 'waiting'; until: number }
  /** A socket is being opened, until then at the latest. */
  | { is: 'opening'; until: number }
  /** Open; the first message is not answered. */
  | { is: 'joining' }
  | { is: 'online'; since: number };

/** What became of the connection. `lost`: it is tried again; `unreachable`: the time is up. */
export type Fate = 'unchanged' | 'lost' | 'unreachable';

export class Signalling {
  private stage: Stage;
  private readonly limited: boolean;
  private readonly backoff: Backoff;
  /** While a socket is open: the server's last message, or the opening. */
  private heardAt: number;
  private pingAt: number;
  private nonce = 0;
  /** There was a welcome. */
  private joined = false;

  /** `joinBy`: the first answer is waited for so long; `null` for as long as it takes. */
  constructor(
    now: number,
    who: string,
    private joinBy: number | null,
    private readonly out: Outbox,
  ) {
    this.limited = joinBy !== null;
    this.backoff = new Backoff(who);
    this.stage = { is: 'opening', until: now + OPEN_LIMIT };
    this.heardAt = now;
    this.pingAt = now;
    out.push({ type: 'open_socket' });
  }

  get isJoining(): boolean {
    return this.stage.is === 'joining';
  }

  get isOnline(): boolean {
    return this.stage.is === 'online';
  }

  get hasJoinedBefore(): boolean {
    return this.joined;
  }

  /** The socket is open. Hello and the wish go together: one round trip less. */
  opened(now: number, wish: ClientMessage): void {
    if (this.stage.is !== 'opening') return;
    this.stage = { is: 'joining' };
    this.heardAt = now;
    this.pingAt = now + PING_INTERVAL;
    this.out.send({ type: 'hello', version: PROTOCOL_VERSION, client: 'quartet-web/0.1.0' });
    this.out.send(wish);
  }

  /** Any message. */
  heard(now: number): void {
    this.heardAt = now;
  }

  welcomed(now: number): void {
    this.stage = { is: 'online', since: now };
    this.joinBy = null;
    this.joined = true;
  }

  /** Somebody has to let this one in, for which there is time; true when that is news. */
  waits(): boolean {
    const news = !this.joined && this.joinBy !== null;
    if (news) this.joinBy = null;
    return news;
  }

  /** The socket ended by itself. */
  closed(now: number): Fate {
    return this.stage.is === 'waiting' ? 'unchanged' : this.retry(now);
  }

  /** The socket is of no use (any more). */
  abandon(now: number): Fate {
    this.end();
    return this.retry(now);
  }

  /** For good. */
  end(): void {
    if (this.stage.is !== 'waiting') this.out.push({ type: 'close_socket' });
  }

  /** There may be a way now where there was none, or the other way round. */
  networkChanged(now: number): Fate {
    // A try over the old network would take long to fail. And a socket from an address that is
    // gone swallows what is said: that shows only after `SILENCE_LIMIT`, and until then nobody
    // hears of the new address. To come back costs three round trips.
    const lost = this.stage.is === 'joining' || this.stage.is === 'online';
    this.end();
    this.backoff.reset();
    this.open(now);
    return lost ? 'lost' : 'unchanged';
  }

  pollTimeout(): number | null {
    const next =
      'until' in this.stage
        ? this.stage.until
        : Math.min(this.pingAt, this.heardAt + SILENCE_LIMIT);
    return earliest(next, this.joinBy);
  }

  handleTimeout(now: number): Fate {
    if (this.joinBy !== null && this.joinBy <= now) return 'unreachable';
    switch (this.stage.is) {
      case 'waiting':
        if (this.stage.until <= now) this.open(now);
        break;
      case 'opening':
        if (this.stage.until <= now) return this.abandon(now);
        break;
      default:
        if (this.heardAt + SILENCE_LIMIT <= now) return this.abandon(now);
        if (this.pingAt <= now) {
          this.pingAt = now + PING_INTERVAL;
          this.nonce = (this.nonce + 1) >>> 0;
          this.out.send({ type: 'ping', nonce: this.nonce });
        }
    }
    return 'unchanged';
  }

  private open(now: number): void {
    this.stage = { is: 'opening', until: now + OPEN_LIMIT };
    this.out.push({ type: 'open_socket' });
  }

  private retry(now: number): Fate {
    // The place in front of the door is lost; the server is to be found again soon.
    if (this.limited && !this.joined) this.joinBy ??= now + JOIN_LIMIT;
    const lasted = this.stage.is === 'online' ? now - this.stage.since : 0;
    this.stage = { is: 'waiting', until: now + this.backoff.delayAfter(lasted) };
    return 'lost';
  }
}
