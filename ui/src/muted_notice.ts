// «You are muted»: when somebody goes on speaking though nobody hears it. Pure; milliseconds.

/**
 * Speech has to last so long: longer than the pause that `SpeechDetector` bridges, so that one
 * cough or a key is none.
 */
const BEGINS_MS = 900;
/** It stays so long after the last word: long enough to read it. */
const STAYS_MS = 3_000;

export class MutedNotice {
  private since: number | null = null;
  private last = 0;
  private shown = false;

  /** Whether it is to be shown now. */
  hear(muted: boolean, speaking: boolean, now: number): boolean {
    if (!muted) {
      this.since = null;
      this.shown = false;
    } else if (speaking) {
      this.since ??= now;
      this.last = now;
      if (now - this.since >= BEGINS_MS) this.shown = true;
    } else {
      this.since = null;
      if (now - this.last >= STAYS_MS) this.shown = false;
    }
    return this.shown;
  }
}
