// The small rules of the guest's page: names, what is sent, what is kept, what is offered first.

import { describe, expect, it } from 'vitest';

import { preferredCodecs } from '../../src/engine/browser/codecs';
import { Allowance } from '../../src/engine/browser/core/allowance';
import { Backoff, SETTLED } from '../../src/engine/browser/core/backoff';
import { entrance } from '../../src/engine/browser/core/entrance';
import { usableIceServers } from '../../src/engine/browser/core/ice';
import { MAX_ICE_SERVERS, MAX_NAME_CHARS } from '../../src/engine/browser/core/limits';
import { displayableName } from '../../src/engine/browser/core/name';
import { sending, sendingAtAge } from '../../src/engine/browser/core/sending';
import { DEFAULTS, readSettings } from '../../src/engine/browser/core/settings';
import { choices, deviceFailure, idOf, standInFor } from '../../src/engine/browser/device_words';

describe('a name', () => {
  it('is taken without the white space around it, in any script', () => {
    for (const name of ['Ann', 'สมศรี', 'محمد', '👩‍👩‍👧‍👦', 'x'.repeat(MAX_NAME_CHARS)]) {
      expect(displayableName(` ${name}\n`)).toBe(name);
    }
    expect(displayableName('👋'.repeat(MAX_NAME_CHARS))).not.toBeNull();
  });

  it.each([
    '',
    '  ',
    'x'.repeat(MAX_NAME_CHARS + 1),
    'a\nb',
    'a\u0000b',
    '\u202eevil',
    'a\u2066b',
    'a\u200bb',
    'a\ufeffx',
    '\u3164',
    '\u200d\ufe0f\u2800',
    'a\u{e0041}',
  ])('like %j is refused', (name) => {
    expect(displayableName(name)).toBeNull();
  });
});

describe('what is sent', () => {
  it.each([
    // shown, others, source → lines, active
    [null, 1, 720, 720, true],
    [null, 2, 720, 360, true],
    [720, 1, 720, 720, true],
    [720, 2, 720, 360, true],
    [360, 1, 720, 360, true],
    [480, 1, 720, 360, true],
    [481, 1, 720, 720, true],
    [241, 3, 720, 360, true],
    [240, 3, 720, 180, true],
    [65_535, 1, 480, 480, true],
    [0, 1, 720, 180, false],
  ])(
    'for %s pixels, %i others and a camera of %i is %i lines',
    (shown, others, source, lines, on) => {
      const { active, scaleResolutionDownBy, maxBitrate } = sending(shown, others, source);
      expect(source / scaleResolutionDownBy).toBe(lines);
      expect(active).toBe(on);
      if (others > 1) expect(maxBitrate).toBeLessThanOrEqual(500_000);
    },
  );

  it('is never enlarged, also without a known camera', () => {
    expect(sending(720, 1, 0).scaleResolutionDownBy).toBe(1);
  });

  it('begins small and grows', () => {
    const lines = (age: number | null) =>
      720 / sendingAtAge(sending(720, 1, 720), 720, age).scaleResolutionDownBy;
    expect([null, 0, 999, 1_000, 3_999, 4_000].map(lines)).toEqual([180, 180, 180, 360, 360, 720]);
    const small = sending(100, 1, 720);
    expect(sendingAtAge(small, 720, 1_000)).toEqual(small);
  });
});

describe('what is kept', () => {
  it('is read back', () => {
    const settings = {
      ...DEFAULTS,
      name: 'สมศรี',
      language: 'th' as const,
      camera: `camera:${'0f'.repeat(32)}`,
      start_muted: true,
      ice_servers: [{ url: 'turn:turn.example.org', username: 'sam', credential: 'secret' }],
    };
    expect(readSettings(JSON.stringify(settings))).toEqual(settings);
  });

  it.each([
    null,
    '',
    'x',
    '[]',
    'null',
    '"x"',
    '{"name":7,"language":"xx","start_muted":"yes","ice_servers":{},"camera":[]}',
    `{"camera":"${'x'.repeat(10_000)}"}`,
    '{"ice_servers":[null,7,{"url":1,"username":"","credential":""}]}',
  ])('as %s is as at first', (kept) => {
    expect(readSettings(kept)).toEqual(DEFAULTS);
  });
});

describe('STUN and TURN servers', () => {
  it('are taken in the form that browsers take, the own ones first', () => {
    const own = [{ url: 'turn:own.example:3478?transport=tcp', username: 'a', credential: 'b' }];
    const theirs = [
      { urls: ['stun:s.example', 'turns:t.example'], username: 'c', credential: 'd' },
    ];
    expect(usableIceServers(own, theirs)).toEqual([
      { urls: [own[0]?.url], username: 'a', credential: 'b' },
      theirs[0],
    ]);
  });

  it('that a browser would refuse are left out', () => {
    const theirs = [
      { urls: ['http://evil.example', 'stun:'] },
      { urls: ['turn:no.credential'] },
      { urls: ['turn:no.credential', 'stun:s.example'] },
    ];
    expect(usableIceServers([], theirs)).toEqual([{ urls: ['stun:s.example'] }]);
  });

  it('are no more than are worth it', () => {
    const many = Array.from({ length: 30 }, () => ({ urls: ['stun:s.example'] }));
    expect(usableIceServers([], many)).toHaveLength(MAX_ICE_SERVERS);
  });
});

describe('the entrance', () => {
  const link = 'https://quartet.example/j#AAECAwQFBgcICQoLDA0ODw';
  const app = 'quartet://join?server=https%3A%2F%2Fquartet.example#AAECAwQFBgcICQoLDA0ODw';
  const usual = { href: link, secure: true, capable: true, remembered: false };

  it.each([
    ['offers the app with a link', {}, { at: 'choice', app }],
    ['goes on where the browser was chosen before', { remembered: true }, { at: 'open' }],
    ['is no question at home', { href: 'https://quartet.example/' }, { at: 'open' }],
    ['leaves a broken link to the page', { href: `${link}x` }, { at: 'open' }],
    ['offers the app alone on an insecure page', { secure: false }, { at: 'insecure', app }],
    [
      'says so there too when the browser was chosen before',
      { secure: false, remembered: true },
      { at: 'insecure', app },
    ],
    [
      'has nothing to offer on an insecure page without a link',
      { secure: false, href: 'http://192.0.2.7:4780/' },
      { at: 'insecure', app: null },
    ],
    ['offers the app alone in an old browser', { capable: false }, { at: 'too_old', app }],
  ])('%s', (_, part, expected) => {
    expect(entrance({ ...usual, ...part })).toEqual(expected);
  });
});

describe('codecs', () => {
  const codec = (mimeType: string) => ({ mimeType });
  const all = ['audio/opus', 'audio/red', 'audio/PCMU', 'video/H264', 'video/rtx', 'video/VP8'];
  it('are first Opus with copies and VP8 with retransmissions, and none is left out', () => {
    const of = (part: string) => {
      const codecs = all.filter((type) => type.startsWith(part)).map(codec);
      return preferredCodecs(part as 'audio' | 'video', codecs).map(({ mimeType }) => mimeType);
    };
    expect(of('audio')).toEqual(['audio/red', 'audio/opus', 'audio/PCMU']);
    expect(of('video')).toEqual(['video/VP8', 'video/rtx', 'video/H264']);
  });
});

describe('devices', () => {
  const device = (kind: string, deviceId: string, label: string) =>
    ({ kind, deviceId, label, groupId: '' }) as MediaDeviceInfo;

  it('are listed once, with the choice of the system and without its aliases', () => {
    const found = [
      device('audioinput', 'default', 'Default - USB'),
      device('audioinput', 'abc', 'USB'),
      device('videoinput', '', ''),
      device('audiooutput', 'def', 'HDMI'),
      device('audiooutput', 'def', 'HDMI'),
    ];
    const ids = (kind: 'camera' | 'microphone' | 'speaker') =>
      choices(kind, found, null).map(({ id }) => id);
    expect(ids('camera')).toEqual(['camera', 'none']);
    expect(ids('microphone')).toEqual(['mic', 'mic:abc', 'none']);
    expect(ids('speaker')).toEqual(['speaker', 'speaker:def', 'none']);
    const absent = { id: 'camera:gone', label: 'Integrated Camera' };
    expect(choices('camera', found, absent)[1]).toEqual(absent);
    expect(choices('microphone', found, { id: 'mic:abc', label: 'old' })).toHaveLength(3);
    expect(['mic', 'mic:abc', 'mic:a:b'].map(idOf)).toEqual([null, 'abc', 'a:b']);
  });

  it.each([
    ['NotAllowedError', 'Permission denied', 'blocked'],
    ['NotAllowedError', 'Permission denied by system', 'denied'],
    ['NotFoundError', '', 'missing'],
    ['OverconstrainedError', '', 'missing'],
    ['NotReadableError', '', 'busy'],
    ['TypeError', '', 'failed'],
  ])('that fail with %s (%s) are said to be %s', (name, message, code) => {
    expect(deviceFailure(Object.assign(new Error(message), { name }))).toMatchObject({ code });
  });
});

describe('tries', () => {
  it('wait longer and longer, each up to a half less, and begin again after success', () => {
    const backoff = new Backoff('somebody');
    for (const longest of [500, 1000, 2000, 4000, 8000, 8000]) {
      const delay = backoff.delayAfter(0);
      expect(delay).toBeGreaterThanOrEqual(longest / 2);
      expect(delay).toBeLessThanOrEqual(longest);
    }
    expect(backoff.delayAfter(SETTLED - 1)).toBeGreaterThanOrEqual(4000);
    expect(backoff.delayAfter(SETTLED)).toBeLessThanOrEqual(500);
  });

  it('of several participants spread out, and each repeats itself', () => {
    const delays = (who: string) => {
      const backoff = new Backoff(who);
      return [1, 2, 3].map(() => backoff.delayAfter(0));
    };
    expect(delays('a')).toEqual(delays('a'));
    expect(delays('a')).not.toEqual(delays('b'));
  });

  it('of strangers are allowed in a burst, then one each interval', () => {
    const allowance = new Allowance(3, 1000);
    const taken = (now: number) =>
      Array.from({ length: 10 }, () => allowance.take(now)).filter(Boolean);
    expect([0, 500, 1500, 2000, 100_000].map((now) => taken(now).length)).toEqual([3, 0, 1, 1, 3]);
  });
});

describe('for a chosen device that is not there', () => {
  const device = (deviceId: string, kind = 'audioinput') =>
    ({ deviceId, kind, label: deviceId && `Device ${deviceId}` }) as MediaDeviceInfo;

  it.each([
    ['mic:usb', [device('pci')], 'mic'],
    ['mic:usb', [device('pci'), device('usb')], null],
    // Nothing is known before the person has allowed it, and of other kinds nothing follows.
    ['mic:usb', [device('')], null],
    ['mic:usb', [], null],
    ['mic:usb', [device('pci', 'audiooutput')], null],
    ['mic', [device('pci')], null],
    ['none', [device('pci')], null],
  ])('(%s) the system’s own stands in', (chosen, found, standIn) => {
    expect(standInFor('microphone', chosen, found)).toBe(standIn);
  });
});
