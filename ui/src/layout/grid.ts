// Tiles of equal rank that fill an area: of all arrangements in rows or columns, the one that cuts
// off least of the pictures.

import { PICTURE, type Rect } from './rect';

export function grid(count: number, width: number, height: number, gap: number): Rect[] {
  let best: Rect[] = [];
  let lowest = Infinity;
  for (const groups of compositions(count)) {
    const columns = cells(groups, width, height, gap);
    const rows = cells(groups, height, width, gap).map(transpose);
    for (const candidate of [columns, rows]) {
      const sum = candidate.reduce((total, rect) => total + cost(rect), 0);
      if (sum < lowest) {
        best = candidate;
        lowest = sum;
      }
    }
  }
  return best;
}

/** Every ordered way to write `count` as a sum: 3 = 1+1+1 = 1+2 = 2+1 = 3. */
function compositions(count: number): number[][] {
  if (count === 0) return [[]];
  const all: number[][] = [];
  for (let first = 1; first <= count; first++) {
    for (const rest of compositions(count - first)) all.push([first, ...rest]);
  }
  return all;
}

/** Columns of equal width, each with as many tiles as its group says. */
function cells(groups: number[], width: number, height: number, gap: number): Rect[] {
  const columnWidth = (width - gap * (groups.length - 1)) / groups.length;
  return groups.flatMap((size, column) => {
    const cellHeight = (height - gap * (size - 1)) / size;
    return Array.from({ length: size }, (_, row) => ({
      x: column * (columnWidth + gap),
      y: row * (cellHeight + gap),
      width: columnWidth,
      height: cellHeight,
    }));
  });
}

function transpose({ x, y, width, height }: Rect): Rect {
  return { x: y, y: x, width: height, height: width };
}

/**
 * What is lost in a tile. The smaller a whole picture would be in it, the more every pixel less
 * matters: the smallest tile decides. Cutting off above and below costs heads; cutting off at the
 * sides costs little.
 */
function cost({ width, height }: Rect): number {
  const whole = Math.max(1, Math.min(width, height * PICTURE));
  const cutAbove = Math.max(0, 1 - (height * PICTURE) / Math.max(1, width));
  const cutBeside = Math.max(0, 1 - width / Math.max(1, height * PICTURE));
  return (1 + 2 * cutAbove + cutBeside / 4) / whole ** 2;
}
