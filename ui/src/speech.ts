// Who is speaking, out of the levels: quick to begin, slow to end, so that the ring does not
// flicker between words.

/** Above this a voice is heard; 0 is silence, 1 the loudest there is. */
const BEGINS = 0.1;
/** Above this somebody who speaks still does. */
const GOES_ON = 0.05;
/** Pauses between words, milliseconds. */
const PAUSE = 600;

export class SpeechDetector {
  /** When somebody was last heard, milliseconds. */
  private readonly heard = new Map<string, number>();

  hear(levels: ReadonlyMap<string, number>, now: number): ReadonlySet<string> {
    for (const [tile, level] of levels) {
      if (level >= (this.heard.has(tile) ? GOES_ON : BEGINS)) this.heard.set(tile, now);
    }
    for (const [tile, at] of this.heard) {
      if (now - at > PAUSE || !levels.has(tile)) this.heard.delete(tile);
    }
    return new Set(this.heard.keys());
  }
}
