// How large each picture is on the screen, said to the engine: nobody sends more than is seen, and
// nothing to a window that nobody sees.

import type { TileId } from '../engine/engine';

/** While a window is being resized, its size is said this often, milliseconds. */
const AGAIN_MS = 200;
/** What a message to the others can say. */
const MAX_HEIGHT = 65535;

interface Place {
  /** Who shows the tile: on a change of screens the new one may come before the old one goes. */
  owner: object;
  /** CSS pixels. */
  height: number;
  /** What was said last, in pixels of the screen. */
  said: number | null;
}

export class Views {
  private readonly places = new Map<TileId, Place>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly say: (tile: TileId, height: number) => void) {
    document.addEventListener('visibilitychange', () => this.tell());
    this.watchPixelRatio();
  }

  /** The tile's whole picture is now so high, CSS pixels. */
  show(tile: TileId, owner: object, height: number): void {
    const known = this.places.get(tile);
    this.places.set(tile, { owner, height, said: known?.said ?? null });
    // The first picture does not wait; a window that is being resized changes all the time.
    if (known) this.timer ??= setTimeout(() => this.tell(), AGAIN_MS);
    else this.tell();
  }

  /** The tile is on the page no more, unless somebody else shows it by now. */
  hide(tile: TileId, owner: object): void {
    if (this.places.get(tile)?.owner !== owner) return;
    this.places.delete(tile);
    this.say(tile, 0);
  }

  private tell(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const [tile, place] of this.places) {
      const pixels = Math.round(place.height * devicePixelRatio);
      const height = document.hidden ? 0 : Math.min(pixels, MAX_HEIGHT);
      if (height === place.said) continue;
      place.said = height;
      this.say(tile, height);
    }
  }

  /** A window on another screen, or zoomed, shows the same tiles with other pixels. */
  private watchPixelRatio(): void {
    const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    query.addEventListener(
      'change',
      () => {
        this.tell();
        this.watchPixelRatio();
      },
      { once: true },
    );
  }
}
