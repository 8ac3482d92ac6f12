// How a call is shown: who is large, where oneself is, and that it is remembered.

import { flushSync } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Item } from '../src/layout/arrange';
import { readLook, USUAL_LOOK } from '../src/layout/look';
import { mainTile, nearestCorner, nextPinned, Turn } from '../src/layout/stage';
import { all, click, find, inCall, page, peer, press } from './fake_engine';

const person = (id: string): Item => ({ id, is: 'person' });
const people: Item[] = [person('a'), person('b'), { id: 'own', is: 'own' }];
const screen: Item = { id: 'screen:b', is: 'screen' };
const speaker = { ...USUAL_LOOK, mode: 'speaker' as const };

describe('the large tile', () => {
  it.each([
    ['nobody, where all are alike', people, null, USUAL_LOOK, 'b', null],
    ['who speaks', people, null, speaker, 'b', 'b'],
    ['the first one, before anybody has spoken', people, null, speaker, null, 'a'],
    ['the first one, when the speaker has left', people, null, speaker, 'gone', 'a'],
    ['nobody, alone', [people[2] as Item], null, speaker, null, null],
    ['a screen, as soon as it is shared', [screen, ...people], null, USUAL_LOOK, 'a', 'screen:b'],
    ['who is pinned, whoever speaks or shares', [screen, ...people], 'a', speaker, 'b', 'a'],
    ['oneself, if pinned', people, 'own', USUAL_LOOK, null, 'own'],
    ['no more who is pinned and has left', people, 'gone', USUAL_LOOK, null, null],
  ] as const)('is %s', (_, items, pinned, look, spoken, expected) => {
    expect(mainTile(items, pinned, look, spoken)).toBe(expected);
  });

  it('goes from one to the next, and then to nobody', () => {
    const order = [null, 'a', 'b'].map((pinned) => nextPinned(people.slice(0, 2), pinned));
    expect(order).toEqual(['a', 'b', null]);
  });
});

describe('the word', () => {
  const hear = (turn: Turn, ...heard: [number, ...string[]][]) =>
    heard.map(([now, ...speaking]) => turn.hear(new Set(speaking), now));

  it('goes to who goes on speaking, and stays there in the silence', () => {
    const turn = new Turn();
    expect(hear(turn, [0, 'a'], [700, 'a'], [800, 'a'], [900], [9_000])).toEqual([
      null,
      null,
      'a',
      'a',
      'a',
    ]);
    expect(hear(turn, [10_000, 'b'], [10_800, 'b'])).toEqual(['a', 'b']);
  });

  it('is not taken by one word, nor from somebody who is speaking, nor by oneself', () => {
    const turn = new Turn();
    hear(turn, [0, 'a'], [800, 'a']);
    expect(hear(turn, [1_000, 'b'], [1_500], [2_000, 'b'])).toEqual(['a', 'a', 'a']);
    expect(hear(turn, [3_000, 'a', 'b'], [9_000, 'a', 'b'])).toEqual(['a', 'a']);
    expect(hear(turn, [10_000, 'own'], [19_000, 'own'])).toEqual(['a', 'a']);
    turn.forget();
    expect(hear(turn, [20_000])).toEqual([null]);
  });
});

it('the nearest corner is that of the middle', () => {
  const at = (x: number, y: number) =>
    nearestCorner({ x, y, width: 100, height: 60 }, { width: 800, height: 600 });
  expect([at(0, 0), at(700, 0), at(0, 540), at(700, 540), at(349, 271)]).toEqual([
    'top_left',
    'top_right',
    'bottom_left',
    'bottom_right',
    'bottom_left',
  ]);
});

it.each([null, '', '{', 'null', '7', '{"mode":"cinema","corner":4,"ownHidden":"yes"}'])(
  'what is kept and spoilt is as usual: %j',
  (kept) => expect(readLook(kept)).toEqual(USUAL_LOOK),
);

describe('on the page', () => {
  let close = () => {};
  beforeEach(() => {
    localStorage.clear();
    // jsdom measures nothing.
    vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(1_000);
    vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(600);
  });
  afterEach(() => {
    close();
    vi.restoreAllMocks();
  });

  const company = inCall([peer('a'), peer('b')]);
  async function at(view = company) {
    const it = await page(view);
    close = it.close;
    return it;
  }
  const areas = () => all('tile').map(({ style }) => parseFloat(style.width));

  it('a key shows one after the other large, and it is said', async () => {
    const { app } = await at();
    const alike = areas();
    press('k');
    expect(areas()[0]).toBeGreaterThan(3 * (areas()[1] ?? 0));
    expect(app.said.at(-1)?.text).toContain('shown large');
    press('k');
    expect(areas()[1]).toBeGreaterThan(3 * (areas()[0] ?? 0));
    press('k');
    expect(areas()).toEqual(alike);
  });

  it('a double click does the same for a tile', async () => {
    const { app } = await at();
    const twice = () => {
      all('tile')[1]?.dispatchEvent(new MouseEvent('dblclick', { bubbles: true }));
      flushSync();
    };
    twice();
    expect(app.pinned).toBe('b');
    twice();
    expect(app.pinned).toBeNull();
  });

  it('whoever speaks becomes large where that is wanted', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
    const { engine } = await at();
    press('g');
    click('mode-speaker');
    click('close-dialog');
    for (let tenth = 0; tenth < 10; tenth += 1) {
      engine.events({ type: 'levels', data: [{ tile: 'b', level: 0.3 }] });
      vi.advanceTimersByTime(100);
    }
    flushSync();
    vi.useRealTimers();
    expect(areas()[1]).toBeGreaterThan(3 * (areas()[0] ?? 0));
  });

  it('the own picture is hidden, except alone, and that is remembered', async () => {
    const { app, engine } = await at();
    press('o');
    expect(all('own-tile')).toEqual([]);
    expect(app.said.at(-1)?.text).toContain('others see it');
    engine.show(inCall([]));
    expect(all('own-tile')).toHaveLength(1);
    close();
    await at();
    expect(all('own-tile')).toEqual([]);
    press('o');
    expect(all('own-tile')).toHaveLength(1);
  });

  it('the own picture is dragged to another corner, or put there by the menu', async () => {
    const { app } = await at(inCall([peer('a')]));
    const own = find('own-tile');
    own.setPointerCapture = () => {};
    const point = (type: string, clientX: number, clientY: number) => {
      own.dispatchEvent(new MouseEvent(type, { bubbles: true, button: 0, clientX, clientY }));
      flushSync();
    };
    point('pointerdown', 900, 550);
    point('pointermove', 100, 60);
    expect(own.style.translate).toBe('-800px -490px');
    point('pointerup', 100, 60);
    expect(app.look.corner).toBe('top_left');
    expect(own.style.left).toBe('8px');
    press('g');
    click('corner-bottom_left');
    expect(JSON.parse(localStorage.getItem('quartet.look') ?? '')).toMatchObject({
      corner: 'bottom_left',
    });
    expect(parseFloat(own.style.top)).toBeGreaterThan(300);
  });

  it('says so where the screen cannot be filled', async () => {
    const { app } = await at();
    press('x');
    await vi.waitFor(() => expect(app.notes.at(-1)?.code).toBe('full_screen'));
  });
});
