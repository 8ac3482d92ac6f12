// How long to wait before the next try. Times are milliseconds.

/** The first delay. */
const FIRST = 500;
/** The longest: a person who waits sees something happen within it. */
const LONGEST = 8_000;
/** What held for this long had succeeded: the delays begin again. */
export const SETTLED = 5_000;

/**
 * Delays that double, each shortened by up to a half so that the tries of several participants
 * spread out after a common loss. The same seed gives the same delays.
 */
export class Backoff {
  private next = FIRST;
  private state: number;

  /** `who` should differ between participants. */
  constructor(who: string) {
    this.state = hash(who);
  }

  /** The delay after something that held for `lasted`: zero if it never worked. */
  delayAfter(lasted: number): number {
    if (lasted >= SETTLED) this.reset();
    const longest = this.next;
    this.next = Math.min(this.next * 2, LONGEST);
    return longest * (0.5 + 0.5 * this.fraction());
  }

  /** Begins with the shortest delay again. */
  reset(): void {
    this.next = FIRST;
  }

  /** The next number in 0..1: Mulberry32 (Ettinger 2017). */
  private fraction(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) {
    value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return value;
}
