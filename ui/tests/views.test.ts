import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Views } from '../src/video/views';
import { inCall, page, peer, settle } from './fake_engine';

let hidden: boolean;
let ratio: number;
let ratioChanges: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  hidden = false;
  ratio = 1;
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
  vi.stubGlobal('matchMedia', () => ({
    addEventListener: (_type: string, listener: () => void) => (ratioChanges = listener),
  }));
  vi.stubGlobal('devicePixelRatio', 1);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function setUp() {
  const say = vi.fn();
  return { say, views: new Views(say) };
}

function hide(now: boolean): void {
  hidden = now;
  document.dispatchEvent(new Event('visibilitychange'));
}

describe('the size of a picture on the screen', () => {
  it('is said at once for a new tile, in pixels of the screen', () => {
    vi.stubGlobal('devicePixelRatio', 1.5);
    const { say, views } = setUp();
    views.show('own', {}, 239.8);
    expect(say.mock.calls).toEqual([['own', 360]]);
  });

  it('is said once while a window is being resized, and only if it has changed', () => {
    const { say, views } = setUp();
    const owner = {};
    views.show('a', owner, 300);
    for (let height = 300; height < 400; height++) views.show('a', owner, height);
    expect(say).toHaveBeenCalledTimes(1);
    vi.runAllTimers();
    expect(say.mock.calls.slice(1)).toEqual([['a', 399]]);
    views.show('a', owner, 399.2);
    vi.runAllTimers();
    expect(say).toHaveBeenCalledTimes(2);
  });

  it('is nothing while nobody can see the window, and everything again at once', () => {
    const { say, views } = setUp();
    views.show('own', {}, 100);
    views.show('a', {}, 200);
    hide(true);
    expect(say.mock.calls.slice(2)).toEqual([
      ['own', 0],
      ['a', 0],
    ]);
    hide(false);
    expect(say.mock.calls.slice(4)).toEqual([
      ['own', 100],
      ['a', 200],
    ]);
  });

  it('is nothing for a tile that comes while the window is hidden', () => {
    const { say, views } = setUp();
    hide(true);
    views.show('a', {}, 200);
    expect(say.mock.calls).toEqual([['a', 0]]);
  });

  it('follows the window to a screen with other pixels, again and again', () => {
    const { say, views } = setUp();
    views.show('a', {}, 200);
    for (const next of [2, 3]) {
      ratio = next;
      vi.stubGlobal('devicePixelRatio', ratio);
      ratioChanges();
    }
    expect(say.mock.calls.slice(1)).toEqual([
      ['a', 400],
      ['a', 600],
    ]);
  });

  it('is nothing for a tile that goes, but not when another shows it by then', () => {
    const { say, views } = setUp();
    const [before, after] = [{}, {}];
    views.show('own', before, 100);
    views.show('own', after, 100);
    views.hide('own', before);
    expect(say).toHaveBeenCalledTimes(1);
    views.hide('own', after);
    expect(say.mock.calls.slice(1)).toEqual([['own', 0]]);
  });

  it('fits into a message', () => {
    const { say, views } = setUp();
    views.show('a', {}, 1e6);
    expect(say.mock.calls).toEqual([['a', 65535]]);
  });
});

describe('the page', () => {
  beforeEach(() => {
    vi.useRealTimers();
    vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(1280);
    vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(720);
  });

  it('says how large the others are shown, with the camera off too, so that it comes at once', async () => {
    const { engine, close } = await page(inCall([peer('a', { camera_off: true })]));
    await settle();
    const said = new Map(engine.viewTile.mock.calls);
    expect(said.get('a')).toBe(720);
    expect(said.get('own')).toBe(173);
    close();
  });

  it('asks for less of everybody when there are more', async () => {
    const { engine, close } = await page(inCall([peer('a')]));
    await settle();
    engine.show(inCall([peer('a'), peer('b'), peer('c')]));
    await new Promise((resolve) => setTimeout(resolve, 250));
    const said = new Map(engine.viewTile.mock.calls);
    expect([said.get('a'), said.get('b'), said.get('c')]).toEqual([358, 358, 358]);
    close();
  });
});
