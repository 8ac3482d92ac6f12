// Where the tiles of a call go. Pictures cover their tiles, so nothing stays black; the question
// is only which arrangement cuts off least of them.
//
// Which tiles there are, and which of them is the main one, is `stage`'s to say.

import { beside } from './beside';
import { grid } from './grid';
import { PICTURE, type Rect, type Size } from './rect';

/** `own`, a peer's id, or `screen:` and the one or the other. */
export type TileId = string;

/** Something to show. */
export interface Item {
  id: TileId;
  /** A person's face fills its tile; of a shared screen nothing may be cut off. */
  is: 'own' | 'person' | 'screen';
}

export type Corner = 'top_left' | 'top_right' | 'bottom_left' | 'bottom_right';

export interface Scene {
  /** In the order in which they are shown, the own tile last; without it if it is hidden. */
  items: readonly Item[];
  /** The one that is shown large; none: all alike. */
  main: TileId | null;
  /** Where the own tile lies when it lies on top of another one. */
  corner: Corner;
}

export interface Place {
  rect: Rect;
  /** The own tile, on top of the only other one. */
  floating: boolean;
  /** It is the large one, beside small ones. */
  main: boolean;
}

/** Taller than this, two tiles one above the other show more than a small one on a large one. */
const TALL = 1.25;
/** Share of the shorter side that the floating tile takes. */
const FLOATING = 0.24;

/** Each item's place in an area. */
export function arrange(scene: Scene, area: Size, gap: number): ReadonlyMap<TileId, Place> {
  const { items, corner } = scene;
  const main = items.find(({ id }) => id === scene.main);
  const rest = items.filter((item) => item !== main);
  const places = new Map<TileId, Place>();
  const put = (item: Item | undefined, rect: Rect | undefined, more: Partial<Place> = {}) => {
    if (item && rect) places.set(item.id, { rect, floating: false, main: false, ...more });
  };

  const own = items.find(({ is }) => is === 'own');
  const below = items.length === 2 && own ? items.find(({ is }) => is !== 'own') : undefined;
  // Oneself as the large one was asked for.
  const onTop = below && main !== own && (main || area.height < area.width * TALL);
  if (onTop) {
    put(below, { x: 0, y: 0, ...area });
    put(own, inCorner(corner, area, gap), { floating: true });
  } else if (main && rest.length > 0) {
    const around = beside(rest.length, area, gap);
    put(main, around.main, { main: true });
    rest.forEach((item, index) => put(item, around.rest[index]));
  } else {
    const tiles = grid(items.length, area.width, area.height, gap);
    items.forEach((item, index) => put(item, tiles[index]));
  }
  return places;
}

function inCorner(corner: Corner, { width, height }: Size, gap: number): Rect {
  const own = Math.max(FLOATING * Math.min(width, height), Math.min(90, height / 3));
  const size = { width: own * PICTURE, height: own };
  const left = corner === 'top_left' || corner === 'bottom_left';
  const top = corner === 'top_left' || corner === 'top_right';
  return {
    x: left ? gap : width - size.width - gap,
    y: top ? gap : height - size.height - gap,
    ...size,
  };
}
