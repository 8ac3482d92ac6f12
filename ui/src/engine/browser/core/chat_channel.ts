// One channel of the chat to one person, from its opening to its end: what is to be said on it, and
// when. The same rules as in the Rust core.

import { bytesOf } from '../../../chat/limits';
import type { ChatLog, Entry } from './chat_log';
import type { ChatMessage, Heard } from './chat_message';
import { CHAT_BYTES_PER_SECOND, CHAT_MESSAGES_PER_SECOND, MAX_CHAT_AUTHORS } from './limits';
import type { PeerId } from './messages';

/** Messages that a link is given before it has taken the first. */
export const CHAT_WINDOW = 8;
/** The app loses what comes together with the last step of the opening: this long is waited… */
const SETTLING = 20;
/** …and the first word said again after this, until it is answered… */
const REPEAT = 1_000;
/** …so often at most: the other side may have no chat. */
const REPEATS = 10;
/** Time saved up while there is nothing to say. */
const BURST = 2_000;
/** Bytes of a message beside its text, about. */
const FRAME_BYTES = 100;

export class ChatChannel {
  /** When `have` is said next; nothing else goes before the first. */
  private haveAt: number | null;
  private repeats = REPEATS;
  /** A `have` of theirs has come. */
  private hasMet = false;
  /** They were told so. */
  private toldMet = false;
  /** They have said that ours has come. */
  private answered = false;
  /** Those who have left, of whom they may have heard more. */
  private readonly asks: Heard[] = [];
  /** Those of them whom we have never met. */
  private readonly askedOnce = new Set<PeerId>();
  /** The number of the next own message to them. */
  private ownNext = 1;
  /** Authors whose messages are passed on once they are gone, with the number of the next one. */
  private readonly passOn = new Map<PeerId, number>();
  /** Messages that the link has not taken yet. */
  private unsent = 0;
  /** Until then, what was said so far takes its time. */
  private paidAt: number;
  /** Something waits for that. */
  private waits = false;

  constructor(now: number) {
    this.haveAt = now + SETTLING;
    this.paidAt = now;
  }

  /** The link has taken one. */
  sent(): void {
    this.unsent = Math.max(0, this.unsent - 1);
  }

  /** Ask for the rest of what somebody said who is gone. */
  ask(heard: Heard): void {
    if (this.asks.length === MAX_CHAT_AUTHORS) this.asks.shift();
    this.asks.push(heard);
  }

  /** Ask for all that somebody said whom we have never met; once. */
  askOnce(by: PeerId): void {
    if (this.askedOnce.size >= MAX_CHAT_AUTHORS || this.askedOnce.has(by)) return;
    this.askedOnce.add(by);
    this.ask({ by, upto: 0 });
  }

  /** The same from them. */
  asked({ by, upto }: Heard): void {
    if (this.passOn.size < MAX_CHAT_AUTHORS || this.passOn.has(by)) this.passOn.set(by, upto + 1);
  }

  /** A `have` of theirs. Only the first says where to begin. */
  met(now: number, met: boolean, heard: Heard[], log: ChatLog): void {
    if (!this.hasMet) {
      this.hasMet = true;
      const next = (author: PeerId) => (heard.find(({ by }) => by === author)?.upto ?? 0) + 1;
      this.ownNext = next(log.own);
      for (const author of log.gone()) this.passOn.set(author, next(author));
    }
    this.answered ||= met;
    this.haveAt = !met || !this.toldMet ? now : null;
  }

  /** The next message to say now. */
  next(now: number, log: ChatLog): ChatMessage | null {
    this.waits = false;
    if (this.unsent >= CHAT_WINDOW || !this.hasSomething(now, log)) return null;
    this.waits = this.paidAt > now;
    if (this.waits) return null;
    const message = this.take(now, log);
    if (!message) return null;
    this.pay(now, 'text' in message ? bytesOf(message.text) : 0);
    this.unsent++;
    return message;
  }

  pollTimeout(): number | null {
    if (this.unsent >= CHAT_WINDOW) return null;
    return this.waits ? this.paidAt : this.haveAt;
  }

  private isDue(now: number): boolean {
    return this.haveAt !== null && this.haveAt <= now;
  }

  private hasSomething(now: number, log: ChatLog): boolean {
    if (this.isDue(now)) return true;
    return this.hasMet && (this.asks.length > 0 || this.waiting(log) !== null);
  }

  private take(now: number, log: ChatLog): ChatMessage | null {
    if (this.isDue(now)) return this.have(now, log);
    const ask = this.asks.shift();
    if (ask) return { type: 'ask', ...ask };
    const waiting = this.waiting(log);
    if (!waiting) return null;
    const { author, seq, entry } = waiting;
    const { clock, text } = entry;
    if (author === log.own) {
      this.ownNext = seq + 1;
      return { type: 'text', seq, clock, text };
    }
    this.passOn.set(author, seq + 1);
    const name = log.name(author) ?? '';
    return { type: 'passed_on', by: author, name, seq, clock, text };
  }

  private have(now: number, log: ChatLog): ChatMessage {
    this.toldMet = this.hasMet;
    this.haveAt = null;
    if (!this.answered && this.repeats > 0) {
      this.repeats--;
      this.haveAt = now + REPEAT;
    }
    return { type: 'have', met: this.hasMet, heard: log.heard() };
  }

  /** What is told next: first the own words, then those of others who are gone. */
  private waiting(log: ChatLog): { author: PeerId; seq: number; entry: Entry } | null {
    const gone = [...this.passOn].filter(([author]) => log.isGone(author));
    for (const [author, from] of [[log.own, this.ownNext] as const, ...gone]) {
      const found = log.next(author, from);
      if (found) return { author, seq: found[0], entry: found[1] };
    }
    return null;
  }

  private pay(now: number, bytes: number): void {
    const time = Math.max(
      ((bytes + FRAME_BYTES) / CHAT_BYTES_PER_SECOND) * 1_000,
      1_000 / CHAT_MESSAGES_PER_SECOND,
    );
    this.paidAt = Math.max(this.paidAt, now - BURST) + time;
  }
}
