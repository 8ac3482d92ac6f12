// What the chat promises: the same cases as in the Rust core's tests.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { MAX_CHAT_BYTES } from '../../src/chat/limits';
import { Chat, type ChatLine } from '../../src/engine/browser/core/chat';
import {
  chatText,
  readChatMessage,
  type ChatMessage,
} from '../../src/engine/browser/core/chat_message';
import * as limits from '../../src/engine/browser/core/limits';
import { A, B, C, id, nameOf, randomFrom, Room } from './chat_room';

const SECOND = 1_000;

describe('a chat', () => {
  it('brings what one says to the others once', () => {
    const room = Room.of(A, B, C);
    room.say(A, 'hello');
    room.say(B, '  good evening\n');
    room.run(SECOND);
    for (const person of [A, B, C]) {
      expect(room.texts(person)).toEqual(['hello', 'good evening']);
      expect(room.person(person).news).toBe(2);
    }
    expect(room.lines(C)[0]).toMatchObject({
      author: A,
      seq: 1,
      name: nameOf(A),
      passedOnBy: null,
    });
  });

  it('has one order for all, and answers after what they answer', () => {
    const room = Room.of(A, B, C);
    room.hold(A, C, SECOND);
    room.say(C, 'a question');
    room.run(SECOND / 10);
    room.say(B, 'an answer');
    room.say(A, 'at the same time');
    room.run(SECOND * 3);
    for (const person of [A, B, C]) {
      expect(room.texts(person)).toEqual(['at the same time', 'a question', 'an answer']);
    }
  });

  it('loses nothing and says nothing twice across a reconnect', () => {
    const room = Room.of(A, B);
    room.say(A, '1');
    room.run(SECOND);
    room.hold(A, B, SECOND * 10);
    room.say(A, '2');
    room.say(B, '3');
    room.run(SECOND);
    room.disconnect(A, B);
    room.say(A, '4');
    room.run(SECOND);
    room.connect(A, B);
    room.run(SECOND * 2);
    expect(room.texts(A).toSorted()).toEqual(['1', '2', '3', '4']);
    expect(room.texts(B)).toEqual(room.texts(A));
    expect(room.person(B).news).toBe(4);
  });

  it('tells late-comers what was said before, by those who said it', () => {
    const room = Room.of(A, B);
    room.say(A, 'first');
    room.run(SECOND);
    room.say(B, 'second');
    room.run(SECOND);
    room.join(C);
    room.run(SECOND);
    expect(room.texts(C)).toEqual(['first', 'second']);
    expect(room.lines(C).every(({ passedOnBy }) => passedOnBy === null)).toBe(true);
    room.say(C, 'third');
    room.run(SECOND);
    expect(room.texts(A)).toEqual(['first', 'second', 'third']);
  });

  it('passes on the words of those who are gone, and marks them', () => {
    const room = Room.of(A, B);
    room.say(A, 'remember me');
    room.run(SECOND);
    room.leave(A);
    room.join(C);
    room.run(SECOND);
    expect(room.lines(C)).toMatchObject([
      { text: 'remember me', author: A, name: nameOf(A), passedOnBy: { id: B, name: nameOf(B) } },
    ]);
    expect(room.lines(B)[0]?.passedOnBy).toBeNull();
  });

  it('brings a last word that only one has heard to the others', () => {
    const room = Room.of(A, B, C);
    room.disconnect(A, C);
    room.say(A, 'goodbye');
    room.run(SECOND);
    expect(room.texts(C)).toEqual([]);
    room.leave(A);
    room.run(SECOND);
    expect(room.texts(C)).toEqual(['goodbye']);
  });

  it('brings last words to those who came after a silent end, once it is noticed', () => {
    const room = Room.of(A, B);
    room.say(A, 'goodbye');
    room.run(SECOND);
    room.people.delete(A);
    room.disconnect(A, B);
    room.join(C);
    room.run(SECOND);
    expect(room.texts(C)).toEqual([]);
    room.tell(B, { type: 'left', peer: A });
    room.run(SECOND);
    expect(room.texts(C)).toEqual(['goodbye']);
    expect(room.lines(C)[0]?.passedOnBy?.id).toBe(B);
  });

  it('does not let two who know nothing go on asking each other', () => {
    const room = Room.of(A, B);
    const messages = () => [...room.carried.values()].reduce((sum, it) => sum + it.messages, 0);
    const before = messages();
    const message = { type: 'ask', by: id(99), upto: 7 } as const;
    room.tell(A, { type: 'heard', peer: B, message });
    room.run(SECOND * 10);
    expect(messages()).toBe(before + 2);
  });

  it('makes nobody repeat anything at a usual departure', () => {
    const room = Room.of(A, B, C);
    for (let number = 0; number < 20; number++) room.say(A, `${number}`);
    room.run(SECOND * 3);
    const before = room.carried.get(`${B} ${C}`)?.messages ?? 0;
    room.leave(A);
    room.run(SECOND * 3);
    expect(room.carried.get(`${B} ${C}`)?.messages).toBe(before + 1);
  });

  it("puts the author's own word in the place of what was passed on", () => {
    const room = Room.of(A, B, C);
    room.disconnect(A, C);
    room.say(A, 'mine');
    room.run(SECOND);
    room.tell(C, { type: 'left', peer: A });
    room.tell(B, { type: 'left', peer: A });
    room.run(SECOND);
    expect(room.lines(C)[0]?.passedOnBy).not.toBeNull();
    room.tell(C, { type: 'joined', peer: A, name: nameOf(A) });
    room.connect(A, C);
    room.run(SECOND * 2);
    expect(room.lines(C)[0]?.passedOnBy).toBeNull();
    expect(room.person(C).news).toBe(1);
  });

  it('says a first word again that is lost with the opening', () => {
    for (let lag = 0; lag < 200; lag += 5) {
      const room = new Room();
      room.enter(A);
      room.enter(B);
      room.say(A, 'hello');
      room.say(B, 'good evening');
      room.connect(A, B, lag);
      room.run(SECOND * 3);
      for (const person of [A, B]) expect(room.texts(person), `${lag} ms`).toHaveLength(2);
    }
  });

  it('lets somebody be who has no chat', () => {
    const chat = new Chat(A);
    chat.handle(0, { type: 'joined', peer: B, name: 'B' });
    chat.handle(0, { type: 'opened', peer: B });
    chat.say(0, 'is anybody here?');
    let sent = 0;
    for (let at = chat.pollTimeout(); at !== null; at = chat.pollTimeout()) {
      chat.handleTimeout(at);
      chat.handle(at, { type: 'sent', peer: B });
      for (let it = chat.poll(); it; it = chat.poll()) if (it.type === 'send') sent++;
      expect(at).toBeLessThan(60 * SECOND);
    }
    expect(sent).toBe(11);
  });

  it('keeps the newest only, of messages and of bytes', () => {
    const room = Room.of(A);
    for (let number = 1; number <= limits.CHAT_HISTORY + 7; number++) room.say(A, `${number}`);
    room.join(B);
    room.run(SECOND * 60);
    expect(room.texts(B)).toHaveLength(limits.CHAT_HISTORY);
    expect(room.texts(B)[0]).toBe('8');

    const large = Room.of(A);
    const fitting = limits.CHAT_HISTORY_BYTES / MAX_CHAT_BYTES;
    for (let number = 0; number <= fitting; number++) large.say(A, 'x'.repeat(MAX_CHAT_BYTES));
    large.join(B);
    large.run(SECOND * 60);
    expect(large.texts(B)).toHaveLength(fitting);
  });

  it('leaves the line to the voices', () => {
    const room = Room.of(A);
    for (let number = 0; number < 30; number++) room.say(A, 'x'.repeat(MAX_CHAT_BYTES));
    room.join(B);
    room.run(SECOND * 10);
    const allowed = limits.CHAT_BYTES_PER_SECOND * 12 + MAX_CHAT_BYTES + 1_000;
    const { bytes } = room.carried.get(`${A} ${B}`) ?? { bytes: 0 };
    expect(bytes).toBeLessThan(allowed);
    expect(bytes).toBeGreaterThan((allowed * 3) / 4);
  });

  it('ends the same for everybody, whatever breaks', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = randomFrom(seed);
      const room = Room.of(A, B, C);
      let said = 0;
      for (let step = 0; step < 100; step++) {
        const present = [...room.people.keys()];
        const pick = () => present[Math.floor(random() * present.length)] ?? A;
        const [a, b] = [pick(), pick()];
        const what = Math.floor(random() * 10);
        if (what === 0 && a !== b) room.disconnect(a, b);
        else if (what < 3 && a !== b) room.connect(a, b, random() * 300);
        else if (what === 3 && a !== b) room.hold(a, b, random() * 3 * SECOND);
        else if (what === 4 && present.length < 4) room.join(id(4));
        else room.say(a, `${++said} of ${a}`);
        room.run(random() * 400);
      }
      const present = [...room.people.keys()];
      for (const a of present) {
        for (const b of present) if (a < b && !room.areConnected(a, b)) room.connect(a, b);
      }
      room.run(20 * SECOND);
      for (const person of present) {
        expect(room.texts(person), `seed ${seed}, ${person}`).toHaveLength(said);
        expect(room.person(person).news).toBe(said);
        expect(room.texts(person)).toEqual(room.texts(A));
      }
    }
  });
});

describe('somebody who lies', () => {
  const GONE = id(4);

  function scene() {
    const chat = new Chat(A);
    for (const peer of [B, C]) {
      chat.handle(0, { type: 'joined', peer, name: nameOf(peer) });
      chat.handle(0, { type: 'opened', peer });
    }
    const after = (message: ChatMessage, peer = B): ChatLine[] => {
      chat.handle(0, { type: 'heard', peer, message });
      const lines: ChatLine[] = [];
      for (let it = chat.poll(); it; it = chat.poll()) if (it.type === 'show') lines.push(it.line);
      return lines;
    };
    return { chat, after };
  }

  const text = (seq: number, clock: number, text: string): ChatMessage => ({
    type: 'text',
    seq,
    clock,
    text,
  });
  const passedOn = (by: string, seq: number, name: string, text: string): ChatMessage => ({
    type: 'passed_on',
    by,
    name,
    seq,
    clock: 1,
    text,
  });

  it('does not speak for those who are there', () => {
    const { after } = scene();
    for (const by of [A, B, C]) expect(after(passedOn(by, 1, 'x', 'send money'))).toEqual([]);
  });

  it('does not change what was heard from the author', () => {
    const { chat, after } = scene();
    expect(after(text(5, 1, 'true'), C)).toHaveLength(1);
    chat.handle(0, { type: 'left', peer: C });
    for (let seq = 1; seq <= 5; seq++) expect(after(passedOn(C, seq, 'C', 'false'))).toEqual([]);
    const [line] = after(passedOn(C, 6, 'Somebody', 'perhaps'));
    expect(line).toMatchObject({ name: nameOf(C), passedOnBy: { id: B } });
    expect(after(passedOn(C, 6, 'C', 'another'))).toEqual([]);
  });

  it('cannot hide what the author says later', () => {
    const { chat, after } = scene();
    chat.handle(0, { type: 'left', peer: C });
    expect(after(passedOn(C, limits.MAX_U32, 'C', 'false'))).toHaveLength(1);
    chat.handle(0, { type: 'joined', peer: C, name: 'C' });
    chat.handle(0, { type: 'opened', peer: C });
    expect(after(text(1, 1, 'true'), C)).toHaveLength(1);
  });

  it('is not heard with what cannot be', () => {
    const { after } = scene();
    const long = 'x'.repeat(MAX_CHAT_BYTES + 1);
    for (const message of [
      text(0, 1, 'no number'),
      text(1, 0, 'no clock'),
      text(1, 1, ''),
      text(1, 1, ' spaced '),
      text(1, 1, 'a\u0007b'),
      text(1, 1, long),
      passedOn(GONE, 1, '', 'no name'),
      passedOn(GONE, 1, '\u202ennA', 'a turned name'),
    ]) {
      expect(after(message)).toEqual([]);
    }
    expect(after(text(1, limits.MAX_CHAT_CLOCK, long.slice(1)))).toHaveLength(1);
    expect(after(text(1, 1, 'again'))).toEqual([]);
  });

  it('invents so many and no more', () => {
    const { chat, after } = scene();
    chat.say(0, 'mine');
    after(text(1, 1, 'a friend'), C);
    const ghosts = Array.from({ length: 100 }, (_, index) => id(100 + index));
    const shown = ghosts.filter((ghost) => after(passedOn(ghost, 1, 'Ghost', 'boo')).length > 0);
    expect(shown).toHaveLength(limits.MAX_CHAT_AUTHORS - 2);
    expect(after(text(1, 1, 'and me'))).toHaveLength(1);
  });
});

describe('a message', () => {
  it('ends at its limit in bytes', () => {
    const longest = 'ก'.repeat(1365) + 'a';
    expect(chatText(longest)).toEqual({ text: longest, wrong: null });
    expect(chatText(`${longest}a`).wrong).toBe('too_long');
  });

  it('loses the same white space as in the app', () => {
    // A mark that `trim` takes away and Rust does not.
    expect(chatText(' \ufeffx\u3000\n').text).toBe('\ufeffx');
    expect(chatText('a\ud800b').text).toBe('a\ufffdb');
  });

  it.each([
    '',
    'null',
    '{}',
    '{"type":"sing"}',
    '{"type":"text","seq":-1,"clock":2,"text":"x"}',
    '{"type":"text","seq":1,"clock":2.5,"text":"x"}',
    '{"type":"text","seq":4294967296,"clock":2,"text":"x"}',
    '{"type":"text","seq":1,"clock":9007199254740992,"text":"x"}',
    '{"type":"text","seq":1,"clock":2,"text":7}',
    '{"type":"have","met":1,"heard":[]}',
    '{"type":"have","met":true,"heard":[{"by":"me","upto":1}]}',
    '{"type":"passed_on","by":"0000000000000001","seq":1,"clock":1,"text":"x"}',
    '['.repeat(limits.MAX_CHAT_MESSAGE_BYTES + 1),
  ])('is ignored: %.40s', (data) => {
    expect(readChatMessage(data)).toBeNull();
  });

  it('of each kind on the protocol page is read whole', () => {
    const page = readFileSync('../docs/protocol.md', 'utf8');
    const chapter = page.slice(page.indexOf('\n## Chat\n'), page.indexOf('\n## Files\n'));
    const examples = [...chapter.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = '']) => text);
    expect(examples).toHaveLength(4);
    for (const example of examples) expect(readChatMessage(example)).toEqual(JSON.parse(example));
  });

  it.each([
    'MAX_CHAT_MESSAGE_BYTES',
    'MAX_CHAT_CLOCK',
    'CHAT_HISTORY',
    'CHAT_HISTORY_BYTES',
    'MAX_CHAT_AUTHORS',
    'CHAT_BURST',
    'CHAT_MESSAGES_PER_SECOND',
    'CHAT_BYTES_PER_SECOND',
  ] as const)('has the limit %s of the protocol page', (name) => {
    const page = readFileSync('../docs/protocol.md', 'utf8');
    expect(page).toContain(`| \`${name}\` | ${limits[name]} |`);
    expect(page).toContain(`| \`MAX_CHAT_BYTES\` | ${MAX_CHAT_BYTES} |`);
  });
});
