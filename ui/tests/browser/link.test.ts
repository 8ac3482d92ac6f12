// The test vectors of docs/protocol.md, and links from strangers.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { decodeId16, encodeId16, isId16 } from '../../src/engine/browser/core/base64url';
import * as limits from '../../src/engine/browser/core/limits';
import {
  appLink,
  authority,
  parseLink,
  webLink,
  webSocketAddress,
} from '../../src/engine/browser/core/link';
import { newId16, participantOf, roomOf } from '../../src/engine/browser/identity';

const SECRET = 'AAECAwQFBgcICQoLDA0ODw';
const link = { server: 'https://quartet.example', secret: SECRET };

describe('the test vectors of the protocol page', () => {
  const page = readFileSync('../docs/protocol.md', 'utf8');
  const vector = (what: string) =>
    new RegExp(`^\\| ${what} \\| \`(.*)\` \\|$`, 'm').exec(page)?.[1] ?? `no ${what}`;

  it('are what this page derives', async () => {
    expect(vector('secret')).toBe(SECRET);
    expect(await roomOf(SECRET)).toBe(vector('room'));
    expect(await participantOf(vector('session key'))).toBe(vector('participant'));
    expect(webLink(link)).toBe(vector('web link'));
    expect(appLink(link)).toBe(vector('app link'));
  });

  it.each([
    'ROOM_CAPACITY',
    'MAX_MESSAGE_BYTES',
    'MAX_SDP_BYTES',
    'MAX_CANDIDATE_BYTES',
    'MAX_NAME_CHARS',
    'MAX_LINK_BYTES',
    'MAX_PEER_MESSAGE_BYTES',
  ] as const)('name the limit %s', (name) => {
    expect(page).toContain(`| \`${name}\` | ${limits[name]} |`);
  });
});

describe('a link', () => {
  it('is read in both forms', () => {
    expect(parseLink(webLink(link))).toEqual(link);
    expect(parseLink(appLink(link))).toEqual(link);
    expect(parseLink(`  http://192.0.2.7:4780/j/#${SECRET}\n`)).toEqual({
      server: 'http://192.0.2.7:4780',
      secret: SECRET,
    });
  });

  it.each([
    '',
    'hello',
    `https://quartet.example/#${SECRET}`,
    `https://quartet.example/j?x=1#${SECRET}`,
    `https://sam:secret@quartet.example/j#${SECRET}`,
    `ftp://quartet.example/j#${SECRET}`,
    `javascript:alert(1)//j#${SECRET}`,
    'https://quartet.example/j',
    'https://quartet.example/j#AAECAwQFBgcICQoLDA0OD',
    // Bits that 16 bytes do not have.
    'https://quartet.example/j#AAECAwQFBgcICQoLDA0ODx',
    `quartet://join#${SECRET}`,
    `quartet://leave?server=https%3A%2F%2Fquartet.example#${SECRET}`,
    `quartet://join?server=javascript%3Aalert(1)#${SECRET}`,
    `quartet://join?server=https%3A%2F%2Fquartet.example%2Fpath#${SECRET}`,
    `quartet://join?server=https%3A%2F%2Fa.example&server=https%3A%2F%2Fb.example#${SECRET}`,
    `https://${'a'.repeat(limits.MAX_LINK_BYTES)}/j#${SECRET}`,
  ])('like %j is refused', (text) => {
    expect(parseLink(text)).toBeNull();
  });

  it('may be as long as allowed and not longer', () => {
    const fixed = webLink({ ...link, server: 'https://' }).length;
    const padded = `${'a'.repeat(60)}.`.repeat(8);
    const host = (length: number) => padded.slice(0, length - 1) + 'a';
    const of = (bytes: number) => webLink({ ...link, server: `https://${host(bytes - fixed)}` });
    expect(of(limits.MAX_LINK_BYTES)).toHaveLength(limits.MAX_LINK_BYTES);
    expect(parseLink(of(limits.MAX_LINK_BYTES))).not.toBeNull();
    expect(parseLink(of(limits.MAX_LINK_BYTES + 1))).toBeNull();
  });

  it('names its server and its signalling', () => {
    expect(authority('http://192.0.2.7:4780')).toBe('192.0.2.7:4780');
    expect(webSocketAddress('https://quartet.example')).toBe('wss://quartet.example/ws');
    expect(webSocketAddress('http://127.0.0.1:80')).toBe('ws://127.0.0.1:80/ws');
  });
});

describe('an identifier', () => {
  it('survives being written', () => {
    for (let i = 0; i < 50; i++) {
      const id = newId16();
      expect(isId16(id)).toBe(true);
      expect(encodeId16(decodeId16(id) ?? new Uint8Array())).toBe(id);
    }
  });

  it('is random', () => {
    expect(newId16()).not.toBe(newId16());
  });
});
