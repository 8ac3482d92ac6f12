// The channels to one person, from their opening to their end: the twin of
// `core::transfer::channel`. Times in milliseconds.

import { MAX_FILE_REQUESTS, MAX_FILES_OFFERED, ROOM_CAPACITY } from '../limits';
import { chunkBytes, chunkCount, chunkRange, type FileId, type FilesMessage } from './message';
import { Meter } from './meter';
import { SEND_AHEAD, type Part } from './types';

const SETTLING = 20;
const REPEAT = 1_000;
const REPEATS = 10;
/** What is asked for at once: what comes in half a second… */
const AHEAD = 0.5;
const LEAST_AHEAD = 2;
const MOST_AHEAD = MAX_FILE_REQUESTS / 2;
/** …and so many bytes, of large chunks. */
const MOST_BYTES_AHEAD = 16 * 1024 * 1024;
const STALLED = 15_000;

interface Request {
  file: FileId;
  part: Part;
  content: Uint8Array;
  filled: number;
  length: number;
  at: number;
}

export interface Asked {
  id: number;
  file: FileId;
  part: Part;
}

export type Came =
  | { type: 'nothing' | 'more' }
  | { type: 'whole'; file: FileId; part: Part; content: Uint8Array }
  | { type: 'nonsense'; file: FileId };

export class FileChannel {
  met = false;
  readonly has = new Set<FileId>();
  readonly meter = new Meter();
  reading: { token: number; asked: Asked } | null = null;
  private readyAt: number | null;
  private repeats = REPEATS;
  private toldMet = false;
  private nextId = 1;
  private readonly requests = new Map<number, Request>();
  private heardAt: number;
  private asked: Asked[] = [];
  private lastAsked = 0;
  private sending = 0;

  constructor(now: number) {
    this.readyAt = now + SETTLING;
    this.heardAt = now;
  }

  /** A `ready` of theirs; true when it is the first. */
  ready(now: number, met: boolean): boolean {
    this.readyAt = !met || !this.toldMet ? now : null;
    const first = !this.met;
    this.met = true;
    return first;
  }

  takeReady(now: number): FilesMessage | null {
    if (this.readyAt === null || this.readyAt > now) return null;
    this.toldMet = this.met;
    this.readyAt = !this.met && this.repeats > 0 ? now + REPEAT : null;
    this.repeats = Math.max(0, this.repeats - 1);
    return { type: 'ready', met: this.met };
  }

  pollTimeout(): number | null {
    const stalled = this.requests.size > 0 ? this.stallsAt() : Infinity;
    const at = Math.min(this.readyAt ?? Infinity, stalled);
    return at === Infinity ? null : at;
  }

  takeStalled(now: number): FilesMessage | null {
    if (this.requests.size === 0 || now < this.stallsAt()) return null;
    const ids = [...this.requests.keys()];
    this.requests.clear();
    return { type: 'stop', ids };
  }

  private stallsAt(): number {
    const first = Math.min(...[...this.requests.values()].map(({ at }) => at));
    return Math.max(first, this.heardAt) + STALLED;
  }

  hasFile(file: FileId): void {
    if (this.has.size < ROOM_CAPACITY * MAX_FILES_OFFERED) this.has.add(file);
  }

  // What they are asked for.

  hasRoom(now: number, size: number): boolean {
    const chunk = chunkBytes(size);
    const wanted = Math.floor((this.meter.rate(now) * AHEAD) / chunk);
    const most = Math.max(Math.min(Math.floor(MOST_BYTES_AHEAD / chunk), MOST_AHEAD), LEAST_AHEAD);
    return this.requests.size < Math.min(LEAST_AHEAD + wanted, most);
  }

  ask(now: number, file: FileId, size: number, part: Part): FilesMessage {
    const length = part === 'hashes' ? chunkCount(size) * 32 : chunkRange(size, part).length;
    const id = this.nextId++;
    // Room is made as it is filled: who promises much and sends nothing costs nothing.
    const content = new Uint8Array(0);
    this.requests.set(id, { file, part, content, filled: 0, length, at: now });
    return { type: 'get', id, file, chunk: part === 'hashes' ? null : part };
  }

  parts(file: FileId): Part[] {
    return [...this.requests.values()].filter((it) => it.file === file).map(({ part }) => part);
  }

  stop(file: FileId): FilesMessage | null {
    const ids = [...this.requests].filter(([, it]) => it.file === file).map(([id]) => id);
    for (const id of ids) this.requests.delete(id);
    return ids.length > 0 ? { type: 'stop', ids } : null;
  }

  absent(id: number): FileId | null {
    const request = this.requests.get(id);
    this.requests.delete(id);
    return request?.file ?? null;
  }

  piece(now: number, id: number, offset: number, bytes: Uint8Array): Came {
    const request = this.requests.get(id);
    if (!request) return { type: 'nothing' };
    this.meter.add(now, bytes.length);
    this.heardAt = now;
    const { file, part, length } = request;
    const end = request.filled + bytes.length;
    if (offset !== request.filled || end > length || bytes.length === 0) {
      return { type: 'nonsense', file };
    }
    if (end > request.content.length) {
      const larger = new Uint8Array(Math.min(length, Math.max(end, 2 * request.content.length)));
      larger.set(request.content.subarray(0, request.filled));
      request.content = larger;
    }
    request.content.set(bytes, offset);
    request.filled = end;
    if (end < length) return { type: 'more' };
    this.requests.delete(id);
    return { type: 'whole', file, part, content: request.content };
  }

  // What they ask for.

  wants(asked: Asked): void {
    if (this.asked.length < MAX_FILE_REQUESTS && asked.id > this.lastAsked) {
      this.lastAsked = asked.id;
      this.asked.push(asked);
    }
  }

  stopped(ids: readonly number[]): void {
    this.asked = this.asked.filter(({ id }) => !ids.includes(id));
  }

  nextAsked(may: (file: FileId) => boolean): Asked | null {
    if (this.reading || this.sending >= SEND_AHEAD) return null;
    const place = this.asked.findIndex(({ file }) => may(file));
    return place < 0 ? null : (this.asked.splice(place, 1)[0] ?? null);
  }

  gives(): void {
    this.sending++;
  }

  sent(): void {
    this.sending = Math.max(0, this.sending - 1);
  }
}
