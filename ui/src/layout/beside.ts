// One large tile, and small ones in a row or a column beside it.

import { PICTURE, type Rect, type Size } from './rect';

/** Share of the side along which the small ones take room from the large one. */
const SHARE = 0.2;
/** A face smaller than this, pixels, says nothing. */
const LEAST = 84;
/** And a larger one than this is not small any more: pixels high. */
const MOST = 220;

/** Around `count` small ones, at least one. */
export function beside(count: number, area: Size, gap: number): { main: Rect; rest: Rect[] } {
  // A column at the right of a wide area; at the top of a tall one a row, since the controls of the
  // call come over the bottom.
  if (area.width < area.height * PICTURE * 0.8) {
    const turned = column(count, { width: area.height, height: area.width }, gap, 1 / PICTURE);
    // What was at the right end there is at the top here.
    const back = ({ x, y, width, height }: Rect) => ({
      x: y,
      y: area.height - x - width,
      width: height,
      height: width,
    });
    return { main: back(turned.main), rest: turned.rest.map(back) };
  }
  return column(count, area, gap, PICTURE);
}

/** Small tiles of this shape at the right end, in the middle of the height. */
function column(count: number, area: Size, gap: number, shape: number) {
  const gaps = gap * (count - 1);
  const [least, most] = shape > 1 ? [LEAST * PICTURE, MOST * PICTURE] : [LEAST, MOST];
  const wanted = Math.min(Math.max(area.width * SHARE, least), most, area.width / 2);
  const width = Math.max(0, Math.min(wanted, ((area.height - gaps) / count) * shape));
  const height = width / shape;
  const top = (area.height - count * height - gaps) / 2;
  const main = { x: 0, y: 0, width: Math.max(0, area.width - width - gap), height: area.height };
  const rest = Array.from({ length: count }, (_, index) => ({
    x: area.width - width,
    y: top + index * (height + gap),
    width,
    height,
  }));
  return { main, rest };
}
