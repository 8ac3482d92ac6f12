// Loudness as people hear it, and who is speaking.

/** Quieter than this, in decibels below full scale, the meter shows nothing: a quiet room. */
const QUIET_DB = -55;
/** As loud as this the meter is full: somebody close to the microphone, with a raised voice. */
const LOUD_DB = -10;

/** A level (root mean square, 0 to 1) as a share of what can be heard, 0 to 1. */
export function loudness(level: number): number {
  const decibels = 20 * Math.log10(Math.max(level, 1e-6));
  return Math.min(1, Math.max(0, (decibels - QUIET_DB) / (LOUD_DB - QUIET_DB)));
}

// Quick to begin, slow to end, so that the ring does not flicker between words.

/** From this loudness on a voice is heard: −37 dB, quiet speech. */
const BEGINS = 0.4;
/** From this loudness on somebody who speaks still does: −44 dB. */
const GOES_ON = 0.25;
/** Pauses between words, milliseconds. */
const PAUSE = 600;

export class SpeechDetector {
  /** When somebody was last heard, milliseconds. */
  private readonly heard = new Map<string, number>();

  /** The tiles whose people speak, from everybody's loudness. */
  hear(loudnesses: ReadonlyMap<string, number>, now: number): ReadonlySet<string> {
    for (const [tile, loud] of loudnesses) {
      if (loud >= (this.heard.has(tile) ? GOES_ON : BEGINS)) this.heard.set(tile, now);
    }
    for (const [tile, at] of this.heard) {
      if (now - at > PAUSE || !loudnesses.has(tile)) this.heard.delete(tile);
    }
    return new Set(this.heard.keys());
  }
}
