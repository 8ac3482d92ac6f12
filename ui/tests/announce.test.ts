import { expect, it } from 'vitest';

import { Announcer } from '../src/announce';
import type { AppView } from '../src/bindings';
import { translator } from '../src/i18n/translate';
import { inCall, peer, view } from './fake_engine';

const t = translator('en');
/** What is said about each view after the first. */
const say = (first: AppView, ...views: AppView[]) => {
  const announcer = new Announcer();
  let before = first;
  return views.flatMap((after) => {
    const said = announcer.compare(before, after, t, 'en');
    before = after;
    return said.map(({ message }) => t(...message).replace(/[\u2068\u2069]/g, ''));
  });
};

it('says who comes and who goes', () => {
  const before = inCall([peer('Ann'), peer('Bob')]);
  expect(say(before, inCall([peer('Bob'), peer('Cid')]))).toEqual(['Cid joined', 'Ann left']);
});

it('says nothing when nothing has changed', () => {
  expect(say(inCall([peer('Ann')]), inCall([peer('Ann')]))).toEqual([]);
});

it('says that the computer is busy when that begins, and is silent when it is over', () => {
  const calm = inCall([peer('Ann')]);
  const busy = { ...calm, me: { ...calm.me, busy: true } };
  expect(say(calm, busy, busy, calm)).toEqual([
    'Your computer is busy: the picture is smaller for now.',
  ]);
});

it('says in one sentence who is in on entering', () => {
  expect(say(view(), inCall([peer('Ann'), peer('Bob'), peer('Cid')]))).toEqual([
    'In the call with Ann, Bob, and Cid',
  ]);
  expect(say(view(), inCall([]))).toEqual(['You are in the call']);
});

it('does not say again who was named on entering, and comes into view only then', () => {
  const entering = inCall([]);
  if (entering.room) entering.room.waiting = ['Ann', 'Bob'];
  const bob = peer('2', { name: 'Bob' });
  expect(
    say(view(), entering, inCall([peer('Ann')]), inCall([peer('Ann'), bob]), inCall([bob])),
  ).toEqual(['In the call with Ann and Bob', 'Ann left']);
  expect(say(view(), entering, inCall([peer('Ann')]), inCall([]), inCall([peer('Ann')]))).toEqual([
    'In the call with Ann and Bob',
    'Ann left',
    'Ann joined',
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
