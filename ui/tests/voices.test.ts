// Hands, reactions, volumes and the space bar on the page.

import { flushSync } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { AppView } from '../src/bindings';
import { all, click, FakeEngine, find, inCall, page, peer, press } from './fake_engine';

let close = () => {};
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => {
  close();
  vi.useRealTimers();
});

const ann = peer('00000000000000a1', { name: 'Ann' });

async function at(first: AppView, engine = new FakeEngine()) {
  const it = await page(first, engine);
  close = it.close;
  return it;
}

function withHands(...hands: string[]): AppView {
  const view = inCall([ann]);
  return { ...view, room: view.room && { ...view.room, hands } };
}

function lift(key: string) {
  document.body.dispatchEvent(new KeyboardEvent('keyup', { key, bubbles: true, cancelable: true }));
  flushSync();
}

describe('a hand', () => {
  it('goes up and down by its control and by its key', async () => {
    const { engine } = await at(inCall([ann]));
    expect(find('hand').getAttribute('aria-pressed')).toBe('false');
    click('hand');
    expect(engine.raiseHand).toHaveBeenLastCalledWith(true);
    engine.show(withHands('own'));
    expect(find('hand').getAttribute('aria-pressed')).toBe('true');
    press('h');
    expect(engine.raiseHand).toHaveBeenLastCalledWith(false);
  });

  it('stands on its tile with its place in the order, and is said', async () => {
    const { app, engine } = await at(inCall([ann]));
    engine.show(withHands(ann.id, 'own'));
    expect(find('tile').dataset['hand']).toBe('1');
    expect(find('own-tile').dataset['hand']).toBe('2');
    expect(all('raised-hand').map((it) => it.textContent)).toEqual([
      expect.stringContaining('number \u20681\u2069'),
      expect.stringContaining('number \u20682\u2069'),
    ]);
    const said = () => app.said.map(({ text }) => text);
    expect(said()).toContain('\u2068Ann\u2069 raised a hand');
    engine.show(withHands());
    expect(said()).toContain('\u2068Ann\u2069 lowered the hand');
    expect(all('raised-hand')).toEqual([]);
  });
});

describe('a reaction', () => {
  it('is chosen from what its key opens, and goes on for a cheer', async () => {
    const { engine } = await at(inCall([ann]));
    press('e');
    expect(all('reaction-menu')).toHaveLength(1);
    expect(document.activeElement).toBe(find('react-thumbs_up'));
    press('ArrowRight', {}, find('react-thumbs_up'));
    expect(document.activeElement).toBe(find('react-heart'));
    click('react-clap');
    click('react-clap');
    expect(engine.react.mock.calls).toEqual([['clap'], ['clap']]);
    press('Escape', {}, find('react-heart'));
    expect(all('reaction-menu')).toEqual([]);
    expect(document.activeElement).toBe(document.querySelector('main'));
  });

  it('is shown over its tile for a moment and said once', async () => {
    const { app, engine } = await at(inCall([ann]));
    for (let count = 0; count < 20; count += 1) {
      engine.events({ type: 'reaction', data: { tile: ann.id, kind: 'party' } });
    }
    flushSync();
    const shown = find('tile').querySelectorAll('[data-testid=cheer]');
    expect(shown).toHaveLength(8);
    expect(shown[0]?.textContent?.trim()).toBe('🎉');
    expect(find('own-tile').querySelectorAll('[data-testid=cheer]')).toHaveLength(0);
    const said = app.said.filter(({ text }) => text.includes('Celebration'));
    expect(said).toHaveLength(1);
    vi.advanceTimersByTime(4_000);
    flushSync();
    expect(all('cheer')).toEqual([]);
  });
});

describe('a volume', () => {
  it('is set for each person beside their name', async () => {
    const { engine } = await at(inCall([ann]));
    press('p');
    const slider = find('volume') as HTMLInputElement;
    expect(slider.labels?.[0]?.textContent).toContain('Ann');
    expect(slider.value).toBe('100');
    slider.value = '200';
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    expect(engine.setVolume).toHaveBeenCalledWith(ann.id, 200);
    engine.show(inCall([{ ...ann, volume: 0 }]));
    expect(find('tile').textContent).toContain('turned this voice off');
  });
});

describe('the space bar', () => {
  const muted = (is: boolean): AppView => {
    const view = inCall([ann]);
    return { ...view, me: { ...view.me, muted: is } };
  };

  it('lets a muted person speak for as long as it is held', async () => {
    const { engine } = await at(muted(true));
    press(' ');
    expect(engine.setMuted.mock.calls).toEqual([[false]]);
    engine.show(muted(false));
    press(' ', { repeat: true });
    lift(' ');
    await vi.waitFor(() => expect(engine.setMuted.mock.calls).toEqual([[false], [true]]));
  });

  it.each([
    ['the window loses the keyboard', () => window.dispatchEvent(new Event('blur'))],
    ['the call ends', null],
  ])('is let go when %s', async (_, happen) => {
    const { engine } = await at(muted(true));
    press(' ');
    engine.show(muted(false));
    if (happen) happen();
    else engine.show({ ...muted(false), phase: { at: 'left', failure: null } });
    await vi.waitFor(() => expect(engine.setMuted.mock.calls).toEqual([[false], [true]]));
  });

  it('belongs to a field, to an open dialog, and to whoever wants nothing of it', async () => {
    const engine = new FakeEngine();
    await at(muted(true), engine);
    press('t');
    press(' ', {}, find('chat-field'));
    press('p');
    press(' ');
    expect(engine.setMuted).not.toHaveBeenCalled();
    close();
    engine.kept = { ...engine.kept, space: 'nothing' };
    await at(muted(true), engine);
    press(' ');
    expect(engine.setMuted).not.toHaveBeenCalled();
  });

  it('mutes for a moment where that is wanted', async () => {
    const engine = new FakeEngine();
    engine.kept = { ...engine.kept, space: 'mute' };
    await at(muted(false), engine);
    press(' ');
    engine.show(muted(true));
    lift(' ');
    await vi.waitFor(() => expect(engine.setMuted.mock.calls).toEqual([[true], [false]]));
  });

  it('says that one is muted to somebody who goes on speaking', async () => {
    const { engine } = await at(muted(true));
    const speak = () => {
      engine.events({ type: 'levels', data: [{ tile: 'own', level: 0.3 }] });
      flushSync();
    };
    speak();
    expect(all('speaks-muted')).toEqual([]);
    for (let tenth = 0; tenth < 10; tenth += 1) {
      vi.advanceTimersByTime(100);
      speak();
    }
    expect(find('speaks-muted').textContent).toContain('hold Space to speak');
    engine.show(muted(false));
    expect(all('speaks-muted')).toEqual([]);
  });
});

describe('the settings', () => {
  it('let one hear oneself, for as long as they are open', async () => {
    const { engine } = await at(inCall([ann]));
    press(',');
    expect(all('meter')).toHaveLength(1);
    click('hear-self');
    expect(engine.hearSelf.mock.calls).toEqual([[true]]);
    const { me } = inCall([]);
    engine.show(inCall([ann], { me: { ...me, muted: true } }));
    expect(document.body.textContent).toContain('nothing to hear');
    click('close-dialog');
    expect(engine.hearSelf).toHaveBeenLastCalledWith(false);
  });

  it('offer no test of a microphone that is not open', async () => {
    const { me } = inCall([]);
    const { engine } = await at(inCall([ann], { me: { ...me, microphone: { is: 'none' } } }));
    press(',');
    expect(all('hear-self')).toEqual([]);
    engine.show(inCall([ann], { me: { ...me, stand_ins: ['microphone'] } }));
    expect(find('stand-in-microphone').textContent).toContain('system');
  });
});
