/// <reference types="node" />
import { readFileSync } from 'node:fs';

import { beforeEach, describe, expect, it } from 'vitest';

import { decodeId32, encodeBytes } from '../../src/engine/browser/core/base64url';
import type { ServerMessage } from '../../src/engine/browser/core/messages';
import type { Trust } from '../../src/engine/browser/core/pair_trust';
import {
  codeOf,
  commitment,
  fingerprintOf,
  isProven,
  prove,
  type Statement,
} from '../../src/engine/browser/core/trust';
import { authKeyOf } from '../../src/engine/browser/identity';
import { EMOJI } from '../../src/i18n/emoji';
import { World, type Person } from './network';

const PAGE = readFileSync('../docs/protocol.md', 'utf8');
const [A, B] = ['000000000000000a', '000000000000000b'];

/** The first two columns of the table after a line. */
function rowsUnder(line: string): Record<string, string> {
  const after = PAGE.slice(PAGE.indexOf(`\n${line}\n`) + line.length + 2);
  const lines = after.split('\n');
  const start = lines.findIndex((text) => text.startsWith('|'));
  const length = lines.slice(start).findIndex((text) => !text.startsWith('|'));
  const rows = lines.slice(start + 2, start + length);
  return Object.fromEntries(
    rows.map((row) =>
      row
        .split('|')
        .slice(1, 3)
        .map((cell) => cell.trim().replaceAll('`', '')),
    ),
  ) as Record<string, string>;
}

describe('the protocol page', () => {
  const vector = rowsUnder('Test vector of a pair:');
  const of = (name: string) => vector[name] ?? '';
  const sdp = (certificate: string) => `v=0\r\na=fingerprint:sha-256 ${certificate}\r\n`;

  it('has test vectors that are true here too', async () => {
    const key = await authKeyOf(of('secret'));
    expect(encodeBytes(key)).toBe(of('authentication key'));
    const offer = sdp(of('certificate of the offerer'));
    const answer = sdp(of('certificate of the answerer'));
    const [own, other] = [fingerprintOf(offer)!, fingerprintOf(answer)!];
    const nonces = [of('nonce of the offerer'), of('nonce of the answerer')];
    const [first, second] = nonces.map((nonce) => decodeId32(nonce)!);
    const [from, to] = [of('offerer'), of('answerer')];
    const epoch = 1;
    expect(commitment(first!)).toBe(of('word of the offer'));
    const offered: Statement = {
      about: 'offer',
      ...{ epoch, from, to, own, other: null, replyTo: null, sdp: offer },
    };
    expect(prove(key, offered, of('word of the offer')).mac).toBe(of('mac of the offer'));
    const answered: Statement = {
      about: 'answer',
      ...{ epoch, from: to, to: from, own: other, other: own },
      ...{ replyTo: of('mac of the offer'), sdp: answer },
    };
    expect(prove(key, answered, nonces[1]!).mac).toBe(of('mac of the answer'));
    const confirmed: Statement = {
      about: 'confirm',
      ...{ epoch, from, to, own, other, replyTo: nonces[1]!, sdp: null },
    };
    expect(prove(key, confirmed, nonces[0]!).mac).toBe(of('mac of the confirm'));
    const code = codeOf(
      { id: from, fingerprint: own, nonce: first! },
      { id: to, fingerprint: other, nonce: second! },
    );
    expect(code.map((place) => EMOJI[place]![1].en).join(', ')).toBe(of('code'));
  });

  it('has the same emoji, with the same names', () => {
    const listed = [...PAGE.matchAll(/^(\d+) (\S+) ([\w ]+)$/gmu)].map(([, , emoji, name]) => [
      emoji,
      name,
    ]);
    expect(listed).toEqual(EMOJI.map(([emoji, names]) => [emoji, names.en]));
  });
});

it('every emoji has a name of its own in each language', () => {
  for (const language of ['en', 'th'] as const) {
    expect(new Set(EMOJI.map(([, names]) => names[language])).size).toBe(64);
  }
});

describe('a proof', () => {
  const key = new Uint8Array(32).fill(1);
  const word = encodeBytes(new Uint8Array(32).fill(9));
  const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const said: Statement = {
    about: 'answer',
    ...{ epoch: 7, from: A!, to: B!, own: one, other: two, replyTo: word, sdp: 'v=0' },
  };
  const proof = prove(key, said, word);

  it('holds for what it says', () => {
    expect(isProven(key, said, proof)).toBe(true);
  });

  it.each<[string, Partial<Statement>]>([
    ['kind', { about: 'offer' }],
    ['epoch', { epoch: 8 }],
    ['direction', { from: B!, to: A! }],
    ['certificate', { own: two }],
    ['other certificate', { other: null }],
    ['offer', { replyTo: null }],
    ['text', { sdp: 'v=0\r\n' }],
  ])('does not hold for another %s', (_, part) => {
    expect(isProven(key, { ...said, ...part }, proof)).toBe(false);
  });

  it('does not hold in another room, or when a bit of it is wrong', () => {
    expect(isProven(two, said, proof)).toBe(false);
    const mac = decodeId32(proof.mac)!;
    for (let bit = 0; bit < 256; bit++) {
      const wrong = mac.map((byte, place) => (place === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(isProven(key, said, { word, mac: encodeBytes(wrong) })).toBe(false);
    }
    expect(isProven(key, said, { word, mac: '' })).toBe(false);
  });
});

describe('the certificate of a description', () => {
  const hex = (byte: string) => Array.from({ length: 32 }, () => byte).join(':');
  const line = (byte: string) => `a=fingerprint:sha-256 ${hex(byte)}\r\n`;

  it('is found once or in every section', () => {
    const found = new Uint8Array(32).fill(0xab);
    expect(fingerprintOf(`v=0\r\n${line('AB')}m=audio\r\n`)).toEqual(found);
    expect(fingerprintOf(`v=0\n${line('ab')}m=audio\n${line('AB')}`)).toEqual(found);
  });

  it.each([
    '',
    line('02'),
    `a=fingerprint:sha-1 ${hex('02').slice(0, 59)}\r\n`,
    `a=fingerprint:SHA-256 ${hex('01')}\r\n`,
    ` a=fingerprint:sha-256 ${hex('01')}\r\n`,
    `a=x\ra=fingerprint:sha-256 ${hex('02')}\r\n`,
    `a=fingerprint:sha-256 ${hex('01')} \r\n`,
    `a=fingerprint:sha-256 ${hex('01')}:01\r\n`,
    's=a fingerprint\r\n',
  ])('is refused where two readers could find two (%j)', (more) => {
    expect(fingerprintOf(more === '' ? 'v=0\r\n' : `v=0\r\n${line('01')}${more}`)).toBeNull();
  });
});

describe('a pair', () => {
  let world: World;
  let ann: Person;
  let bob: Person;

  const trustOf = (person: Person): Trust | undefined => {
    const said = person.events.filter((event) => event.type === 'peer_trust');
    return said.at(-1)?.trust;
  };

  beforeEach(() => {
    world = new World();
    ann = world.person(A!);
    bob = world.person(B!);
  });

  /** Changes what the server passes on to somebody. */
  function corrupt(who: Person, change: (message: ServerMessage) => ServerMessage | null): void {
    const hear = who.hear.bind(who);
    who.hear = (message) => {
      const changed = change(message);
      if (changed) hear(changed);
    };
  }

  it('sees one code, which stays over a reconnect', () => {
    world.run(1000);
    const first = trustOf(ann);
    expect(first?.code).toHaveLength(4);
    expect(trustOf(bob)).toEqual(first);
    ann.linkSays(B!, { type: 'broken' });
    bob.linkSays(A!, { type: 'broken' });
    world.run(10_000);
    expect(ann.connections()).toEqual({ [B!]: 'connected' });
    expect([trustOf(ann), trustOf(bob)]).toEqual([first, first]);
  });

  it('keeps its mark as long as the certificate is the same, and warns after that', () => {
    world.run(1000);
    const { code } = trustOf(ann)!;
    ann.tell({ type: 'confirm_code', peer: B!, code: [0, 0, 0, 0], matches: true });
    expect(trustOf(ann)?.mark).toBe('unconfirmed');
    ann.tell({ type: 'confirm_code', peer: B!, code: code!, matches: true });
    expect(trustOf(ann)?.mark).toBe('confirmed');
    bob.certificate = 'another one';
    bob.linkSays(A!, { type: 'broken' });
    world.run(20_000);
    expect(ann.connections()).toEqual({ [B!]: 'connected' });
    expect(trustOf(ann)).toMatchObject({ mark: 'changed', code: trustOf(bob)?.code });
    expect(trustOf(ann)?.code).not.toEqual(code);
  });

  it('is not taken over by somebody else with the link behind a closed door', () => {
    world.run(1000);
    ann.tell({ type: 'policy', policy: 'locked' });
    world.run(1000);
    const before = ann.events.length;
    bob.certificate = 'of somebody whom the server sends in his place';
    bob.linkSays(A!, { type: 'broken' });
    world.run(60_000);
    const states = ann.events.slice(before).filter((event) => event.type === 'peer_connection');
    expect(states.map((it) => it.connection)).toContain('untrusted');
    expect(states.map((it) => it.connection)).not.toContain('connected');
  });

  it.each<[string, (message: ServerMessage) => ServerMessage | null]>([
    ['takes proofs away', (it) => (it.type === 'description' ? { ...it, proof: null } : it)],
    [
      'swaps certificates',
      (it) =>
        it.type === 'description' ? { ...it, sdp: it.sdp.replace(/[0-9a-f]{2}:/, '00:') } : it,
    ],
    ['changes the text', (it) => (it.type === 'description' ? { ...it, sdp: `${it.sdp} ` } : it)],
    [
      'changes the epoch',
      (it) => (it.type === 'description' ? { ...it, epoch: it.epoch + 1 } : it),
    ],
    ['keeps what confirms', (it) => (it.type === 'confirm' ? null : it)],
    [
      'forges what confirms',
      (it) => (it.type === 'confirm' ? { ...it, proof: { ...it.proof, mac: it.proof.word } } : it),
    ],
  ])('is never connected by a server that %s, and gives up', (_, change) => {
    corrupt(bob, change);
    world.run(120_000);
    expect(bob.connections()[A!]).not.toBe('connected');
    const opened = bob.opened;
    world.run(300_000);
    expect(bob.opened - opened).toBeLessThan(60);
    expect(bob.events.some((event) => JSON.stringify(event).includes('"connected"'))).toBe(false);
  });

  it('says so in a plain state when the other one has another link', () => {
    // The one with the lower id offers.
    const eve = world.person('0000000000000001', 'Eve', 'another secret');
    world.run(60_000);
    expect(ann.connections()).toEqual({ [B!]: 'connected', [eve.id]: 'untrusted' });
    expect(bob.connections()).toEqual({ [A!]: 'connected', [eve.id]: 'untrusted' });
    // Nobody answers her.
    expect(eve.connections()).toEqual({ [A!]: 'failed', [B!]: 'failed' });
    expect(ann.links.has(eve.id)).toBe(false);
    const [opened, said] = [ann.opened, ann.sent.length];
    world.run(600_000);
    expect(ann.opened).toBe(opened);
    expect(ann.sent.slice(said).every(({ type }) => type === 'ping')).toBe(true);
  });
});
