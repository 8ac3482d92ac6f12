/// <reference types="node" />
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { en } from '../src/i18n/en';
import { displayName, hue, initials } from '../src/i18n/names';
import { catalogues, failureText, isolate, listOf, translator } from '../src/i18n/translate';

// Of the signalling protocol, of the app, and of the devices.
const codes = [
  'bad_message',
  'too_large',
  'rate_limited',
  'unsupported_version',
  'not_joined',
  'already_joined',
  'room_full',
  'room_locked',
  'refused',
  'removed',
  'invalid_name',
  'unknown_peer',
  'replaced',
  'server_full',
  'unavailable',
  'address_limited',
  'shutting_down',
  'invalid_link',
  'server_unreachable',
  'server_not_started',
  'invalid_server',
  'already_in_call',
  'no_room',
  'clipboard',
  'chat_text',
  'chat_too_long',
  'chat_not_in_call',
  'open_url',
  'internal',
  'missing',
  'busy',
  'denied',
  'file',
  'failed',
];

const keys = Object.keys(en);
const texts = (entry: string | object) =>
  typeof entry === 'string' ? [entry] : Object.values(entry);
const parameters = (text: string) =>
  [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

describe('the catalogues', () => {
  it('have the same keys in the same order', () => {
    expect(Object.keys(catalogues.th)).toEqual(keys);
  });

  it('take the same parameters', () => {
    for (const [key, entry] of Object.entries(catalogues.th)) {
      const english = texts(en[key as keyof typeof en]);
      for (const [index, text] of texts(entry).entries()) {
        expect(parameters(text), key).toEqual(parameters(english[index] ?? ''));
      }
    }
  });

  it('have words for everything', () => {
    for (const catalogue of Object.values(catalogues)) {
      for (const [key, entry] of Object.entries(catalogue)) {
        for (const text of texts(entry)) expect(text.trim(), key).not.toBe('');
      }
    }
  });

  it('are in Thai where they say so', () => {
    const same = ['settings.version', 'device.problem', 'said.chat'];
    for (const [key, entry] of Object.entries(catalogues.th)) {
      if (same.includes(key)) continue;
      for (const text of texts(entry)) expect(text, key).toMatch(/[\u0e00-\u0e7f]/u);
    }
  });

  it('have no text that nothing uses', () => {
    const source = sources('src').join('\n');
    const used = (key: string) =>
      source.includes(`'${key}'`) ||
      // Put together from a part and a variable.
      [...source.matchAll(/`([\w.]+\.)\$\{\w+(?:\.\w+)?\}`/g)].some(
        ([, prefix = '']) => key.startsWith(prefix) && !key.slice(prefix.length).includes('.'),
      );
    expect(keys.filter((key) => !used(key))).toEqual([]);
  });
});

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|svelte)$/.test(name) && !/^i18n.(en|th)\.ts$/.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
}

// Whoever speaks to the computer says what stands on the button (WCAG 2.5.3).
describe.each(Object.entries(catalogues))('in %s', (_, catalogue) => {
  it.each([
    ['knock.admit', 'knock.admitWhom'],
    ['knock.refuse', 'knock.refuseWhom'],
    ['room.remove', 'room.removeWhom'],
  ] as const)('the name of a button begins with its text: %s', (text, name) => {
    expect(catalogue[name].startsWith(`${catalogue[text]} `)).toBe(true);
  });
});

describe('a failure', () => {
  it.each(codes)('%s has words in both languages', (code) => {
    for (const language of ['en', 'th'] as const) {
      const text = failureText(translator(language), { code, message: 'raw words' });
      expect(text).not.toContain('raw words');
      expect(text.length).toBeGreaterThan(8);
    }
  });

  it('of a kind that the page does not know is said in its own words', () => {
    const text = failureText(translator('en'), { code: 'brand_new', message: 'it is raining' });
    expect(text).toContain('it is raining');
  });

  it.each(['other', 'toString', '__proto__'])('named %s is no key', (code) => {
    expect(failureText(translator('en'), { code, message: 'odd' })).toContain('odd');
  });
});

describe('a sentence', () => {
  it('follows the number', () => {
    const t = translator('en');
    expect(t('call.people', { count: 1 })).toBe('1 person in the call');
    expect(t('call.people', { count: 4 })).toBe('4 people in the call');
    expect(translator('th')('call.people', { count: 1 })).toBe('มี 1 คนในการโทร');
  });

  it('keeps its direction whatever name stands in it', () => {
    expect(translator('en')('said.joined', { name: 'משה' })).toBe('\u2068משה\u2069 joined');
  });

  it('puts a name in as it is, without reading it', () => {
    const name = '{name} $& $1 <b>';
    expect(translator('en')('said.left', { name })).toBe(`${isolate(name)} left`);
  });
});

describe('a list of names', () => {
  const plain = (text: string) => text.replace(/[\u2068\u2069]/g, '');

  it('reads as a sentence does', () => {
    expect(plain(listOf(['Ann'], 'en'))).toBe('Ann');
    expect(plain(listOf(['Ann', 'Bob'], 'en'))).toBe('Ann and Bob');
    expect(plain(listOf(['Ann', 'Bob', 'Cid'], 'en'))).toBe('Ann, Bob, and Cid');
    expect(plain(listOf(['มะลิ', 'Bob'], 'th'))).toBe('มะลิ และ Bob');
    expect(plain(listOf(['มะลิ', 'Bob', 'Cid'], 'th'))).toBe('มะลิ, Bob และ Cid');
  });
});

describe('a name', () => {
  it('loses what acts on the text around it', () => {
    expect(displayName('a\u202eb\u2069\u0007\nc', '?')).toBe('a b c');
    expect(displayName(' \u200f ', 'Guest')).toBe('Guest');
    expect(displayName('👩‍👩‍👧 Ann', '?')).toBe('👩‍👩‍👧 Ann');
  });

  it.each([
    ['Ada Lovelace', 'AL'],
    ['sam', 'S'],
    ['สมชาย ใจดี', 'สใจ'],
    ['เมย์', 'เม'],
    ['👩‍👩‍👧 family', '👩‍👩‍👧F'],
    ['<script>', '<'],
  ])('%s is shortened to %s', (name, short) => {
    expect(initials(name)).toBe(short);
  });

  it('has a colour of its own, always the same', () => {
    expect(hue('00000000000000a1')).toBe(hue('00000000000000a1'));
    expect(hue('00000000000000a1')).not.toBe(hue('00000000000000a2'));
  });
});
