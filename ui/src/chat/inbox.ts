// What of a chat has come and was not read, and when that is said: what comes in quick succession,
// as a history does, in one sentence.

import type { ChatLineView } from '../bindings';
import { keyOf, withLines } from './lines';

/** What comes within this time is said together, milliseconds. */
const TOGETHER_MS = 300;

export interface Inbox {
  lines: readonly ChatLineView[];
  /** Of others, and not read. */
  unread: number;
}

export const EMPTY: Inbox = { lines: [], unread: 0 };

/** Takes lines in; gives those of others that were not there before, too. */
export function take(
  inbox: Inbox,
  added: readonly ChatLineView[],
  reading: boolean,
): { inbox: Inbox; fresh: ChatLineView[] } {
  const known = new Set(inbox.lines.map(keyOf));
  const fresh = added.filter((line) => !line.own && !known.has(keyOf(line)));
  const unread = reading ? 0 : inbox.unread + fresh.length;
  return { inbox: { lines: withLines(inbox.lines, added), unread }, fresh };
}

/** Collects lines for a moment. */
export class Herald {
  private waiting: ChatLineView[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly say: (lines: ChatLineView[]) => void) {}

  add(lines: ChatLineView[]): void {
    if (lines.length === 0) return;
    this.waiting.push(...lines);
    this.timer ??= setTimeout(() => {
      const said = this.waiting;
      this.forget();
      this.say(said);
    }, TOGETHER_MS);
  }

  /** The call is another one. */
  forget(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting = [];
  }
}
