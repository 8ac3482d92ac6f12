// How a person likes to see a call, remembered on this machine: nothing of who was in it.

import type { Corner } from './arrange';

export interface Look {
  /** All alike, or whoever speaks large. */
  mode: 'grid' | 'speaker';
  /** The own picture is not shown to oneself; the others see it all the same. */
  ownHidden: boolean;
  /** Where it lies when it lies on top of another one. */
  corner: Corner;
}

export const CORNERS = ['top_left', 'top_right', 'bottom_left', 'bottom_right'] as const;
export const USUAL_LOOK: Look = { mode: 'grid', ownHidden: false, corner: 'bottom_right' };

const KEY = 'quartet.look';

/** What is missing or spoilt is as usual. */
export function readLook(kept: string | null): Look {
  let it: unknown = null;
  try {
    it = JSON.parse(kept ?? 'null');
  } catch {
    // Spoilt.
  }
  const { mode, ownHidden, corner } = (typeof it === 'object' && it ? it : {}) as Partial<
    Record<keyof Look, unknown>
  >;
  return {
    mode: mode === 'speaker' ? 'speaker' : USUAL_LOOK.mode,
    ownHidden: ownHidden === true,
    corner: CORNERS.find((known) => known === corner) ?? USUAL_LOOK.corner,
  };
}

/** A browser may refuse to keep anything; then it holds for this page only. */
export function keptLook(): Look {
  try {
    return readLook(localStorage.getItem(KEY));
  } catch {
    return USUAL_LOOK;
  }
}

export function keepLook(look: Look): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(look));
  } catch {
    // It holds for this page.
  }
}
