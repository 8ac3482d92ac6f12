// Files of a painted call: one of each state, and buttons that change it.

import type { FileView, UiEvent } from '../bindings';
import type { FileEngine } from './files';

const MB = 1_000_000;

function file(name: string, part: Partial<FileView>): FileView {
  return {
    file: name,
    peer: '00000000000000a0',
    outgoing: false,
    name,
    size: 3 * MB,
    kind: '',
    bytes: 0,
    rate: 0,
    phase: 'offered',
    error: null,
    held: false,
    ...part,
  };
}

const LISTED: Record<'en' | 'th', FileView[]> = {
  en: [
    file('Where is it.mp4', {
      phase: 'failed',
      size: 700 * MB,
      bytes: 90 * MB,
      error: 'disk_full',
    }),
    file('Timetable.pdf', { phase: 'done', bytes: 3 * MB, kind: 'application/pdf' }),
    file('The boat.jpg', { outgoing: true, phase: 'paused', bytes: 2 * MB, held: true }),
    file('Holidays 2026.mkv', {
      outgoing: true,
      peer: '00000000000000a1',
      phase: 'sending',
      size: 4_200 * MB,
      bytes: 1_300 * MB,
      rate: 11 * MB,
    }),
    file('Map of the island.png', { size: 1_400_000, kind: 'image/png' }),
  ],
  th: [
    file('วิดีโอ.mp4', { phase: 'failed', size: 700 * MB, bytes: 90 * MB, error: 'disk_full' }),
    file('ตารางเรือ.pdf', { phase: 'done', bytes: 3 * MB, kind: 'application/pdf' }),
    file('รูปเรือ.jpg', { outgoing: true, phase: 'paused', bytes: 2 * MB, held: true }),
    file('เที่ยวทะเล 2569.mkv', {
      outgoing: true,
      peer: '00000000000000a1',
      phase: 'sending',
      size: 4_200 * MB,
      bytes: 1_300 * MB,
      rate: 11 * MB,
    }),
    file('แผนที่เกาะ.png', { size: 1_400_000, kind: 'image/png' }),
  ],
};

export class DemoFiles implements FileEngine {
  readonly can = { choose: true, show: true };
  private files = new Map<string, FileView>();

  constructor(private readonly events: (event: UiEvent) => void) {}

  list(language: 'en' | 'th'): void {
    for (const file of LISTED[language]) this.put(file);
  }

  private put(file: FileView): void {
    this.files.set(file.file, file);
    this.events({ type: 'files', data: [file] });
  }

  private async change(id: string, part: Partial<FileView>): Promise<void> {
    const file = this.files.get(id);
    if (file) this.put({ ...file, ...part });
  }

  async pick(): Promise<void> {}

  async offer(files: File[]): Promise<void> {
    for (const { name, size } of files) this.put(file(name, { outgoing: true, size }));
  }

  async offerDropped(): Promise<void> {}

  accept(id: string): Promise<void> {
    return this.change(id, { phase: 'sending', error: null, rate: 4 * MB });
  }

  cancel(id: string): Promise<void> {
    return this.change(id, { phase: 'failed', error: 'cancelled' });
  }

  pause(id: string, paused: boolean): Promise<void> {
    return this.change(id, { phase: paused ? 'paused' : 'sending' });
  }

  withdraw(id: string): Promise<void> {
    return this.change(id, { phase: 'failed', error: 'withdrawn' });
  }

  hold(id: string, held: boolean): Promise<void> {
    return this.change(id, { phase: held ? 'paused' : 'sending' });
  }

  async show(): Promise<void> {}
}
