// What the details beside the call know: the last minute's figures, and since when the own
// microphone has been silent.

import type { Figures } from '../bindings';
import { record } from './signs';

export class Details {
  open = $state(false);
  history = $state.raw<readonly Figures[]>([]);

  private heardAt: number | null = null;

  /** A call begins. */
  begin(now: number): void {
    this.history = [];
    this.open = false;
    this.heardAt = now;
  }

  take(figures: Figures): void {
    this.history = record(this.history, figures);
  }

  /** The own microphone gives this level, 0 to 1, before any mute; `null` while it gives nothing. */
  hear(level: number | null, now: number): void {
    if (level === null || level > 0) this.heardAt = now;
  }

  /** Seconds since the own microphone gave anything but digital silence. */
  silentFor(now: number): number {
    return this.heardAt === null ? 0 : (now - this.heardAt) / 1000;
  }
}
