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

it('says what was plugged in and pulled out, once the devices are known', () => {
  const listed = (...labels: string[]) => {
    const found = labels.map((label) => ({ id: `mic:${label}`, label }));
    const unlisted = { id: 'mic:gone', label: 'mic:gone' };
    const microphones = [{ id: 'mic', label: 'mic' }, ...found, unlisted];
    return inCall([], { devices: { cameras: [], speakers: [], microphones } });
  };
  expect(say(listed(), listed('A', 'B'))).toEqual([]);
  expect(say(listed('A'), listed('A', 'B'), listed('B'))).toEqual([
    'New microphone: B. It can be chosen in the settings.',
    'A is not there any more',
  ]);
  // Before and after a call nobody is using them.
  const home = { ...listed('A'), phase: { at: 'home' as const } };
  expect(say(home, { ...listed('B'), phase: { at: 'home' as const } })).toEqual([]);
});

it('says which device stands in, and when that is over', () => {
  const calm = inCall([]);
  const stand: AppView = { ...calm, me: { ...calm.me, stand_ins: ['speaker'] } };
  expect(say(calm, stand, stand, calm)).toEqual([
    'The chosen speaker is gone; the system’s own is used meanwhile',
    'The chosen speaker is used again',
  ]);
});
