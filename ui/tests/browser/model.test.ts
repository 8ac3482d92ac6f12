import { beforeEach, expect, it } from 'vitest';

import { Model } from '../../src/engine/browser/core/model';
import type { PeerInfo } from '../../src/engine/browser/core/messages';

const link = { server: 'https://quartet.example', secret: 'AAECAwQFBgcICQoLDA0ODw' };
const media = { muted: false, camera_off: false };
const trust = { code: null, mark: 'unconfirmed' as const };
const ann: PeerInfo = { id: '000000000000000a', name: 'Ann', media };
const bob: PeerInfo = { id: '000000000000000b', name: 'Bob', media };

let model: Model;

beforeEach(() => {
  model = new Model();
  model.enterGreenRoom(link);
});

function join(): void {
  model.startJoining();
  model.apply({ type: 'joined', you: '0000000000000001', present: [ann] });
}

it('says who knocks, who waits, and who changed the door', () => {
  model.setWaiting([], 'knock');
  const door = () => model.view.room?.door;
  expect(door()?.policy).toBe('knock');
  model.startJoining();
  model.apply({ type: 'waiting' });
  expect(model.view.phase).toEqual({ at: 'waiting' });
  expect(model.isInCall).toBe(true);
  model.apply({ type: 'joined', you: '0000000000000001', present: [ann] });
  expect(door()).toEqual({ policy: 'open', by: null, knocking: [], removed: null });
  model.apply({ type: 'policy', policy: 'locked', by: ann.id });
  expect(door()).toMatchObject({ policy: 'locked', by: ann.id });
  model.apply({ type: 'policy', policy: 'knock', by: '0000000000000001' });
  expect(door()?.by).toBe('own');
  model.apply({ type: 'knock', peer: bob });
  expect(door()?.knocking).toEqual([{ id: bob.id, name: bob.name }]);
  model.apply({ type: 'knock_over', peer: bob.id });
  expect(door()?.knocking).toEqual([]);
  model.apply({ type: 'peer_removed', peer: ann.id, by: null });
  expect(door()?.removed).toEqual({ id: ann.id, by: null });
});

it('leads from the green room into the call, with those who are there', () => {
  model.setWaiting(['Ann'], 'open');
  expect(model.view.room).toMatchObject({ waiting: ['Ann'], server: 'quartet.example' });
  join();
  model.apply({ type: 'peer_joined', peer: ann });
  model.apply({ type: 'peer_connection', peer: ann.id, connection: 'connected' });
  model.apply({ type: 'peer_joined', peer: bob });
  model.apply({ type: 'peer_media', peer: bob.id, media: { muted: true, camera_off: true } });
  expect(model.view.phase).toEqual({ at: 'in_call', signalling_online: true });
  expect(model.view.room?.peers).toEqual([
    {
      id: ann.id,
      name: 'Ann',
      ...media,
      sharing: null,
      connection: 'connected',
      trust,
      volume: 100,
    },
    {
      id: bob.id,
      name: 'Bob',
      muted: true,
      camera_off: true,
      sharing: null,
      connection: 'connecting',
      trust,
      volume: 100,
    },
  ]);
  model.apply({ type: 'peer_left', peer: ann });
  expect(model.view.room?.peers.map(({ name }) => name)).toEqual(['Bob']);
});

it('keeps what was said of hands and volumes, also of somebody who comes back', () => {
  join();
  model.apply({ type: 'peer_joined', peer: ann });
  expect([model.setVolume(ann.id, 30), model.setVolume(bob.id, 30)]).toEqual([true, false]);
  model.apply({ type: 'peer_left', peer: ann });
  model.apply({ type: 'peer_joined', peer: ann });
  expect(model.view.room?.peers[0]?.volume).toBe(30);
  model.setHands([ann.id]);
  expect(model.view.room?.hands).toEqual([ann.id]);
  model.apply({ type: 'ended', end: { reason: 'left' } });
  expect(model.view.room?.hands).toEqual([]);
});

it('knows of a connection more than a new list does', () => {
  join();
  model.apply({ type: 'peer_connection', peer: ann.id, connection: 'connected' });
  model.apply({ type: 'peer_joined', peer: { ...ann, name: 'Anna' } });
  expect(model.view.room?.peers).toMatchObject([{ name: 'Anna', connection: 'connected' }]);
});

it('says why a call is over, and keeps the room to go back to', () => {
  model.startJoining();
  const end = { reason: 'refused', code: 'room_full', message: 'full' } as const;
  model.apply({ type: 'ended', end });
  const failure = { code: 'room_full', message: 'full' };
  expect(model.view.phase).toEqual({ at: 'left', failure });
  expect(model.view.room).toMatchObject({ peers: [], waiting: null });
});

it('is at home for somebody who went home before the end', () => {
  join();
  model.goHome();
  model.apply({ type: 'ended', end: { reason: 'left' } });
  expect(model.view).toMatchObject({ phase: { at: 'home' }, room: null });
});

it('joins from the green room only', () => {
  join();
  expect(model.startJoining()).toBe(false);
  model.goHome();
  expect(model.startJoining()).toBe(false);
});

it('tells the others of a missing device as of one that is switched off', () => {
  expect(model.media).toEqual({ muted: true, camera_off: true });
  model.setDevice('camera', { is: 'running' });
  model.setDevice('microphone', { is: 'running' });
  expect(model.media).toEqual({ muted: false, camera_off: false });
  model.setOwn({ muted: true, camera_off: false });
  model.setDevice('camera', { is: 'failed', code: 'missing', message: '' });
  expect(model.media).toEqual({ muted: true, camera_off: true });
});

it('hands on what the server refused in passing', () => {
  join();
  const error = { type: 'error', code: 'rate_limited', message: 'slow down' } as const;
  expect(model.apply(error)).toEqual({ code: 'rate_limited', message: 'slow down' });
  expect(model.view.phase.at).toBe('in_call');
});

it('knows who shares what, and tells what is shared here', () => {
  join();
  model.apply({ type: 'peer_joined', peer: ann });
  const sharing = () => model.view.room?.peers[0]?.sharing;
  model.apply({ type: 'peer_media', peer: ann.id, media: { ...media, sharing: 'window' } });
  expect(sharing()).toBe('window');
  model.apply({ type: 'peer_media', peer: ann.id, media });
  expect(sharing()).toBeNull();
  expect('sharing' in model.media).toBe(false);
  model.setSharing('screen');
  expect(model.media.sharing).toBe('screen');
  model.setOwn({ muted: true, camera_off: true });
  expect(model.media.sharing).toBe('screen');
});
