import { describe, expect, it } from 'vitest';

import { arrange, type Corner, type Item, type TileId } from '../src/layout/arrange';
import { fit } from '../src/layout/fit';
import type { Rect } from '../src/layout/rect';

const GAP = 8;
const people = (count: number): Item[] =>
  Array.from({ length: count }, (_, index) => ({ id: `${index}`, is: 'person' as const }));
const ownItem: Item = { id: 'own', is: 'own' };

/** Of so many others and oneself, the own tile last. */
function places(
  others: number,
  width: number,
  height: number,
  main: TileId | null = null,
  corner: Corner = 'bottom_right',
) {
  const items = [...people(others), ownItem];
  const arranged = arrange({ items, main, corner }, { width, height }, GAP);
  return items.map(({ id }) => {
    const place = arranged.get(id);
    if (!place) throw new Error(`${id} has no place`);
    return place;
  });
}

function tilesOf(...scene: Parameters<typeof places>) {
  const all = places(...scene);
  return { tiles: all.map(({ rect }) => rect), floating: all.some((it) => it.floating) };
}

const windows = [
  ['a phone', 344, 624],
  ['a phone on its side', 800, 344],
  ['a laptop', 1264, 784],
  ['a square', 900, 900],
  ['an ultrawide', 3424, 1424],
  ['a wall', 3824, 2144],
] as const;

const area = ({ width, height }: Rect) => width * height;
const overlap = (a: Rect, b: Rect) =>
  a.x + a.width > b.x + 0.01 &&
  b.x + b.width > a.x + 0.01 &&
  a.y + a.height > b.y + 0.01 &&
  b.y + b.height > a.y + 0.01;

describe.each(windows)('in %s', (_, width, height) => {
  it.each([0, 1, 2, 3])('%i others and oneself fill it', (others) => {
    const { tiles, floating } = tilesOf(others, width, height);
    expect(tiles).toHaveLength(others + 1);
    for (const tile of tiles) {
      expect(tile.x).toBeGreaterThanOrEqual(-0.01);
      expect(tile.y).toBeGreaterThanOrEqual(-0.01);
      expect(tile.x + tile.width).toBeLessThanOrEqual(width + 0.01);
      expect(tile.y + tile.height).toBeLessThanOrEqual(height + 0.01);
    }
    const resting = floating ? tiles.slice(0, 1) : tiles;
    for (const [i, a] of resting.entries()) {
      for (const b of resting.slice(i + 1)) expect(overlap(a, b)).toBe(false);
    }
    // Nothing but the gaps stays empty.
    const covered = resting.reduce((sum, tile) => sum + area(tile), 0);
    expect(covered).toBeGreaterThan(width * height - 3 * GAP * Math.max(width, height));
  });

  it.each([2, 3, 4, 5])('a large one beside %i small ones', (others) => {
    const all = places(others, width, height, '1');
    const rects = all.map(({ rect }) => rect);
    for (const [i, a] of rects.entries()) {
      expect(a.x).toBeGreaterThanOrEqual(-0.01);
      expect(a.y).toBeGreaterThanOrEqual(-0.01);
      expect(a.x + a.width).toBeLessThanOrEqual(width + 0.01);
      expect(a.y + a.height).toBeLessThanOrEqual(height + 0.01);
      for (const b of rects.slice(i + 1)) expect(overlap(a, b)).toBe(false);
    }
    expect(all.map((it) => it.main)).toEqual(all.map((_, index) => index === 1));
    const [main, ...rest] = [rects[1], ...rects.filter((_, index) => index !== 1)] as Rect[];
    for (const small of rest) {
      expect(area(main as Rect)).toBeGreaterThan(3 * area(small));
      expect(small.width / small.height).toBeCloseTo(16 / 9);
    }
    expect(area(main as Rect)).toBeGreaterThan(0.5 * width * height);
  });
});

it('two people: the other one large, oneself small on top', () => {
  const { tiles, floating } = tilesOf(1, 1264, 784);
  expect(floating).toBe(true);
  expect(tiles[0]).toEqual({ x: 0, y: 0, width: 1264, height: 784 });
  expect(area(tiles[1] as Rect)).toBeLessThan(0.1 * 1264 * 784);
});

it.each([
  ['top_left', true, true],
  ['top_right', false, true],
  ['bottom_left', true, false],
  ['bottom_right', false, false],
] as const)('the small one lies where it was put: %s', (corner, left, top) => {
  const own = places(1, 1264, 784, null, corner)[1]?.rect as Rect;
  expect([own.x < 632, own.y < 392]).toEqual([left, top]);
  expect(own.x + own.width).toBeLessThan(1264);
  expect(own.y + own.height).toBeLessThan(784);
});

it('two people, one of them large: also in a tall window oneself on top', () => {
  expect(places(1, 344, 624, '0').map((it) => it.floating)).toEqual([false, true]);
  // But oneself large is beside the other one, who is not to be covered.
  expect(places(1, 1264, 784, 'own').map((it) => it.floating)).toEqual([false, false]);
});

it('oneself hidden: the others fill it', () => {
  const arranged = arrange(
    { items: people(1), main: null, corner: 'bottom_right' },
    { width: 1264, height: 784 },
    GAP,
  );
  expect(arranged.get('0')?.rect).toEqual({ x: 0, y: 0, width: 1264, height: 784 });
});

it('who is to be large and has gone changes nothing', () => {
  expect(places(3, 1264, 784, 'gone')).toEqual(places(3, 1264, 784));
});

it('two people in a tall window: one above the other', () => {
  const { tiles, floating } = tilesOf(1, 344, 624);
  expect(floating).toBe(false);
  expect(tiles.map((tile) => tile.width)).toEqual([344, 344]);
});

it('four people: two by two in a wide window, four in a column in a tall one', () => {
  const wide = tilesOf(3, 1264, 784).tiles;
  expect(new Set(wide.map((tile) => tile.x)).size).toBe(2);
  expect(new Set(wide.map((tile) => tile.y)).size).toBe(2);
  const tall = tilesOf(3, 344, 624).tiles;
  expect(new Set(tall.map((tile) => tile.x)).size).toBe(1);
});

it.each([
  [1264, 784],
  [884, 584],
  [3824, 2144],
])('three people in a window of %i × %i: nobody loses the top of the head', (width, height) => {
  for (const tile of tilesOf(2, width, height).tiles) {
    expect(tile.height / tile.width).toBeGreaterThan(9 / 16 - 0.02);
  }
});

it('a window of no size breaks nothing', () => {
  for (const others of [0, 1, 2, 3]) {
    for (const main of [null, 'own', '0']) {
      for (const tile of tilesOf(others, 0, 0, main).tiles) {
        expect(Object.values(tile).every(Number.isFinite)).toBe(true);
      }
    }
  }
});

describe('a picture', () => {
  it('covers a tile of nearly its shape', () => {
    expect(fit({ width: 400, height: 300 }, { width: 1280, height: 720 })).toEqual({
      width: (300 * 16) / 9,
      height: 300,
    });
  });

  it('of a screen is seen whole', () => {
    const size = fit({ width: 400, height: 300 }, { width: 1280, height: 720 }, true);
    expect(size).toEqual({ width: 400, height: 225 });
  });

  it('stays two fifths visible in a tile of quite another shape', () => {
    const tile = { width: 200, height: 2000 };
    const { width } = fit(tile, { width: 1280, height: 720 });
    expect(tile.width / width).toBeCloseTo(0.4);
  });
});
