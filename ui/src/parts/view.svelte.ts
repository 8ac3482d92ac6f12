import type { TileId } from '../engine/engine';
import type { Views } from '../video/views';

/**
 * Says how high a tile's picture is, CSS pixels, for as long as the component that calls this is
 * there. Before the first layout everything is 0 high: that is not said.
 */
export function showsView(views: () => Views, tile: () => TileId, height: () => number): void {
  const owner = {};
  $effect(() => {
    const [shown, id] = [views(), tile()];
    return () => shown.hide(id, owner);
  });
  $effect(() => {
    if (height() > 0) views().show(tile(), owner, height());
  });
}
