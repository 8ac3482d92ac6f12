// How much of a file may be under way to somebody, so that nobody who speaks waits behind it: the
// twin of `core::transfer::SendWindow`, which says why. Times in milliseconds.

const TARGET = 4;
const LEAST = 2_400;
const BEGIN = 4_200;
const MOST = 4 * 1024 * 1024;
const ROUND = 40;
const GROWTH = 1.25;
const SHRINKING = 0.5;
const LOOK_INTERVAL = 8_000;
const LOOK = 0.85;
const LEAST_FOR = 20_000;
const MOST_PIECE = 32 * 1024;

interface Round {
  began: number;
  until: number;
  from: number;
  delay: number | null;
  full: boolean;
  looking: boolean;
}

export class SendWindow {
  private window = BEGIN;
  private sent = 0;
  private acked = 0;
  private readonly underWay: { end: number; at: number }[] = [];
  private starting = true;
  private least: [number | null, number | null] = [null, null];
  private leastSince: number;
  private rtt: number | null = null;
  private round: Round;
  private lookAt: number;

  constructor(now: number) {
    this.leastSince = now;
    this.lookAt = now + LOOK_INTERVAL;
    this.round = { began: now, until: 0, from: 0, delay: null, full: false, looking: false };
  }

  /** Bytes that may be sent now, in one message; 0 when it has to wait. */
  room(): number {
    const room = Math.max(0, Math.floor(this.window) - (this.sent - this.acked));
    const piece = Math.min(Math.max(Math.floor(this.window / 16), LEAST / 2), MOST_PIECE);
    if (room < LEAST / 2 || (room < piece && this.sent > this.acked)) {
      this.round.full = true;
      return 0;
    }
    return Math.min(room, piece);
  }

  onSent(now: number, bytes: number): void {
    this.sent += bytes;
    this.underWay.push({ end: this.sent, at: now });
  }

  /** The other side has got so much, the last of it at `at` µs of its clock. */
  onAck(now: number, bytes: number, at: number): void {
    if (bytes <= this.acked || bytes > this.sent) return;
    let left: number | null = null;
    let first = this.underWay[0];
    while (first && first.end <= bytes) {
      left = first.at;
      this.underWay.shift();
      first = this.underWay[0];
    }
    const acked = bytes - this.acked;
    this.acked = bytes;
    if (left !== null) {
      this.rtt = Math.min(this.rtt ?? Infinity, now - left);
      this.learn(now, at / 1_000 - left);
    }
    if (this.starting) this.window = Math.min(this.window + acked / 2, MOST);
    if (now - this.round.began >= ROUND && this.acked >= this.round.until) this.decide(now);
  }

  private learn(now: number, delay: number): void {
    if (now - this.leastSince >= LEAST_FOR / 2) {
      this.least = [null, this.least[0]];
      this.leastSince = now;
      this.rtt = null;
    }
    this.least[0] = Math.min(this.least[0] ?? Infinity, delay);
    this.round.delay = Math.min(this.round.delay ?? Infinity, delay);
  }

  private decide(now: number): void {
    const { round } = this;
    const least = Math.min(this.least[0] ?? Infinity, this.least[1] ?? Infinity);
    const queue = round.delay === null ? 0 : Math.max(0, round.delay - least);
    const rate = (this.acked - round.from) / Math.max(now - round.began, 1);
    const base = Math.max(this.rtt ?? 0, 1);
    if (queue >= TARGET) this.starting = false;
    if (!this.starting) {
      const emptied = (this.window * base) / (base + queue);
      const wanted = (this.window + emptied + rate * TARGET) / 2;
      const most = round.full ? this.window * GROWTH : this.window;
      this.window = Math.min(Math.max(wanted, this.window * SHRINKING), most);
    }
    const looking = !this.starting && now >= this.lookAt;
    if (round.looking) this.window /= LOOK;
    if (looking) {
      this.lookAt = now + LOOK_INTERVAL;
      this.window *= LOOK;
    }
    this.window = Math.min(Math.max(this.window, LEAST), MOST);
    this.round = {
      began: now,
      until: this.sent,
      from: this.acked,
      delay: null,
      full: false,
      looking,
    };
  }
}
