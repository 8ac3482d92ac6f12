// A picture inside its tile.

import { PICTURE, type Size } from './rect';

/** A picture fills its tile as long as this much of it is seen; else it is shown smaller. */
const SEEN = 0.4;

/** The picture's size inside its tile; `whole`: nothing of it is cut off, as of a screen. */
export function fit(tile: Size, picture: Size, whole = false): Size {
  const contain = Math.min(tile.width / picture.width, tile.height / picture.height);
  const cover = Math.max(tile.width / picture.width, tile.height / picture.height);
  const scale = whole ? contain : Math.min(cover, contain / SEEN);
  return { width: picture.width * scale, height: picture.height * scale };
}

/**
 * How high the whole picture is in its tile, what is cut off included: of a tile without a picture,
 * how high it will be.
 */
export function pictureHeight(tile: Size, picture: Size | null, whole = false): number {
  return fit(tile, picture ?? { width: PICTURE, height: 1 }, whole).height;
}
