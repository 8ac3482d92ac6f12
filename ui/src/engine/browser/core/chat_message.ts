// What two participants say on the channel of the chat (docs/protocol.md), read field by field.

import { MAX_CHAT_BYTES, bytesOf } from '../../../chat/limits';
import { MAX_CHAT_AUTHORS, MAX_CHAT_CLOCK, MAX_CHAT_MESSAGE_BYTES, MAX_U32 } from './limits';
import type { PeerId } from './messages';

/** The label and the id that both ends give the channel. */
export const CHAT_CHANNEL = { label: 'chat', id: 1 } as const;

/** How much of one author's was heard from that author. */
export interface Heard {
  by: PeerId;
  upto: number;
}

export type ChatMessage =
  /** What the sender has heard; the first message in each direction. */
  | { type: 'have'; met: boolean; heard: Heard[] }
  /** Somebody is gone: what others have heard after this is to be passed on. */
  | ({ type: 'ask' } & Heard)
  | { type: 'text'; seq: number; clock: number; text: string }
  /** Something that was said by somebody who is gone. */
  | { type: 'passed_on'; by: PeerId; name: string; seq: number; clock: number; text: string };

export type Unsayable = 'empty' | 'too_long' | 'character';

// Unicode's white space, which is not quite what `trim` takes away.
const AROUND = /^\p{White_Space}+|\p{White_Space}+$/gu;
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f]/;

/** The text without the white space around it, and whether it can be said. */
export function chatText(written: string): { text: string; wrong: Unsayable | null } {
  // Half a character is none, and nobody else could read it.
  const text = written.replace(/\p{Surrogate}/gu, '\ufffd').replace(AROUND, '');
  if (bytesOf(text) > MAX_CHAT_BYTES) return { text, wrong: 'too_long' };
  if (text === '') return { text, wrong: 'empty' };
  return { text, wrong: CONTROL.test(text) ? 'character' : null };
}

/** `null` for what is unknown, too long or malformed: it is ignored. */
export function readChatMessage(data: unknown): ChatMessage | null {
  // No text has more characters than bytes: most of what is too long need not be counted.
  if (typeof data !== 'string' || data.length > MAX_CHAT_MESSAGE_BYTES) return null;
  if (bytesOf(data) > MAX_CHAT_MESSAGE_BYTES) return null;
  let read: unknown;
  try {
    read = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof read !== 'object' || read === null) return null;
  const it = read as Record<string, unknown>;
  switch (it.type) {
    case 'have':
      return readHave(it);
    case 'ask': {
      const heard = readHeard(it);
      return heard && { type: 'ask', ...heard };
    }
    case 'text': {
      const said = readSaid(it);
      return said && { type: 'text', ...said };
    }
    case 'passed_on': {
      const said = readSaid(it);
      const { by, name } = it;
      return said && isPeer(by) && typeof name === 'string'
        ? { type: 'passed_on', by, name, ...said }
        : null;
    }
    default:
      return null;
  }
}

function readHave({ met, heard }: Record<string, unknown>): ChatMessage | null {
  if (typeof met !== 'boolean' || !Array.isArray(heard)) return null;
  const read = heard.map((it) => readHeard(it));
  if (read.includes(null)) return null;
  return { type: 'have', met, heard: read.filter((it) => it !== null).slice(0, MAX_CHAT_AUTHORS) };
}

function readHeard(it: unknown): Heard | null {
  if (typeof it !== 'object' || it === null) return null;
  const { by, upto } = it as Record<string, unknown>;
  return isPeer(by) && isNumber(upto, 0, MAX_U32) ? { by, upto } : null;
}

function readSaid(it: Record<string, unknown>) {
  const { seq, clock, text } = it;
  const readable =
    isNumber(seq, 0, MAX_U32) && isNumber(clock, 0, MAX_CHAT_CLOCK) && typeof text === 'string';
  return readable ? { seq, clock, text } : null;
}

function isNumber(it: unknown, least: number, most: number): it is number {
  return typeof it === 'number' && Number.isInteger(it) && it >= least && it <= most;
}

function isPeer(it: unknown): it is PeerId {
  return typeof it === 'string' && /^[0-9a-f]{16}$/.test(it);
}
