// The lines of a chat in the order that is the same for all.

import type { ChatLineView } from '../bindings';
import { MAX_LINES } from './limits';

/** The name of a line. */
export function keyOf({ author, seq }: ChatLineView): string {
  return `${author}-${seq}`;
}

/** The lines with others put in at their places; a line of a known name takes its place. */
export function withLines(
  lines: readonly ChatLineView[],
  added: readonly ChatLineView[],
): ChatLineView[] {
  const all = new Map([...lines, ...added].map((line) => [keyOf(line), line]));
  return [...all.values()].sort(compare).slice(-MAX_LINES);
}

function compare(a: ChatLineView, b: ChatLineView): number {
  if (a.clock !== b.clock) return a.clock - b.clock;
  // Hexadecimal digits in one case sort as the numbers do.
  if (a.author !== b.author) return a.author < b.author ? -1 : 1;
  return a.seq - b.seq;
}
