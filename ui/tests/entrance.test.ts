// What stands between a guest's page and its use.

import { flushSync } from 'svelte';
import { afterEach, expect, it, vi } from 'vitest';

import type { Entrance } from '../src/engine/browser/core/entrance';
import { all, click, FakeEngine, find, page, press, settle, view } from './fake_engine';

const APP = 'quartet://join?server=https%3A%2F%2Fquartet.example#AAECAwQFBgcICQoLDA0ODw';

let close: (() => unknown) | undefined;

afterEach(() => {
  close?.();
  close = undefined;
});

async function open(entrance: Entrance, language = 'en') {
  const begin = vi.fn(async (_remember: boolean) => {});
  const engine = Object.assign(new FakeEngine(), { guest: { entrance, begin } });
  engine.language = language;
  ({ close } = await page(view(), engine));
  return { engine, begin };
}

it('is not there where nothing stands in the way', async () => {
  const { begin } = await open({ at: 'open' });
  expect(all('entrance')).toHaveLength(0);
  expect(begin).toHaveBeenCalledExactlyOnceWith(false);
  expect(all('new-call')).toHaveLength(1);
});

it.each([false, true])(
  'offers the app, and goes on here with a click (remembered: %s)',
  async (remember) => {
    const { begin } = await open({ at: 'choice', app: APP });
    expect(find('open-app').getAttribute('href')).toBe(APP);
    expect(begin).not.toHaveBeenCalled();
    if (remember) click('remember');
    click('continue-browser');
    expect(begin).toHaveBeenCalledExactlyOnceWith(remember);
    expect(all('entrance')).toHaveLength(0);
  },
);

it.each(['insecure', 'too_old'] as const)('has the app only where the page is %s', async (at) => {
  const { begin } = await open({ at, app: APP });
  expect(find('open-app').getAttribute('href')).toBe(APP);
  expect(all('continue-browser')).toHaveLength(0);
  expect(document.querySelector('[role=alert]')?.textContent).toContain('Quartet app');
  expect(begin).not.toHaveBeenCalled();
});

it('says why also where there is no link to open', async () => {
  await open({ at: 'insecure', app: null }, 'th');
  expect(all('open-app')).toHaveLength(0);
  expect(find('entrance').textContent).toContain('https');
});

it('lets no key begin a call behind it', async () => {
  const { engine } = await open({ at: 'choice', app: APP });
  press('n', { code: 'KeyN' });
  expect(engine.newCall).not.toHaveBeenCalled();
});

it('shows on the home page what is wrong with the link of the address', async () => {
  const begin = vi.fn(() => Promise.reject({ code: 'invalid_link', message: 'no' }));
  const engine = Object.assign(new FakeEngine(), { guest: { entrance: { at: 'open' }, begin } });
  ({ close } = await page(view(), engine as FakeEngine));
  await settle();
  flushSync();
  expect(document.querySelector('[role=alert]')?.getAttribute('data-code')).toBe('invalid_link');
});

it('has no setting for a server, which a guest cannot choose', async () => {
  await open({ at: 'open' });
  press(',', { code: 'Comma' });
  expect(all('settings-server')).toHaveLength(0);
  expect(all('relay-only')).toHaveLength(1);
});
