import { afterEach, describe, expect, it } from 'vitest';

import type { ScreenView } from '../src/bindings';
import { all, FakeEngine, find, inCall, page, peer, press, settle } from './fake_engine';

const screen: ScreenView = { id: 'screen:1', is: 'screen', title: 'DP-1', width: 16, height: 9 };
const window: ScreenView = { ...screen, id: 'window:1', is: 'window', title: '<b>Plan</b>' };
const ann = peer('00000000000000a1', { name: 'Ann' });

let close = () => {};
afterEach(() => close());

async function open(first = inCall([ann]), choices: ScreenView[] | null = [screen, window]) {
  const engine = new FakeEngine();
  engine.choices = choices;
  const opened = await page(first, engine);
  close = opened.close;
  return opened;
}

const mine = (sharing: 'screen' | 'window' | null) =>
  inCall([ann], { me: { ...inCall([]).me, sharing } });

describe('sharing', () => {
  it('lets one choose by key what to share, and shares it', async () => {
    const { engine } = await open();
    press('s');
    await settle();
    const choices = all('share-choice');
    expect(choices.map(({ dataset }) => dataset['id'])).toEqual(['screen:1', 'window:1']);
    // A title is a stranger's text.
    expect(choices[1]?.textContent).toContain('<b>Plan</b>');
    expect(choices[1]?.querySelector('b')).toBeNull();
    choices[1]?.click();
    await settle();
    expect(engine.share).toHaveBeenCalledExactlyOnceWith('window:1');
    expect(all('share-menu')).toEqual([]);
  });

  it('leaves the choice to a system that asks by itself', async () => {
    const { engine } = await open(inCall([ann]), null);
    find('share').click();
    await settle();
    expect(engine.share).toHaveBeenCalledExactlyOnceWith(null);
    expect(all('share-menu')).toEqual([]);
  });

  it('says all the while that something is shared, and ends it with one click', async () => {
    const { app, engine } = await open();
    expect(all('sharing-note')).toEqual([]);
    engine.show(mine('window'));
    expect(find('sharing-note').textContent).toContain('You are sharing a window');
    expect(app.said.at(-1)?.text).toBe('You are sharing a window');
    expect(find('share').getAttribute('aria-pressed')).toBe('true');
    find('stop-sharing').click();
    await settle();
    expect(engine.stopSharing).toHaveBeenCalledTimes(1);
    press('s');
    await settle();
    expect(engine.stopSharing).toHaveBeenCalledTimes(2);
    engine.show(mine(null));
    expect(all('sharing-note')).toEqual([]);
    expect(app.said.at(-1)?.text).toBe('You no longer share anything');
  });

  it('shows what somebody shares beside the face, and says so', async () => {
    const { app, engine } = await open();
    expect(all('screen-tile')).toEqual([]);
    engine.show(inCall([{ ...ann, sharing: 'screen' }]));
    const tile = find('screen-tile');
    expect(tile.getAttribute('aria-label')).toMatch(/Ann.* shares a screen/);
    expect(engine.showTile.mock.calls.map(([id]) => id)).toContain(`screen:${ann.id}`);
    expect(all('tile')).toHaveLength(1);
    expect(app.notes.at(-1)?.text).toMatch(/Ann.* shares a screen/);
    engine.show(inCall([ann]));
    expect(all('screen-tile')).toEqual([]);
    expect(app.said.at(-1)?.text).toMatch(/Ann.* no longer shares anything/);
  });
});
