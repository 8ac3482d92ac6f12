// Files of guests: what is said of them, their names, and the machine among simulated people.

import { readFileSync } from 'node:fs';

import { beforeEach, describe, expect, it } from 'vitest';

import * as limits from '../../src/engine/browser/core/limits';
import { fileOf, hashChunk, isListOf, proves } from '../../src/engine/browser/core/files/hashes';
import {
  chunkBytes,
  chunkCount,
  chunkRange,
  readFilesMessage,
  readPiece,
  writeFilesMessage,
  writePiece,
  type FileOffer,
} from '../../src/engine/browser/core/files/message';
import { safeFileName } from '../../src/engine/browser/core/files/name';
import { SendWindow } from '../../src/engine/browser/core/files/send_window';
import { Transfers } from '../../src/engine/browser/core/files/transfers';
import type {
  FilesInput,
  FilesOutput,
  FileState,
  Job,
} from '../../src/engine/browser/core/files/types';

const CHUNK = limits.CHUNK_BYTES;
const page = readFileSync('../docs/protocol.md', 'utf8');

describe('a message', () => {
  it('of each kind on the protocol page is read and written whole', () => {
    const chapter = page.slice(page.indexOf('\n## Files\n'), page.indexOf('\n## Limits\n'));
    const examples = [...chapter.matchAll(/```json\n([\s\S]*?)```/g)].flatMap(([, text = '']) =>
      text.startsWith('{\n') ? [text] : text.trim().split('\n'),
    );
    expect(examples).toHaveLength(10);
    for (const example of examples) {
      const message = readFilesMessage(example);
      expect(message, example).not.toBeNull();
      if (message) expect(JSON.parse(writeFilesMessage(message))).toEqual(JSON.parse(example));
    }
  });

  it('that is none is not heard', () => {
    const file = 'A'.repeat(43);
    const get = { type: 'get', id: 1, file };
    expect(readFilesMessage(JSON.stringify(get))).not.toBeNull();
    for (const wrong of [
      { ...get, id: -1 },
      { ...get, id: 2 ** 32 },
      { ...get, chunk: 1.5 },
      { ...get, file: `${file}A` },
      { ...get, file: 'A'.repeat(42) + 'B' },
      { type: 'stop', ids: [1, '2'] },
      { type: 'ack', bytes: 2 ** 54, at: 0 },
      { type: 'report', file, state: 'stolen', bytes: 1 },
      { type: 'steal', file },
      null,
    ]) {
      expect(readFilesMessage(JSON.stringify(wrong)), JSON.stringify(wrong)).toBeNull();
    }
    const padded = JSON.stringify(get).padEnd(limits.MAX_FILES_MESSAGE_BYTES);
    expect(readFilesMessage(padded)).not.toBeNull();
    expect(readFilesMessage(`${padded} `)).toBeNull();
  });

  it.each([
    'MAX_FILE_BYTES',
    'MAX_FILE_NAME_BYTES',
    'MAX_FILE_KIND_BYTES',
    'CHUNK_BYTES',
    'MAX_CHUNKS',
    'MAX_PIECE_BYTES',
    'MAX_FILES_MESSAGE_BYTES',
    'MAX_FILES_OFFERED',
    'MAX_FILE_REQUESTS',
    'FILES_BURST',
    'FILES_MESSAGES_PER_SECOND',
  ] as const)('has the limit %s of the protocol page', (name) => {
    expect(page).toContain(`| \`${name}\` | ${limits[name]} |`);
  });

  it('with bytes carries their place', () => {
    const piece = writePiece(0x01020304, 0xfffffffe, new Uint8Array([9]));
    expect([...new Uint8Array(piece)]).toEqual([1, 2, 3, 4, 255, 255, 255, 254, 9]);
    expect(readPiece(piece)).toEqual({
      id: 0x01020304,
      offset: 0xfffffffe,
      content: new Uint8Array([9]),
    });
    expect(readPiece(new ArrayBuffer(8))).toBeNull();
    expect(readPiece(new ArrayBuffer(8 + limits.MAX_PIECE_BYTES))).not.toBeNull();
    expect(readPiece(new ArrayBuffer(9 + limits.MAX_PIECE_BYTES))).toBeNull();
  });
});

describe('a file', () => {
  it('is named as on the protocol page', () => {
    expect(page).toContain(fileOf(0, new Uint8Array(0)));
    const list = hashChunk(new TextEncoder().encode('hello'));
    expect(page).toContain(fileOf(5, list));
    expect(isListOf(fileOf(5, list), 5, list)).toBe(true);
    expect(isListOf(fileOf(5, list), 6, list)).toBe(false);
    expect(proves(list, 5, 0, new TextEncoder().encode('hello'))).toBe(true);
    expect(proves(list, 5, 0, new TextEncoder().encode('hellO'))).toBe(false);
    expect(proves(list, 5, 1, new Uint8Array(0))).toBe(false);
  });

  it('has as many chunks as may be', () => {
    for (const size of [0, 1, CHUNK, CHUNK + 1, CHUNK * limits.MAX_CHUNKS + 1, 2 ** 38]) {
      const count = chunkCount(size);
      expect(count).toBeLessThanOrEqual(limits.MAX_CHUNKS);
      const { begin, length } = chunkRange(size, Math.max(0, count - 1));
      expect(begin + length).toBe(size);
      expect(chunkRange(size, count).length).toBe(0);
    }
    expect(chunkBytes(CHUNK * limits.MAX_CHUNKS)).toBe(CHUNK);
  });

  it.each([
    ['report.pdf', 'report.pdf'],
    ['รายงาน ปี ๒๕๖๙.pdf', 'รายงาน ปี ๒๕๖๙.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\autoexec.bat', 'autoexec.bat'],
    ['a/../b/..', 'b'],
    ['..', 'file'],
    ['', 'file'],
    ['ann\u202etxt.exe', 'anntxt.exe'],
    ['a\nb:c', 'a_b_c'],
    ['.bashrc', 'bashrc'],
    ['report.pdf. .', 'report.pdf'],
    ['con.txt', '_con.txt'],
    ['nul .txt', '_nul .txt'],
    ['COM10', 'COM10'],
  ])('called %j is named %j', (text, name) => {
    expect(safeFileName(text)).toBe(name);
  });

  it('with a long name keeps its end', () => {
    const name = safeFileName(`${'ก'.repeat(300)}.pdf`);
    expect(new TextEncoder().encode(name).length).toBeLessThanOrEqual(200);
    expect(name.endsWith('ก.pdf')).toBe(true);
  });
});

interface Person {
  transfers: Transfers;
  files: Map<string, { content: Uint8Array; list: Uint8Array }>;
  jobs: Map<Job, FileOffer>;
  kept: Map<string, { list: Uint8Array | null; chunks: Map<number, Uint8Array> }>;
  finished: Map<string, Uint8Array>;
  shown: Map<string, FileState>;
  lies: boolean;
  came: number;
}

/** Some people with channels between every two of them, in virtual time. */
class World {
  now = 0;
  readonly people = new Map<string, Person>();
  private readonly links = new Map<string, number>();
  private events: {
    at: number;
    no: number;
    to: string;
    link?: [string, number];
    input: FilesInput;
  }[] = [];
  private count = 0;

  join(id: string): Person {
    const others = [...this.people.keys()];
    const person: Person = {
      transfers: new Transfers(),
      files: new Map(),
      jobs: new Map(),
      kept: new Map(),
      finished: new Map(),
      shown: new Map(),
      lies: false,
      came: 0,
    };
    this.people.set(id, person);
    for (const other of others) {
      this.tell(id, { type: 'joined', peer: other });
      this.tell(other, { type: 'joined', peer: id });
      this.connect(id, other);
    }
    return person;
  }

  connect(a: string, b: string): void {
    this.disconnect(a, b);
    const link = ++this.count;
    for (const [at, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      this.links.set(`${at} ${peer}`, link);
      this.happen(20, at, { type: 'opened', peer }, [peer, link]);
    }
  }

  disconnect(a: string, b: string): void {
    for (const [at, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      if (this.links.delete(`${at} ${peer}`)) this.tell(at, { type: 'closed', peer });
    }
  }

  leave(id: string): void {
    for (const other of [...this.people.keys()].filter((it) => it !== id)) {
      this.disconnect(id, other);
      this.tell(other, { type: 'left', peer: id });
    }
    this.people.delete(id);
  }

  offer(by: string, size: number, to: string | null = null): FileOffer {
    const content = Uint8Array.from({ length: size }, (_, it) => (it * 31) >> 3);
    const list = new Uint8Array(chunkCount(size) * 32);
    for (let chunk = 0; chunk * CHUNK < size; chunk++) {
      list.set(hashChunk(content.subarray(chunk * CHUNK, (chunk + 1) * CHUNK)), chunk * 32);
    }
    const file = fileOf(size, list);
    this.people.get(by)?.files.set(file, { content, list });
    const offer = { file, name: 'x', size, kind: '' };
    this.tell(by, { type: 'offer', offer, to });
    return offer;
  }

  tell(id: string, input: FilesInput): void {
    const person = this.people.get(id);
    if (!person) return;
    person.transfers.handle(this.now, input);
    this.carryOut(id, person);
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      this.events.sort((a, b) => a.at - b.at || a.no - b.no);
      const [next] = this.events;
      const due = [...this.people].map(
        ([id, it]) => [it.transfers.pollTimeout() ?? Infinity, id] as const,
      );
      const [timeout = Infinity, who = ''] = due.sort(([a], [b]) => a - b)[0] ?? [];
      const at = Math.min(next?.at ?? Infinity, timeout);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      if (timeout <= at) {
        const person = this.people.get(who);
        person?.transfers.handleTimeout(this.now);
        if (person) this.carryOut(who, person);
        continue;
      }
      if (!next) break;
      this.events.shift();
      const [peer, link] = next.link ?? [];
      if (peer !== undefined && this.links.get(`${next.to} ${peer}`) !== link) continue;
      if (next.input.type === 'piece') {
        const person = this.people.get(next.to);
        if (person) person.came += next.input.content.length;
      }
      this.tell(next.to, next.input);
    }
    this.now = end;
  }

  has(id: string, { file }: FileOffer): boolean {
    const there = this.people.get(id)?.finished.get(file);
    const wanted = [...this.people.values()].find((it) => it.files.has(file))?.files.get(file);
    return there !== undefined && Buffer.compare(there, wanted?.content ?? there) === 0;
  }

  phase(id: string, { file }: FileOffer): string | undefined {
    const state = this.people.get(id)?.shown.get(file);
    return state?.error ?? state?.phase;
  }

  private happen(after: number, to: string, input: FilesInput, link?: [string, number]): void {
    const no = ++this.count;
    this.events.push({ at: this.now + after, no, to, input, ...(link && { link }) });
  }

  private carryOut(id: string, person: Person): void {
    for (let out = person.transfers.poll(); out; out = person.transfers.poll()) {
      if (out.type === 'say' || out.type === 'send') {
        const link = this.links.get(`${id} ${out.to}`);
        if (link === undefined) continue;
        if (out.type === 'say') {
          const message = readFilesMessage(writeFilesMessage(out.message));
          expect(message).toEqual(out.message);
          this.happen(20, out.to, { type: 'heard', peer: id, message: out.message }, [id, link]);
          continue;
        }
        for (let offset = 0; offset < out.bytes.length; offset += limits.MAX_PIECE_BYTES) {
          const content = out.bytes.slice(offset, offset + limits.MAX_PIECE_BYTES);
          const piece: FilesInput = { type: 'piece', peer: id, id: out.id, offset, content };
          this.happen(30, out.to, piece, [id, link]);
        }
        this.happen(10, id, { type: 'sent', peer: out.to }, [out.to, link]);
      } else if (out.type === 'show') {
        const { offer, peer, outgoing } = out.state;
        person.shown.set(outgoing ? `${offer.file} ${peer}` : offer.file, out.state);
      } else {
        const told = this.obey(person, out);
        if (told) this.happen(2, id, told);
      }
    }
  }

  private obey(person: Person, out: FilesOutput): FilesInput | null {
    switch (out.type) {
      case 'begin': {
        person.jobs.set(out.job, out.offer);
        const kept = person.kept.get(out.offer.file) ?? { list: null, chunks: new Map() };
        person.kept.set(out.offer.file, kept);
        const found = kept.list ? [...kept.chunks.keys()] : null;
        return { type: 'begun', job: out.job, found, fault: null };
      }
      case 'store': {
        const offer = person.jobs.get(out.job);
        const kept = offer && person.kept.get(offer.file);
        if (!offer || !kept) throw new Error('no such job');
        const { job, part } = out;
        const corrupt = { type: 'stored', job, part, fault: 'corrupt' } as const;
        if (part === 'hashes') {
          if (!isListOf(offer.file, offer.size, out.bytes)) return corrupt;
          kept.list = out.bytes;
        } else {
          if (!kept.list || !proves(kept.list, offer.size, part, out.bytes)) return corrupt;
          expect(kept.chunks.has(part), 'nothing comes twice').toBe(false);
          kept.chunks.set(part, out.bytes);
        }
        return { type: 'stored', job, part, fault: null };
      }
      case 'finish': {
        const offer = person.jobs.get(out.job);
        const kept = offer && person.kept.get(offer.file);
        if (!offer || !kept) throw new Error('no such job');
        const chunks = [...kept.chunks].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
        person.finished.set(offer.file, Buffer.concat(chunks));
        person.kept.delete(offer.file);
        return { type: 'finished', job: out.job, fault: null };
      }
      case 'discard':
        person.kept.delete(person.jobs.get(out.job)?.file ?? '');
        return null;
      case 'read': {
        const { token, file, part } = out;
        const own = person.files.get(file)?.content ?? person.finished.get(file);
        if (!own) return { type: 'read', token, bytes: null, fault: 'unreadable' };
        const list = [...this.people.values()].find((it) => it.files.has(file))?.files.get(file);
        const { begin, length } = chunkRange(own.length, part === 'hashes' ? 0 : part);
        const bytes =
          part === 'hashes' ? (list?.list.slice() ?? null) : own.slice(begin, begin + length);
        if (person.lies && bytes) bytes[0] = (bytes[0] ?? 0) ^ 1;
        return { type: 'read', token, bytes, fault: null };
      }
      default:
        return null;
    }
  }
}

describe('a transfer', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
    for (const id of ['a', 'b', 'c']) world.join(id);
    world.run(1_000);
  });

  it.each([0, 1, CHUNK, 2 * CHUNK + 7])('of %i bytes arrives whole', (size) => {
    const offer = world.offer('a', size);
    world.run(200);
    expect(world.phase('b', offer)).toBe('offered');
    world.tell('b', { type: 'accept', file: offer.file });
    world.tell('c', { type: 'cancel', file: offer.file });
    world.run(5_000);
    expect(world.has('b', offer)).toBe(true);
    expect(world.phase('b', offer)).toBe('done');
    expect(world.people.get('a')?.shown.get(`${offer.file} b`)?.phase).toBe('done');
    expect(world.people.get('a')?.shown.get(`${offer.file} c`)?.error).toBe('refused');
  });

  it('to one is seen by one', () => {
    const offer = world.offer('a', 9, 'b');
    world.run(500);
    expect(world.phase('b', offer)).toBe('offered');
    expect(world.phase('c', offer)).toBeUndefined();
  });

  it('comes from all who have it, and goes on when one of them leaves', () => {
    const offer = world.offer('a', 20 * CHUNK);
    world.run(200);
    for (const id of ['b', 'c']) world.tell(id, { type: 'accept', file: offer.file });
    world.run(20_000);
    expect(world.has('c', offer)).toBe(true);
    world.join('d');
    world.run(200);
    world.tell('d', { type: 'accept', file: offer.file });
    world.run(150);
    world.disconnect('a', 'd');
    world.run(20_000);
    expect(world.has('d', offer)).toBe(true);
  });

  it('is paused and gone on with on either side, and over a lost connection', () => {
    const offer = world.offer('a', 12 * CHUNK);
    world.run(200);
    world.tell('b', { type: 'accept', file: offer.file });
    for (const [who, stop, go] of [
      [
        'b',
        { type: 'pause', file: offer.file, paused: true },
        { type: 'pause', file: offer.file, paused: false },
      ],
      [
        'a',
        { type: 'hold', file: offer.file, held: true },
        { type: 'hold', file: offer.file, held: false },
      ],
    ] as const) {
      world.run(100);
      world.tell(who, stop);
      world.run(500);
      expect(world.phase('b', offer)).toBe('paused');
      const came = world.people.get('b')?.came;
      world.run(2_000);
      expect(world.people.get('b')?.came).toBe(came);
      world.tell(who, go);
    }
    world.run(100);
    world.disconnect('a', 'b');
    world.run(500);
    expect(world.phase('b', offer)).toBe('accepted');
    world.connect('a', 'b');
    world.run(20_000);
    expect(world.has('b', offer)).toBe(true);
  });

  it('of wrong bytes fails, and another who has it is asked', () => {
    const offer = world.offer('a', 4 * CHUNK);
    world.run(200);
    world.tell('c', { type: 'accept', file: offer.file });
    world.run(10_000);
    const liar = world.people.get('a');
    if (liar) liar.lies = true;
    world.tell('b', { type: 'accept', file: offer.file });
    world.run(10_000);
    expect(world.has('b', offer)).toBe(true);
    world.leave('c');
    world.join('d');
    world.run(200);
    world.disconnect('b', 'd');
    world.tell('d', { type: 'accept', file: offer.file });
    world.run(10_000);
    expect(world.has('d', offer)).toBe(false);
    expect(world.phase('d', offer)).toBe('corrupt');
  });
});

describe('the window', () => {
  it('fills a path without a queue that a voice would notice', () => {
    const [rate, rtt] = [2_500, 40];
    const window = new SendWindow(0);
    let [free, sent, came, longest] = [0, 0, 0, 0];
    const acks: { at: number; bytes: number; arrival: number }[] = [];
    for (let now = 0; now < 20_000; now += 0.25) {
      while (acks[0] && acks[0].at <= now) {
        const ack = acks.shift();
        if (ack) window.onAck(now, ack.bytes, ack.arrival);
      }
      for (let room = window.room(); room > 0; room = window.room()) {
        window.onSent(now, room);
        sent += room;
        if (now > 5_000) {
          came += room;
          longest = Math.max(longest, free - now);
        }
        free = Math.max(free, now) + room / rate;
        const arrival = free + rtt / 2;
        acks.push({ at: arrival + rtt / 2, bytes: sent, arrival: Math.round(arrival * 1_000) });
      }
    }
    expect(came / (15_000 * rate)).toBeGreaterThan(0.85);
    expect(longest).toBeLessThan(25);
  });
});
