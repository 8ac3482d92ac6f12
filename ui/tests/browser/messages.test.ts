// What servers and other people say, as the protocol page has it and as it must not be.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import * as limits from '../../src/engine/browser/core/limits';
import { readServerMessage } from '../../src/engine/browser/core/messages';
import { readPeerMessage } from '../../src/engine/browser/core/peer_message';

const ID = '1f0e3dad99908345';
const media = { muted: false, camera_off: true };
const read = (message: unknown) => readServerMessage(JSON.stringify(message));

describe('the protocol page', () => {
  const page = readFileSync('../docs/protocol.md', 'utf8');
  const server = page.slice(page.indexOf('## From the server'), page.indexOf('## Descriptions'));
  const blocks = [...server.matchAll(/```json\n([^`]*)```/g)].map((match) => match[1] ?? '');
  // Each object of a block begins at the beginning of a line.
  const examples = blocks.flatMap((block) => block.trim().split(/\n(?=\{)/));

  it('has examples', () => expect(examples.length).toBeGreaterThan(20));

  it.each(examples)('has %s, which is read', (example) => {
    const { type } = JSON.parse(example) as { type: string };
    expect(readServerMessage(example)).toMatchObject({ type });
  });
});

describe('a message of the server', () => {
  const description = { type: 'description', from: ID, epoch: 1, kind: 'offer', sdp: 'v=0' };
  const candidate = { type: 'candidate', from: ID, epoch: 1, candidate: { candidate: 'x' } };

  it.each([
    'nothing',
    '[]',
    'null',
    '7',
    '{}',
    '{"type":"teleport"}',
    '{"type":"__proto__"}',
    JSON.stringify({ ...description, epoch: -1 }),
    JSON.stringify({ ...description, epoch: 1.5 }),
    JSON.stringify({ ...description, epoch: limits.MAX_U32 + 1 }),
    JSON.stringify({ ...description, kind: 'rollback' }),
    JSON.stringify({ ...description, from: ID.toUpperCase() }),
    JSON.stringify({ ...description, from: `${ID}0` }),
    JSON.stringify({ ...description, sdp: null }),
    JSON.stringify({ ...description, proof: 'x' }),
    JSON.stringify({ ...description, proof: { word: 'x'.repeat(43), mac: 'A'.repeat(43) } }),
    JSON.stringify({ type: 'confirm', from: ID, epoch: 1 }),
    JSON.stringify({ type: 'peer_left', peer: ID, reason: 'pushed' }),
    JSON.stringify({ type: 'peer_media', peer: ID, media: { muted: 1, camera_off: false } }),
    JSON.stringify({ type: 'roster', peers: 'many' }),
  ])('like %s is not read', (text) => {
    expect(readServerMessage(text)).toBeNull();
  });

  it('may have fields that are not known', () => {
    expect(read({ ...description, later: [] })).toMatchObject({ sdp: 'v=0' });
  });

  it('has a description as long as allowed and not longer', () => {
    const sdp = 'x'.repeat(limits.MAX_SDP_BYTES);
    expect(read({ ...description, sdp })).not.toBeNull();
    expect(read({ ...description, sdp: `${sdp}x` })).toBeNull();
  });

  it('has candidates as long as allowed and not longer', () => {
    const text = 'x'.repeat(limits.MAX_CANDIDATE_BYTES);
    const of = (part: object) => read({ ...candidate, candidate: { candidate: '', ...part } });
    for (const field of ['candidate', 'sdpMid', 'usernameFragment']) {
      expect(of({ [field]: text })).not.toBeNull();
      expect(of({ [field]: `${text}x` })).toBeNull();
    }
    expect(of({ sdpMid: null, sdpMLineIndex: null })).toMatchObject({
      candidate: { candidate: '' },
    });
  });

  it('is as long as allowed and not longer', () => {
    const of = (bytes: number) => {
      const empty = JSON.stringify({ type: 'pong', x: '' });
      return JSON.stringify({ type: 'pong', x: 'x'.repeat(bytes - empty.length) });
    };
    expect(readServerMessage(of(limits.MAX_MESSAGE_BYTES))).toEqual({ type: 'pong' });
    expect(readServerMessage(of(limits.MAX_MESSAGE_BYTES + 1))).toBeNull();
  });

  it('brings no more STUN and TURN servers than are used', () => {
    const ice_servers = Array.from({ length: 50 }, () => ({
      urls: Array.from({ length: 50 }, () => 'stun:192.0.2.1'),
    }));
    const welcome = read({ type: 'welcome', you: ID, peers: [], ice_servers });
    expect(welcome).toHaveProperty('ice_servers.length', limits.MAX_ICE_SERVERS);
    expect(welcome).toHaveProperty('ice_servers.0.urls.length', limits.MAX_ICE_URLS);
  });

  it('clips names and explanations', () => {
    const name = '👋'.repeat(limits.MAX_NAME_CHARS + 1);
    const joined = read({ type: 'peer_joined', peer: { id: ID, name, media } });
    expect(joined).toHaveProperty('peer.name', '👋'.repeat(limits.MAX_NAME_CHARS));
    const refused = read({ type: 'error', code: 'new_code', message: 'x'.repeat(5000) });
    expect(refused).toHaveProperty('message.length', limits.MAX_EXPLANATION);
  });
});

describe('a message of another participant', () => {
  it('says how high a picture is shown', () => {
    for (const height of [0, 360, limits.MAX_VIEW]) {
      const text = JSON.stringify({ type: 'view', height, later: 1 });
      expect(readPeerMessage(text)).toEqual({ type: 'view', height });
    }
  });

  it.each([
    'x',
    'null',
    '{"type":"view"}',
    '{"type":"view","height":-1}',
    '{"type":"view","height":0.5}',
    '{"type":"view","height":"360"}',
    `{"type":"view","height":${limits.MAX_VIEW + 1}}`,
    '{"type":"later","height":1}',
    new ArrayBuffer(8),
    `{"type":"view","height":1}${' '.repeat(limits.MAX_PEER_MESSAGE_BYTES)}`,
  ])('like %s is ignored', (data) => {
    expect(readPeerMessage(data)).toBeNull();
  });

  it('is as long as allowed and not longer', () => {
    const text = '{"type":"view","height":1}';
    expect(readPeerMessage(text.padEnd(limits.MAX_PEER_MESSAGE_BYTES))).not.toBeNull();
    expect(readPeerMessage(text.padEnd(limits.MAX_PEER_MESSAGE_BYTES + 1))).toBeNull();
  });
});
