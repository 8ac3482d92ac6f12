// Where the tiles of a call go. Pictures cover their tiles, so nothing stays black; the question
// is only which arrangement cuts off least of them.

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Arrangement {
  /** In the order of the people, the own tile last. */
  tiles: Rect[];
  /** The own tile lies on top of the only other one. */
  floating: boolean;
}

/** Cameras are nearly all 16:9. */
const PICTURE = 16 / 9;
/** Taller than this, two tiles one above the other show more than a small one on a large one. */
const TALL = 1.25;
/** Share of the shorter side that the floating tile takes. */
const FLOATING = 0.24;

/** `others` people and oneself in an area of `width` × `height` pixels. */
export function arrange(others: number, width: number, height: number, gap: number): Arrangement {
  if (others === 1 && height < width * TALL) {
    const own = Math.max(FLOATING * Math.min(width, height), Math.min(90, height / 3));
    const size = { width: own * PICTURE, height: own };
    const corner = { x: width - size.width - gap, y: height - size.height - gap };
    return {
      tiles: [
        { x: 0, y: 0, width, height },
        { ...corner, ...size },
      ],
      floating: true,
    };
  }
  return { tiles: grid(others + 1, width, height, gap), floating: false };
}

/** A picture fills its tile as long as this much of it is seen; else it is shown smaller. */
const SEEN = 0.4;

/** The picture's size inside its tile. */
export function fit(
  tile: { width: number; height: number },
  picture: { width: number; height: number },
): { width: number; height: number } {
  const contain = Math.min(tile.width / picture.width, tile.height / picture.height);
  const cover = Math.max(tile.width / picture.width, tile.height / picture.height);
  const scale = Math.min(cover, contain / SEEN);
  return { width: picture.width * scale, height: picture.height * scale };
}

/**
 * How high the whole picture is in its tile, what is cut off included: of a tile without a picture,
 * how high it will be.
 */
export function pictureHeight(
  tile: { width: number; height: number },
  picture: { width: number; height: number } | null,
): number {
  return fit(tile, picture ?? { width: PICTURE, height: 1 }).height;
}

function grid(count: number, width: number, height: number, gap: number): Rect[] {
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
