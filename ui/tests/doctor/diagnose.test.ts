import { describe, expect, it } from 'vitest';

import type { PeerFigures, PictureFigures } from '../../src/bindings';
import { diagnose, type Cause } from '../../src/doctor/diagnose';
import { findingText } from '../../src/doctor/words';
import { translator } from '../../src/i18n/translate';
import { view } from '../fake_engine';
import { call, type Fault } from './call';

const small: PictureFigures = { width: 320, height: 180, fps: 30, kbps: 150 };
const nothing: PictureFigures = { width: 0, height: 0, fps: 0, kbps: 0 };
const theirs = (limited_by: 'bandwidth' | 'cpu' | 'view', busy = false) => ({
  condition: { limited_by, busy },
});
const failed = { is: 'failed', code: 'missing', message: '' } as const;
const me = view().me;

/** From second 10 on. */
const later = (part: Partial<PeerFigures>) => (second: number) => (second < 10 ? {} : part);

const faults: [string, Cause, Fault][] = [
  [
    'a thin line of one of two others',
    'upload_full_there',
    { first: later({ picture_in: small, ...theirs('bandwidth') }) },
  ],
  [
    'a thin line of one of two others, for what goes there',
    'download_full_there',
    { first: later({ picture_out: small, limited_by: 'bandwidth', estimate_kbps: 250 }) },
  ],
  [
    'a thin own line, downwards',
    'download_full',
    { all: later({ picture_in: small, rtt_ms: 260, ...theirs('bandwidth') }) },
  ],
  [
    'a thin own line, upwards, that drops what it cannot carry',
    'upload_full',
    { all: later({ picture_out: small, limited_by: 'bandwidth', rtt_ms: 300, loss_out: 0.08 }) },
  ],
  [
    'a thin line between two',
    'way_in_full',
    { people: 1, all: later({ picture_in: small, ...theirs('bandwidth') }) },
  ],
  [
    'a thin line between two, for what goes out',
    'way_out_full',
    { people: 1, all: later({ picture_out: small, limited_by: 'bandwidth' }) },
  ],
  ['a bad radio here', 'lossy_here', { all: later({ loss_in: 0.06, loss_out: 0.05 }) }],
  [
    'a bad radio here, so bad that pictures are smaller',
    'lossy_here',
    { all: later({ loss_in: 0.15, loss_out: 0.15, limited_by: 'bandwidth' }) },
  ],
  ['a bad radio there', 'lossy_there', { first: later({ loss_in: 0.1 }) }],
  ['loss between two', 'lossy_way', { people: 1, all: later({ loss_out: 0.2 }) }],
  ['a backup that fills the own line', 'queue_here', { all: later({ rtt_ms: 700 }) }],
  ['a backup that fills the line there', 'queue_there', { first: later({ rtt_ms: 500 }) }],
  ['bursts of a crowded radio', 'jitter_here', { all: later({ voice_delay_ms: 280 }) }],
  ['bursts of a crowded radio there', 'jitter_there', { first: later({ voice_delay_ms: 280 }) }],
  ['a long way', 'far', { first: () => ({ rtt_ms: 320 }) }],
  [
    'a relay on another continent',
    'far_relay',
    {
      first: () => ({ rtt_ms: 380, path: { local: 'relay', remote: 'srflx', by_stream: false } }),
    },
  ],
  [
    'a busy computer',
    'busy_here',
    { view: { me: { ...me, busy: true } }, all: later(theirs('view')) },
  ],
  [
    'a busy computer there',
    'busy_there',
    { first: later({ picture_in: small, ...theirs('cpu') }) },
  ],
  ['a microphone pulled out', 'microphone', { view: { me: { ...me, microphone: failed } } }],
  ['a microphone with its switch off', 'silent_microphone', { silentFor: 12 }],
  ['a speaker pulled out', 'speaker', { view: { me: { ...me, speaker: failed } } }],
  ['a camera pulled out', 'camera', { view: { me: { ...me, camera: failed } } }],
  ['a camera there that hangs', 'no_picture', { first: later({ picture_in: nothing }) }],
  ['a microphone there that hangs', 'no_voice', { first: later({ voice_in_kbps: 0 }) }],
  [
    'a cable pulled out',
    'network_lost',
    {
      people: 1,
      peer: { connection: 'reconnecting' },
      view: { phase: { at: 'in_call', signalling_online: false } },
    },
  ],
  ['a path that broke', 'path_lost', { peer: { connection: 'reconnecting' } }],
  ['two closed networks', 'no_path', { peer: { connection: 'failed' } }],
  [
    'two closed networks and no relay although only a relay may be used',
    'no_relay',
    { peer: { connection: 'failed' }, relayOnly: true },
  ],
  ['a liar in between', 'untrusted', { peer: { connection: 'untrusted' } }],
  [
    'a dead server',
    'server_away',
    { view: { phase: { at: 'in_call', signalling_online: false } } },
  ],
  [
    'a firewall against UDP',
    'udp_blocked',
    { all: () => ({ path: { local: 'relay', remote: 'relay', by_stream: true } }) },
  ],
];

describe('the doctor', () => {
  it.each(faults)('names %s: %s', (_, cause, fault) => {
    const wrong = Array.from({ length: 20 }, (_, seed) => diagnose(call(fault, seed))[0]?.cause);
    expect(wrong).toEqual(wrong.map(() => cause));
  });

  it('finds nothing wrong with a good call, and says so', () => {
    for (let seed = 0; seed < 50; seed++) {
      expect(diagnose(call({}, seed)).map(({ cause }) => cause)).toEqual(['good']);
    }
  });

  it('says that all is well before what only explains', () => {
    const relayed = { path: { local: 'relay', remote: 'host', by_stream: false } };
    const causes = (fault: Fault) => diagnose(call(fault)).map(({ cause }) => cause);
    expect(causes({ first: () => relayed })).toEqual(['good', 'relayed']);
    expect(causes({ relayOnly: true, all: () => relayed })).toEqual(['good', 'relay_chosen']);
    expect(causes({ first: () => theirs('view') })).toEqual(['good', 'small_window']);
  });

  it('does not judge the first seconds', () => {
    const [first] = diagnose(call({ seconds: 2, all: () => ({ loss_in: 0.5 }) }));
    expect(first?.cause).toBe('too_early');
    expect(diagnose(call({ seconds: 0 }))[0]?.cause).toBe('too_early');
    expect(diagnose(call({ people: 0 }))[0]?.cause).toBe('alone');
  });

  it('goes back to «all is well» when it is over', () => {
    const over = (second: number) => (second < 20 ? { loss_in: 0.2 } : {});
    expect(diagnose(call({ all: over }))[0]?.cause).toBe('good');
  });

  it('expects neither a picture of a camera that is off nor a voice of somebody muted', () => {
    const silent = later({ picture_in: nothing, voice_in_kbps: 0 });
    const off = call({ first: silent, peer: { muted: true, camera_off: true } });
    expect(diagnose(off)[0]?.cause).toBe('good');
  });

  it('has words for every cause in every language, with the name and the size in them', () => {
    for (const code of ['en', 'th'] as const) {
      for (const [, cause, fault] of faults) {
        const [finding] = diagnose(call(fault));
        if (!finding) throw new Error(cause);
        const text = findingText(translator(code), finding);
        if (finding.peer !== null) expect(text).toContain('Person 0');
        if (cause.includes('full')) expect(text).toContain('180p');
        expect(text).not.toMatch(/[{}]/);
      }
    }
  });
});
