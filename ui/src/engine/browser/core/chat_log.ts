// What was said, by author, as far as it is kept.

import { bytesOf } from '../../../chat/limits';
import { CHAT_HISTORY, CHAT_HISTORY_BYTES, MAX_CHAT_AUTHORS } from './limits';
import type { PeerId } from './messages';

export interface Witness {
  id: PeerId;
  name: string;
}

/** A message, beside its name. */
export interface Entry {
  clock: number;
  text: string;
  /** Who says that the author has said it; `null` when the author did. */
  passedOnBy: Witness | null;
}

interface Author {
  name: string;
  /** The highest number that came from the author. */
  upto: number;
  /** By number, in rising order. */
  messages: Map<number, Entry>;
  bytes: number;
  /** The how manieth to leave, once gone. */
  gone: number | null;
}

export class ChatLog {
  private readonly authors = new Map<PeerId, Author>();
  private departures = 0;

  constructor(readonly own: PeerId) {}

  /** The highest number that came from the author; 0 for none. */
  upto(author: PeerId): number {
    return this.authors.get(author)?.upto ?? 0;
  }

  /** Everybody else of whom something came, and the highest number of it. */
  heard(): { by: PeerId; upto: number }[] {
    const heard = [...this.authors].map(([by, { upto }]) => ({ by, upto }));
    return heard.filter(({ by, upto }) => by !== this.own && upto > 0);
  }

  /** Those of whom something is kept and who are gone. */
  gone(): PeerId[] {
    return [...this.authors].filter(([, { gone }]) => gone !== null).map(([id]) => id);
  }

  isGone(author: PeerId): boolean {
    return (this.authors.get(author)?.gone ?? null) !== null;
  }

  name(author: PeerId): string | null {
    return this.authors.get(author)?.name ?? null;
  }

  /** A message came, from its author or another; it may have been forgotten since. */
  hasHeard(author: PeerId, seq: number): boolean {
    const known = this.authors.get(author);
    return known !== undefined && (seq <= known.upto || known.messages.has(seq));
  }

  /** What somebody else says of this author can be kept without forgetting another. */
  hasRoomFor(author: PeerId): boolean {
    return this.authors.has(author) || this.authors.size < MAX_CHAT_AUTHORS;
  }

  /** The author's next message of this number or higher. */
  next(author: PeerId, from: number): [seq: number, entry: Entry] | null {
    for (const [seq, entry] of this.authors.get(author)?.messages ?? []) {
      if (seq >= from) return [seq, entry];
    }
    return null;
  }

  /** Keeps a message, and forgets what there is no room for. */
  keep(id: PeerId, seq: number, entry: Entry, name: string): void {
    if (!this.hasRoomFor(id)) this.forgetOne();
    let author = this.authors.get(id);
    if (!author) {
      const gone = entry.passedOnBy ? this.departures : null;
      author = { name, upto: 0, messages: new Map(), bytes: 0, gone };
      this.authors.set(id, author);
    }
    if (!entry.passedOnBy) author.upto = seq;
    author.bytes += bytesOf(entry.text) - bytesOf(author.messages.get(seq)?.text ?? '');
    const isLast = [...author.messages.keys()].every((other) => other <= seq);
    author.messages.set(seq, entry);
    if (!isLast) author.messages = new Map([...author.messages].sort(([a], [b]) => a - b));
    for (const [oldest, { text }] of author.messages) {
      if (author.messages.size <= CHAT_HISTORY && author.bytes <= CHAT_HISTORY_BYTES) break;
      author.messages.delete(oldest);
      author.bytes -= bytesOf(text);
    }
  }

  left(id: PeerId): void {
    this.departures++;
    const author = this.authors.get(id);
    if (author) author.gone = this.departures;
  }

  returned(id: PeerId): void {
    const author = this.authors.get(id);
    if (author) author.gone = null;
  }

  /** Whoever has been gone for longest; there is always somebody, as fewer can be present. */
  private forgetOne(): void {
    const gone = [...this.authors].filter(([, author]) => author.gone !== null);
    gone.sort(([, a], [, b]) => (a.gone ?? 0) - (b.gone ?? 0));
    const [first] = gone;
    if (first) this.authors.delete(first[0]);
  }
}
