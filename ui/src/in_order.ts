// What is asked one after the other arrives one after the other: an answer may take its time, and two
// questions on their way at once may overtake each other.

export class InOrder {
  private readonly waiting: (() => Promise<void>)[] = [];
  private busy = false;

  /** Begins at once when nothing else is under way. The tasks report their failures themselves. */
  run(task: () => Promise<void>): Promise<void> {
    return new Promise((done) => {
      this.waiting.push(() => task().finally(done));
      if (!this.busy) void this.work();
    });
  }

  private async work(): Promise<void> {
    this.busy = true;
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      await next().catch(() => {});
    }
    this.busy = false;
  }
}
