import { expect, it } from 'vitest';

import { announcements } from '../src/announce';
import type { AppView } from '../src/bindings';
import { translator } from '../src/i18n/translate';
import { inCall, peer, view } from './fake_engine';

const t = translator('en');
const say = (before: AppView, after: AppView) =>
  announcements(before, after, t).map(({ message }) =>
    t(...message).replace(/[\u2068\u2069]/g, ''),
  );

it('says who comes and who goes', () => {
  const before = inCall([peer('Ann'), peer('Bob')]);
  expect(say(before, inCall([peer('Bob'), peer('Cid')]))).toEqual(['Cid joined', 'Ann left']);
});

it('says nothing when nothing has changed', () => {
  expect(say(inCall([peer('Ann')]), inCall([peer('Ann')]))).toEqual([]);
});

it('says how many are in, not each name, on entering', () => {
  expect(say(view(), inCall([peer('Ann'), peer('Bob')]))).toEqual([
    'You are in the call',
    '3 people in the call',
  ]);
});

it('says what changes about a person', () => {
  const before = inCall([peer('Ann')]);
  const after = inCall([
    peer('Ann', { muted: true, camera_off: true, connection: 'reconnecting' }),
  ]);
  expect(say(before, after)).toEqual([
    'Ann is muted',
    'Ann turned the camera off',
    'Connection to Ann lost, reconnecting',
  ]);
  expect(say(after, before)).toEqual([
    'Ann is no longer muted',
    'Ann turned the camera on',
    'Connected to Ann',
  ]);
});

it('says that the server is gone and back', () => {
  const online = inCall([]);
  const offline = inCall([], { phase: { at: 'in_call', signalling_online: false } });
  expect(say(online, offline)).toEqual(['The server does not answer; the call goes on']);
  expect(say(offline, online)).toEqual(['The server is back']);
});

it('says the own switches everywhere', () => {
  const after = view();
  after.me = { ...after.me, muted: true, camera_off: true };
  expect(say(view(), after)).toEqual(['You are muted', 'Your camera is off']);
});
