// What the transfers of a call read and write in a browser: files that the person gave to the page,
// hashed and verified piece by piece, and places for those that come. One thing at a time, in order,
// as `disk.rs` of the engine does it.

import { isListOf, hashChunk, fileOf, proves } from './core/files/hashes';
import { chunkCount, chunkRange, type FileId, type FileOffer } from './core/files/message';
import { safeFileName } from './core/files/name';
import type { FileFault, FilesInput, FilesOutput, Job, Part } from './core/files/types';
import type { Sink } from './file_sink';

type Told = Extract<FilesInput, { type: 'begun' | 'stored' | 'finished' | 'read' }>;
export type DiskTask = Extract<
  FilesOutput,
  { type: 'begin' | 'store' | 'finish' | 'close' | 'discard' | 'read' }
>;

interface Coming {
  offer: FileOffer;
  sink: Sink;
  list: Uint8Array | null;
}

interface Source {
  file: File;
  list: Uint8Array;
}

export interface Progress {
  name: string;
  bytes: number;
  of: number;
}

export class FileDisk {
  private readonly coming = new Map<Job, Coming>();
  private readonly sources = new Map<FileId, Source>();
  private work: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly tell: (input: Told) => void,
    /** Where a file goes that the person has taken. */
    private readonly place: (offer: FileOffer) => Promise<Sink>,
  ) {}

  stop(): void {
    this.stopped = true;
    for (const { sink } of this.coming.values()) void sink.discard().catch(() => {});
    this.coming.clear();
  }

  /** Hashes a file, so that it can be offered. Rejects when it cannot be read. */
  async hash(file: File, progress: (progress: Progress) => void): Promise<FileOffer> {
    const { size } = file;
    const list = new Uint8Array(chunkCount(size) * 32);
    const name = safeFileName(file.name);
    for (let chunk = 0; chunk * 32 < list.length && !this.stopped; chunk++) {
      const { begin, length } = chunkRange(size, chunk);
      // Reading gives way to everything else of the page in between.
      list.set(hashChunk(await bytesOf(file, begin, length)), chunk * 32);
      progress({ name, bytes: begin + length, of: size });
    }
    const id = fileOf(size, list);
    this.sources.set(id, { file, list });
    return { file: id, name, size, kind: file.type };
  }

  obey(task: DiskTask): void {
    this.work = this.work.then(async () => {
      if (this.stopped) return;
      const told = await this.perform(task);
      if (told && !this.stopped) this.tell(told);
    });
  }

  private async perform(task: DiskTask): Promise<Told | null> {
    switch (task.type) {
      case 'begin': {
        const { job, offer } = task;
        const sink = await this.place(offer).catch(() => null);
        if (!sink) return { type: 'begun', job, found: null, fault: 'unwritable' };
        this.coming.set(job, { offer, sink, list: null });
        return { type: 'begun', job, found: null, fault: null };
      }
      case 'store': {
        const { job, part } = task;
        const fault = await this.store(job, part, task.bytes);
        return { type: 'stored', job, part, fault };
      }
      case 'finish': {
        const { job } = task;
        const coming = this.coming.get(job);
        this.coming.delete(job);
        const done = coming?.sink.finish(safeFileName(coming.offer.name));
        const fault = done ? await done.then(() => null, faultOf) : 'unwritable';
        return { type: 'finished', job, fault };
      }
      // What is not finished is not kept: a page has nowhere to find it again.
      case 'close':
      case 'discard': {
        const coming = this.coming.get(task.job);
        this.coming.delete(task.job);
        await coming?.sink.discard().catch(() => {});
        return null;
      }
      case 'read': {
        const { token } = task;
        const read = await this.read(task.file, task.part);
        return typeof read === 'string'
          ? { type: 'read', token, bytes: null, fault: read }
          : { type: 'read', token, bytes: read, fault: null };
      }
    }
  }

  private async store(job: Job, part: Part, bytes: Uint8Array): Promise<FileFault | null> {
    const coming = this.coming.get(job);
    if (!coming) return 'unwritable';
    const { offer, list, sink } = coming;
    if (part === 'hashes') {
      if (!isListOf(offer.file, offer.size, bytes)) return 'corrupt';
      coming.list = bytes;
      return null;
    }
    if (!list || !proves(list, offer.size, part, bytes)) return 'corrupt';
    const { begin } = chunkRange(offer.size, part);
    return sink.write(begin, new Uint8Array(bytes)).then(() => null, faultOf);
  }

  private async read(file: FileId, part: Part): Promise<Uint8Array | FileFault> {
    const source = this.sources.get(file);
    if (!source) return 'unreadable';
    if (part === 'hashes') return source.list;
    const { begin, length } = chunkRange(source.file.size, part);
    try {
      const bytes = await bytesOf(source.file, begin, length);
      if (length === 0) return bytes;
      return proves(source.list, source.file.size, part, bytes) ? bytes : 'changed';
    } catch {
      // A file that was changed since it was picked cannot be read any more.
      return 'changed';
    }
  }
}

async function bytesOf(file: Blob, begin: number, length: number): Promise<Uint8Array> {
  return new Uint8Array(await file.slice(begin, begin + length).arrayBuffer());
}

function faultOf(error: unknown): FileFault {
  const full = error instanceof DOMException && error.name === 'QuotaExceededError';
  return full ? 'disk_full' : 'unwritable';
}
