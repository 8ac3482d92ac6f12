// Some people in one call, with a channel between every two of them, in virtual time: the same world
// as in the Rust core's tests.

import { CHAT_WINDOW } from '../../src/engine/browser/core/chat_channel';
import { Chat, type ChatInput, type ChatLine } from '../../src/engine/browser/core/chat';
import { readChatMessage, type ChatMessage } from '../../src/engine/browser/core/chat_message';

/** On the way, on a good line, milliseconds. */
export const DELAY = 20;
/** The browser takes a message within this. */
const HANDED_ON = 1;

export const A = id(1);
export const B = id(2);
export const C = id(3);

export function id(number: number): string {
  return number.toString(16).padStart(16, '0');
}

export function nameOf(peer: string): string {
  return `Number ${Number.parseInt(peer, 16)}`;
}

interface Person {
  chat: Chat;
  shown: Map<string, ChatLine>;
  /** How often a line was shown that had not been shown before. */
  news: number;
  unsent: Map<string, number>;
}

interface Way {
  from: string;
  to: string;
  /** What arrives before is lost. */
  openAt: number;
  /** Nothing moves before. */
  heldUntil: number;
  messages: [at: number, message: ChatMessage][];
}

interface Happening {
  at: number;
  to: string;
  from: string;
  input: ChatInput;
}

export class Room {
  now = 1_000;
  readonly people = new Map<string, Person>();
  private ways: Way[] = [];
  private happenings: Happening[] = [];
  /** Messages and their bytes, from one to another. */
  readonly carried = new Map<string, { messages: number; bytes: number }>();

  static of(...peers: string[]): Room {
    const room = new Room();
    for (const peer of peers) room.join(peer);
    room.run(1_000);
    return room;
  }

  join(peer: string): void {
    this.enter(peer);
    for (const other of this.people.keys()) if (other !== peer) this.connect(peer, other);
  }

  /** Somebody comes, and is not connected yet. */
  enter(peer: string): void {
    const others = [...this.people.keys()];
    this.people.set(peer, { chat: new Chat(peer), shown: new Map(), news: 0, unsent: new Map() });
    for (const other of others) {
      this.tell(peer, { type: 'joined', peer: other, name: nameOf(other) });
      this.tell(other, { type: 'joined', peer, name: nameOf(peer) });
    }
  }

  leave(peer: string): void {
    this.people.delete(peer);
    for (const other of this.people.keys()) {
      this.disconnect(peer, other);
      this.tell(other, { type: 'left', peer });
    }
  }

  /** A new channel, whose end at `a` is open so much later than the one at `b`. */
  connect(a: string, b: string, lag = DELAY): void {
    this.disconnect(a, b);
    for (const [from, to] of pairs(a, b)) {
      const openAt = to === a ? this.now + lag : this.now;
      this.ways.push({ from, to, openAt, heldUntil: this.now, messages: [] });
      this.happenings.push({ at: openAt, to, from, input: { type: 'opened', peer: from } });
    }
  }

  disconnect(a: string, b: string): void {
    const between = ({ from, to }: { from: string; to: string }) =>
      (from === a && to === b) || (from === b && to === a);
    this.happenings = this.happenings.filter((it) => !between(it));
    const ended = this.ways.filter(between);
    this.ways = this.ways.filter((it) => !between(it));
    for (const { from, to } of ended) {
      this.people.get(to)?.unsent.delete(from);
      if (this.people.has(to)) this.tell(to, { type: 'closed', peer: from });
    }
  }

  /** Nothing arrives for a while, either way; nothing is lost. */
  hold(a: string, b: string, time: number): void {
    for (const [from, to] of pairs(a, b)) {
      const way = this.way(from, to);
      if (way) way.heldUntil = this.now + time;
    }
  }

  say(peer: string, text: string): void {
    const wrong = this.person(peer).chat.say(this.now, text);
    if (wrong) throw new Error(wrong);
    this.collect(peer);
  }

  tell(peer: string, input: ChatInput): void {
    this.person(peer).chat.handle(this.now, input);
    this.collect(peer);
  }

  areConnected(a: string, b: string): boolean {
    return this.way(a, b) !== undefined;
  }

  person(peer: string): Person {
    const person = this.people.get(peer);
    if (!person) throw new Error(`no ${peer}`);
    return person;
  }

  /** The lines on somebody's screen, from top to bottom. */
  lines(peer: string): ChatLine[] {
    return [...this.person(peer).shown.values()].sort(
      (a, b) => a.clock - b.clock || a.author.localeCompare(b.author) || a.seq - b.seq,
    );
  }

  texts(peer: string): string[] {
    return this.lines(peer).map(({ text }) => text);
  }

  run(time: number): void {
    const end = this.now + time;
    for (;;) {
      const times = [
        ...[...this.people.values()].map(({ chat }) => chat.pollTimeout()),
        ...this.happenings.map(({ at }) => at),
        ...this.ways.map(({ messages: [first], heldUntil }) =>
          first ? Math.max(first[0], heldUntil) : null,
        ),
      ].filter((at) => at !== null);
      const next = Math.min(...times);
      if (!(next <= end)) break;
      this.now = Math.max(this.now, next);
      this.happen();
      for (const [peer, { chat }] of this.people) {
        const at = chat.pollTimeout();
        if (at === null || at > this.now) continue;
        chat.handleTimeout(this.now);
        this.collect(peer);
        const again = chat.pollTimeout();
        if (again !== null && again <= this.now) throw new Error(`${peer} does not sleep`);
      }
    }
    this.now = end;
  }

  private happen(): void {
    for (const { from, to, openAt, heldUntil, messages } of this.ways) {
      while (this.now >= heldUntil && messages[0] && messages[0][0] <= this.now) {
        const [at, message] = messages.shift()!;
        // As the app's library loses what comes together with the opening.
        if (at <= openAt) continue;
        const input = { type: 'heard', peer: from, message } as const;
        this.happenings.push({ at: this.now, to, from, input });
      }
    }
    const due = this.happenings.filter(({ at }) => at <= this.now);
    this.happenings = this.happenings.filter(({ at }) => at > this.now);
    for (const { to, from, input } of due.sort((a, b) => a.at - b.at)) {
      const { unsent } = this.person(to);
      if (input.type === 'sent') unsent.set(from, (unsent.get(from) ?? 0) - 1);
      this.tell(to, input);
    }
  }

  private collect(peer: string): void {
    const person = this.person(peer);
    for (let output = person.chat.poll(); output; output = person.chat.poll()) {
      if (output.type === 'show') {
        const name = `${output.line.author}-${output.line.seq}`;
        if (!person.shown.has(name)) person.news++;
        person.shown.set(name, output.line);
        continue;
      }
      const { to, message } = output;
      const unsent = (person.unsent.get(to) ?? 0) + 1;
      if (unsent > CHAT_WINDOW) throw new Error('more than a link takes');
      person.unsent.set(to, unsent);
      const text = JSON.stringify(message);
      const read = readChatMessage(text);
      const way = this.way(peer, to);
      if (!read || !way) throw new Error('a message that nobody can read');
      const carried = this.carried.get(`${peer} ${to}`) ?? { messages: 0, bytes: 0 };
      carried.messages++;
      carried.bytes += text.length;
      this.carried.set(`${peer} ${to}`, carried);
      way.messages.push([this.now + DELAY, read]);
      const at = this.now + HANDED_ON;
      this.happenings.push({ at, to: peer, from: to, input: { type: 'sent', peer: to } });
    }
  }

  private way(from: string, to: string): Way | undefined {
    return this.ways.find((way) => way.from === from && way.to === to);
  }
}

function pairs(a: string, b: string): [string, string][] {
  return [
    [a, b],
    [b, a],
  ];
}

/** Numbers that follow from a seed (mulberry32), 0 to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let it = Math.imul(state ^ (state >>> 15), 1 | state);
    it = (it + Math.imul(it ^ (it >>> 7), 61 | it)) ^ it;
    return ((it ^ (it >>> 14)) >>> 0) / 4294967296;
  };
}
