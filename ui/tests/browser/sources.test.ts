// The own devices, in front of a browser that gives, refuses and takes them away.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Sources } from '../../src/engine/browser/sources';

class FakeTrack {
  contentHint = '';
  onended: (() => void) | null = null;
  readonly stop = vi.fn();
  constructor(readonly kind: 'audio' | 'video') {}
}

const chosen = { camera: 'camera', microphone: 'mic', process_voice: true };
/** What a wish for devices brings: an error's name, or the devices. */
let answers: (constraints: MediaStreamConstraints) => string | null | Promise<null>;
let asked: MediaStreamConstraints[];
let given: FakeTrack[];
let states: Record<string, string>;
let tracks: Record<string, unknown>;

beforeEach(() => {
  answers = () => null;
  asked = [];
  given = [];
  states = {};
  tracks = {};
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
});

afterEach(() => vi.unstubAllGlobals());

async function getUserMedia(constraints: MediaStreamConstraints) {
  asked.push(constraints);
  const name = await answers(constraints);
  if (name) throw Object.assign(new Error(name), { name });
  const kinds = (['audio', 'video'] as const).filter((kind) => constraints[kind]);
  const stream = kinds.map((kind) => new FakeTrack(kind));
  given.push(...stream);
  return { getTracks: () => stream };
}

function sources(): Sources {
  return new Sources((kind, state, track) => {
    states[kind] = state.is === 'failed' ? state.code : state.is;
    tracks[kind] = track;
  });
}

describe('devices', () => {
  it('are asked for together', async () => {
    await sources().open(chosen, false);
    expect(asked).toHaveLength(1);
    expect(states).toEqual({ camera: 'running', microphone: 'running' });
  });

  it('come one without the other', async () => {
    answers = ({ video }) => (video ? 'NotFoundError' : null);
    await sources().open(chosen, false);
    expect(states).toEqual({ camera: 'missing', microphone: 'running' });
    expect(asked).toHaveLength(3);
  });

  it('may both be refused, or not be wanted', async () => {
    answers = () => 'NotAllowedError';
    await sources().open(chosen, false);
    expect(states).toEqual({ camera: 'blocked', microphone: 'blocked' });
    asked = [];
    await sources().open({ ...chosen, camera: 'none', microphone: 'none' }, false);
    expect(states).toEqual({ camera: 'none', microphone: 'none' });
    expect(asked).toEqual([]);
  });

  it('are those that were chosen', async () => {
    await sources().open({ ...chosen, camera: 'camera:abc', process_voice: false }, false);
    expect(asked[0]).toMatchObject({ video: { deviceId: { exact: 'abc' } } });
    expect(asked[1]).toMatchObject({ audio: { echoCancellation: false } });
  });

  it('that are off are closed, and opened again', async () => {
    const devices = sources();
    await devices.open(chosen, false);
    await devices.change(chosen, true);
    expect(states['camera']).toBe('none');
    expect(given.find(({ kind }) => kind === 'video')?.stop).toHaveBeenCalled();
    expect(given.find(({ kind }) => kind === 'audio')?.stop).not.toHaveBeenCalled();
    await devices.change(chosen, false);
    expect(states['camera']).toBe('running');
  });

  it('that are unplugged are missed, and tried again when others are there', async () => {
    const devices = sources();
    await devices.open(chosen, false);
    given.find(({ kind }) => kind === 'audio')?.onended?.();
    expect(states).toEqual({ camera: 'running', microphone: 'missing' });
    expect(tracks['microphone']).toBeNull();
    await devices.retry();
    expect(states['microphone']).toBe('running');
    expect(asked.at(-1)).not.toHaveProperty('video');
  });

  it('that come too late are closed at once', async () => {
    let give = () => {};
    answers = () => new Promise<null>((resolve) => (give = () => resolve(null)));
    const devices = sources();
    const opening = devices.open(chosen, false);
    devices.close();
    give();
    await opening;
    expect(given).toHaveLength(2);
    for (const track of given) expect(track.stop).toHaveBeenCalled();
    expect(states).toEqual({ camera: 'none', microphone: 'none' });
    expect(tracks).toEqual({ camera: null, microphone: null });
  });
});
