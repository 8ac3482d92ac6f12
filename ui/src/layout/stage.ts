// Which tile is the large one. Pure; times are milliseconds.

import type { Corner, Item, TileId } from './arrange';
import type { Look } from './look';
import type { Rect, Size } from './rect';

/** Somebody else has to speak so long before they become large: one word is no turn. */
const TURN_MS = 800;

/** Who has the word: stays with whoever spoke last, and goes over once another goes on speaking. */
export class Turn {
  private current: TileId | null = null;
  private readonly since = new Map<TileId, number>();

  /** `speaking`: who is heard now, oneself included, who never becomes large by speaking. */
  hear(speaking: ReadonlySet<TileId>, now: number): TileId | null {
    for (const tile of this.since.keys()) if (!speaking.has(tile)) this.since.delete(tile);
    for (const tile of speaking) {
      if (tile === 'own') continue;
      const since = this.since.get(tile) ?? now;
      this.since.set(tile, since);
      const free = this.current === null || !speaking.has(this.current);
      if (free && now - since >= TURN_MS) this.current = tile;
    }
    return this.current;
  }

  /** Another call. */
  forget(): void {
    this.current = null;
    this.since.clear();
  }
}

/** Pinned before shared, shared before spoken; nobody where all are alike. */
export function mainTile(
  items: readonly Item[],
  pinned: TileId | null,
  { mode }: Look,
  speaker: TileId | null,
): TileId | null {
  const there = (id: TileId | null) => items.find((item) => item.id === id)?.id;
  const shared = items.find(({ is }) => is === 'screen')?.id;
  const spoken = () => there(speaker) ?? items.find(({ is }) => is === 'person')?.id;
  return there(pinned) ?? shared ?? (mode === 'speaker' ? spoken() : null) ?? null;
}

/** The one after it in their order, then none. */
export function nextPinned(items: readonly Item[], pinned: TileId | null): TileId | null {
  const at = items.findIndex(({ id }) => id === pinned);
  return items[at + 1]?.id ?? null;
}

/** The corner of an area that is nearest to the middle of a tile. */
export function nearestCorner({ x, y, width, height }: Rect, area: Size): Corner {
  const left = x + width / 2 < area.width / 2;
  const top = y + height / 2 < area.height / 2;
  return `${top ? 'top' : 'bottom'}_${left ? 'left' : 'right'}`;
}
