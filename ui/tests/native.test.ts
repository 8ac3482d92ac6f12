import { mockIPC, clearMocks } from '@tauri-apps/api/mocks';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { NativeEngine } from '../src/engine/native';
import { settings, settle } from './fake_engine';

let calls: [command: string, args: Record<string, unknown>][];
let answer: (command: string) => unknown;

beforeEach(() => {
  calls = [];
  answer = () => undefined;
  mockIPC((command, args) => {
    calls.push([command, { ...(args as Record<string, unknown>) }]);
    return answer(command);
  });
});
afterEach(clearMocks);

it('says each command under the name that the shell knows', async () => {
  const engine = new NativeEngine();
  await engine.newCall();
  await engine.openLink('quartet://join');
  await engine.join('Ann', true);
  await engine.setPolicy('locked');
  await engine.answerKnock('a1', false);
  await engine.remove('a2');
  await engine.setMuted(true);
  await engine.setCameraOff(true);
  await engine.choose('microphone', 'tone');
  await engine.saveSettings(settings);
  await engine.copyLink();
  await engine.leave();
  await engine.goHome();
  expect(calls).toEqual([
    ['new_call', {}],
    ['open_link', { link: 'quartet://join' }],
    ['join', { name: 'Ann', askFirst: true }],
    ['set_policy', { policy: 'locked' }],
    ['answer_knock', { peer: 'a1', admit: false }],
    ['remove', { peer: 'a2' }],
    ['set_muted', { muted: true }],
    ['set_camera_off', { cameraOff: true }],
    ['choose', { kind: 'microphone', id: 'tone' }],
    ['save_settings', { settings }],
    ['copy_link', {}],
    ['leave', {}],
    ['go_home', {}],
  ]);
});

it('hands on what the shell refuses with', async () => {
  answer = () => Promise.reject({ code: 'invalid_link', message: 'no' });
  await expect(new NativeEngine().openLink('x')).rejects.toEqual({
    code: 'invalid_link',
    message: 'no',
  });
});

it('says how large a tile is, in the order of what else is said of it', async () => {
  const engine = new NativeEngine();
  engine.showTile('own', document.createElement('div'), vi.fn());
  await settle();
  engine.viewTile('own', 173);
  engine.viewTile('own', 0);
  await settle();
  expect(calls.slice(1)).toEqual([
    ['view_tile', { tile: 'own', height: 173 }],
    ['view_tile', { tile: 'own', height: 0 }],
  ]);
});

it('attaches a tile, and detaches it only after that is done', async () => {
  let attached = () => {};
  answer = (command) =>
    command === 'attach_tile' ? new Promise<void>((done) => (attached = done)) : undefined;
  const stop = new NativeEngine().showTile('own', document.createElement('div'), vi.fn());
  await settle();
  // No VideoDecoder here: the shell is asked to decode.
  expect(calls).toEqual([
    ['attach_tile', { tile: 'own', decoded: true, frames: expect.anything() }],
  ]);
  stop();
  await settle();
  expect(calls).toHaveLength(1);
  attached();
  await settle();
  expect(calls[1]).toEqual(['detach_tile', { tile: 'own' }]);
});

it('lets a new picture of a tile take over before the old one goes', async () => {
  const engine = new NativeEngine();
  const stopOld = engine.showTile('own', document.createElement('div'), vi.fn());
  await settle();
  const stopNew = engine.showTile('own', document.createElement('div'), vi.fn());
  await settle();
  stopOld();
  await settle();
  expect(calls.map(([command]) => command)).toEqual(['attach_tile', 'attach_tile']);
  stopNew();
  await settle();
  expect(calls.map(([command]) => command)).toEqual(['attach_tile', 'attach_tile', 'detach_tile']);
});
