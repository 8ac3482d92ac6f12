// How often a stranger may cause something: a token bucket with `burst` tokens, one more after each
// `interval` (milliseconds). What is not allowed is the caller's to refuse.

export class Allowance {
  private left: number;
  /** From when the next one is counted. */
  private counted: number | null = null;

  constructor(
    private readonly burst: number,
    private readonly interval: number,
  ) {
    this.left = burst;
  }

  /** Whether it may happen now; then it counts as having happened. */
  take(now: number): boolean {
    const counted = this.counted ?? now;
    const earned = Math.max(0, Math.floor((now - counted) / this.interval));
    if (earned >= this.burst - this.left) {
      this.left = this.burst;
      this.counted = now;
    } else {
      this.left += earned;
      this.counted = counted + this.interval * earned;
    }
    if (this.left === 0) return false;
    this.left--;
    return true;
  }
}
