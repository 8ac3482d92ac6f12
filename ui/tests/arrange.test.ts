import { describe, expect, it } from 'vitest';

import { arrange, fit, type Rect } from '../src/layout/arrange';

const GAP = 8;
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
    const { tiles, floating } = arrange(others, width, height, GAP);
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
});

it('two people: the other one large, oneself small on top', () => {
  const { tiles, floating } = arrange(1, 1264, 784, GAP);
  expect(floating).toBe(true);
  expect(tiles[0]).toEqual({ x: 0, y: 0, width: 1264, height: 784 });
  expect(area(tiles[1] as Rect)).toBeLessThan(0.1 * 1264 * 784);
});

it('two people in a tall window: one above the other', () => {
  const { tiles, floating } = arrange(1, 344, 624, GAP);
  expect(floating).toBe(false);
  expect(tiles.map((tile) => tile.width)).toEqual([344, 344]);
});

it('four people: two by two in a wide window, four in a column in a tall one', () => {
  const wide = arrange(3, 1264, 784, GAP).tiles;
  expect(new Set(wide.map((tile) => tile.x)).size).toBe(2);
  expect(new Set(wide.map((tile) => tile.y)).size).toBe(2);
  const tall = arrange(3, 344, 624, GAP).tiles;
  expect(new Set(tall.map((tile) => tile.x)).size).toBe(1);
});

it.each([
  [1264, 784],
  [884, 584],
  [3824, 2144],
])('three people in a window of %i × %i: nobody loses the top of the head', (width, height) => {
  for (const tile of arrange(2, width, height, GAP).tiles) {
    expect(tile.height / tile.width).toBeGreaterThan(9 / 16 - 0.02);
  }
});

it('a window of no size breaks nothing', () => {
  for (const others of [0, 1, 2, 3]) {
    for (const tile of arrange(others, 0, 0, GAP).tiles) {
      expect(Object.values(tile).every(Number.isFinite)).toBe(true);
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

  it('stays two fifths visible in a tile of quite another shape', () => {
    const tile = { width: 200, height: 2000 };
    const { width } = fit(tile, { width: 1280, height: 720 });
    expect(tile.width / width).toBeCloseTo(0.4);
  });
});
