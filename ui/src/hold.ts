// The space bar, held: speaking for a moment, or falling silent for one. Pure.

import type { SpaceKey } from './bindings';

export class Hold {
  /** Muted before it was pressed; `null` while it is not held, or does nothing. */
  private before: boolean | null = null;

  /** It goes down; gives whether to be muted from now on, `null` for no change. */
  press(does: SpaceKey, muted: boolean): boolean | null {
    if (this.before !== null) return null;
    const changes = muted ? does === 'talk' : does === 'mute';
    if (!changes) return null;
    this.before = muted;
    return !muted;
  }

  /** It goes up, or the window cannot tell any more; gives what to go back to. */
  release(): boolean | null {
    const { before } = this;
    this.before = null;
    return before;
  }
}

/** A space that writes nothing and presses nothing that a person at the keyboard has gone to. */
export function isHoldKey(event: KeyboardEvent): boolean {
  if (event.code !== 'Space' && event.key !== ' ') return false;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
  const { target } = event;
  if (!(target instanceof Element)) return true;
  const writes = 'input, textarea, select, [contenteditable], dialog';
  // A button that was clicked keeps the focus, though nobody means it any more.
  return target.closest(writes) === null && target.closest(':focus-visible:not(main)') === null;
}
