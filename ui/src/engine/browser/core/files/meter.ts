// How fast something comes, over the last seconds.

/** Milliseconds looked back. */
const WINDOW = 3_000;
/** What comes within this counts as one. */
const STEP = 100;

export class Meter {
  private begun: number | null = null;
  private steps: { at: number; bytes: number }[] = [];

  add(now: number, bytes: number): void {
    this.forget(now);
    this.begun ??= now;
    const last = this.steps.at(-1);
    if (last && now - last.at < STEP) last.bytes += bytes;
    else this.steps.push({ at: now, bytes });
  }

  /** Bytes a second. */
  rate(now: number): number {
    this.forget(now);
    if (this.begun === null) return 0;
    const time = Math.min(Math.max(now - this.begun, STEP), WINDOW);
    return Math.floor((this.steps.reduce((sum, { bytes }) => sum + bytes, 0) * 1_000) / time);
  }

  clear(): void {
    this.begun = null;
    this.steps = [];
  }

  private forget(now: number): void {
    this.steps = this.steps.filter(({ at }) => now - at <= WINDOW);
    if (this.steps.length === 0) this.begun = null;
  }
}
