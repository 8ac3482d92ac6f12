// The chat of one visit: what everybody said, the same for all, across every reconnect. The same
// rules as in the Rust core, where they are explained; the wire is in docs/protocol.md.

import { ChatChannel } from './chat_channel';
import { ChatLog, type Entry, type Witness } from './chat_log';
import { chatText, type ChatMessage, type Unsayable } from './chat_message';
import { MAX_CHAT_CLOCK, MAX_U32 } from './limits';
import type { PeerId } from './messages';
import { displayableName } from './name';
import { earliest } from './output';

/** Something that was said; `author` and `seq` are its name. */
export interface ChatLine {
  clock: number;
  author: PeerId;
  seq: number;
  name: string;
  text: string;
  passedOnBy: Witness | null;
}

export type ChatInput =
  | { type: 'joined'; peer: PeerId; name: string }
  | { type: 'left'; peer: PeerId }
  /** A channel to somebody is open. */
  | { type: 'opened'; peer: PeerId }
  /** It is no more. */
  | { type: 'closed'; peer: PeerId }
  /** The link has taken the next of the messages that it was given. */
  | { type: 'sent'; peer: PeerId }
  | { type: 'heard'; peer: PeerId; message: ChatMessage };

/** In this order. */
export type ChatOutput =
  | { type: 'send'; to: PeerId; message: ChatMessage }
  /** In the place of what was shown under the same name. */
  | { type: 'show'; line: ChatLine };

interface Person {
  name: string;
  channel: ChatChannel | null;
}

export class Chat {
  /** The highest that was seen. */
  private clock = 0;
  private readonly log: ChatLog;
  private readonly present = new Map<PeerId, Person>();
  private readonly out: ChatOutput[] = [];

  constructor(private readonly own: PeerId) {
    this.log = new ChatLog(own);
  }

  /** Says something to everybody, also to those who come later; gives why it cannot be said. */
  say(now: number, written: string): Unsayable | null {
    const { text, wrong } = chatText(written);
    const seq = this.log.upto(this.own) + 1;
    if (wrong !== null || seq > MAX_U32) return wrong;
    this.clock = Math.min(this.clock + 1, MAX_CHAT_CLOCK);
    this.keep(this.own, seq, { clock: this.clock, text, passedOnBy: null }, '');
    this.send(now);
    return null;
  }

  handle(now: number, input: ChatInput): void {
    const { peer } = input;
    const person = this.present.get(peer);
    switch (input.type) {
      case 'joined':
        if (peer === this.own) break;
        if (!person) this.present.set(peer, { name: input.name, channel: null });
        this.log.returned(peer);
        break;
      case 'left':
        this.left(peer);
        break;
      case 'opened':
        if (person) person.channel = new ChatChannel(now);
        break;
      case 'closed':
        if (person) person.channel = null;
        break;
      case 'sent':
        person?.channel?.sent();
        break;
      case 'heard':
        if (person?.channel) this.heard(now, peer, person.name, person.channel, input.message);
    }
    this.send(now);
  }

  poll(): ChatOutput | undefined {
    return this.out.shift();
  }

  pollTimeout(): number | null {
    return earliest(...[...this.present.values()].map((it) => it.channel?.pollTimeout()));
  }

  handleTimeout(now: number): void {
    this.send(now);
  }

  /** Others may have heard more of whoever is gone, and are asked to pass it on. */
  private left(peer: PeerId): void {
    if (!this.present.delete(peer)) return;
    this.log.left(peer);
    const heard = { by: peer, upto: this.log.upto(peer) };
    for (const { channel } of this.present.values()) channel?.ask(heard);
  }

  private heard(
    now: number,
    from: PeerId,
    fromName: string,
    channel: ChatChannel,
    message: ChatMessage,
  ): void {
    switch (message.type) {
      case 'have':
        return channel.met(now, message.met, message.heard, this.log);
      case 'ask':
        channel.asked(message);
        // Somebody who was gone before we came, and is noticed only now.
        if (this.hasNeverMet(message.by)) channel.askOnce(message.by);
        return;
      case 'text': {
        const { seq, clock, text } = message;
        if (!believable(message) || seq <= this.log.upto(from)) return;
        this.clock = Math.max(this.clock, clock);
        return this.keep(from, seq, { clock, text, passedOnBy: null }, fromName);
      }
      case 'passed_on': {
        const { by, seq, clock, text } = message;
        if (by === this.own || this.log.hasHeard(by, seq) || !believable(message)) return;
        if (displayableName(message.name) === null) return;
        if (this.present.has(by) || !this.log.hasRoomFor(by)) return;
        this.clock = Math.max(this.clock, clock);
        const passedOnBy = { id: from, name: fromName };
        const name = this.log.name(by) ?? message.name;
        return this.keep(by, seq, { clock, text, passedOnBy }, name);
      }
    }
  }

  private hasNeverMet(peer: PeerId): boolean {
    return peer !== this.own && !this.present.has(peer) && this.log.name(peer) === null;
  }

  private keep(author: PeerId, seq: number, entry: Entry, name: string): void {
    this.log.keep(author, seq, entry, name);
    this.out.push({ type: 'show', line: { author, seq, name, ...entry } });
  }

  /** Gives every channel what it can take now. */
  private send(now: number): void {
    for (const [to, { channel }] of this.present) {
      if (!channel) continue;
      for (let it = channel.next(now, this.log); it; it = channel.next(now, this.log)) {
        this.out.push({ type: 'send', to, message: it });
      }
    }
  }
}

/** What a stranger claims to have said. */
function believable({ seq, clock, text }: { seq: number; clock: number; text: string }): boolean {
  const said = chatText(text);
  return seq > 0 && clock > 0 && said.wrong === null && said.text === text;
}
