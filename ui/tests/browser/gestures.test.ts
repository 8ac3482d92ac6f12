// Raised hands and reactions, as a guest's page takes part in them: the same rules as in Rust.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { Gestures } from '../../src/engine/browser/core/gestures';
import * as limits from '../../src/engine/browser/core/limits';
import {
  readPeerMessage,
  type HandWord,
  type ReactionWord,
} from '../../src/engine/browser/core/peer_message';

const [ANN, OWN, BO] = ['0000000000000001', '0000000000000005', '0000000000000009'] as const;
const hand = (raised: number): HandWord => ({ type: 'hand', raised });
const clap = (count: number): ReactionWord => ({ type: 'reaction', count, kind: 'clap' });

function gestures(): Gestures {
  const it = new Gestures(OWN);
  it.joined(ANN);
  it.joined(BO);
  return it;
}

describe('hands', () => {
  it('are in the order in which they were raised', () => {
    const it = gestures();
    expect(it.greeting()).toBeNull();
    expect(it.heardHand(BO, hand(1))).toBe(true);
    expect(it.raise(true)).toEqual(hand(2));
    expect(it.raise(true)).toBeNull();
    // At the same moment as the own one: the id decides, for all.
    expect(it.heardHand(ANN, hand(2))).toBe(true);
    expect(it.hands()).toEqual([BO, ANN, OWN]);
    expect(it.heardHand(ANN, hand(2))).toBe(false);
    expect(it.heardHand(BO, hand(0))).toBe(true);
    expect(it.heardHand(BO, hand(0))).toBe(false);
    expect(it.raise(false)).toEqual(hand(0));
    expect(it.hands()).toEqual([ANN]);
    // Who missed its end learns it.
    expect(it.greeting()).toEqual(hand(0));
  });

  it('of somebody who leaves are down', () => {
    const it = gestures();
    it.heardHand(ANN, hand(limits.MAX_U32));
    expect(it.raise(true)).toEqual(hand(limits.MAX_U32));
    expect([it.left(ANN), it.left(BO)]).toEqual([true, false]);
    expect(it.heardHand(ANN, hand(3))).toBe(false);
    expect(it.hands()).toEqual([OWN]);
  });
});

describe('a reaction', () => {
  it('is seen once', () => {
    const it = gestures();
    const seen = [3, 3, 2, 4].map((count) => it.heardReaction(0, ANN, clap(count)));
    expect(seen).toEqual([true, false, false, true]);
    expect(it.heardReaction(0, BO, clap(1))).toBe(true);
    expect(it.heardReaction(0, '00000000000000ff', clap(1))).toBe(false);
  });

  it('is neither sent nor shown more often than allowed', () => {
    const it = gestures();
    let count = 0;
    const { REACTION_BURST, REACTIONS_PER_SECOND, REACTION_BURST_HEARD } = limits;
    for (const [at, sent, shown] of [
      [0, REACTION_BURST, REACTION_BURST_HEARD],
      [1_000, REACTIONS_PER_SECOND, REACTIONS_PER_SECOND],
      [60_000, REACTION_BURST, REACTION_BURST_HEARD],
    ] as const) {
      const tries = Array.from({ length: 50 }, () => it.react(at, 'heart'));
      expect(tries.filter((word) => word !== null)).toHaveLength(sent);
      const heard = Array.from({ length: 50 }, () => it.heardReaction(at, ANN, clap(++count)));
      expect(heard.filter(Boolean)).toHaveLength(shown);
    }
  });
});

describe('the protocol page', () => {
  const page = readFileSync('../docs/protocol.md', 'utf8');

  it('has the messages that are read here', () => {
    for (const type of ['hand', 'reaction']) {
      const example = page.match(new RegExp(`^{"type": "${type}".*}$`, 'm'))?.[0] ?? '';
      expect(readPeerMessage(example)).toEqual(JSON.parse(example));
    }
  });

  it.each(['REACTION_BURST', 'REACTIONS_PER_SECOND', 'REACTION_BURST_HEARD'] as const)(
    'has the limit %s',
    (name) => expect(page).toContain(`| \`${name}\` | ${limits[name]} |`),
  );

  it.each([
    '{"type":"hand"}',
    '{"type":"hand","raised":-1}',
    '{"type":"hand","raised":4294967296}',
    '{"type":"reaction","count":1}',
    '{"type":"reaction","count":1,"kind":"poke"}',
    '{"type":"reaction","count":1,"kind":["clap"]}',
    '{"type":"reaction","count":0.5,"kind":"clap"}',
  ])('has nothing that would be read as %s', (text) => expect(readPeerMessage(text)).toBeNull());
});
