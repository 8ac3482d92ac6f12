// The files of a guest: what the page's commands do with them.

import type { FileView, UiEvent } from '../../bindings';
import type { FileEngine, Recipient } from '../files';
import { CAN_CHOOSE_PLACE, chosenSink, ownSink, type Sink } from './file_sink';
import type { FileOffer } from './core/files/message';
import { safeFileName } from './core/files/name';
import type { FilesInput, FileState } from './core/files/types';
import type { Filing } from './filing';

export class BrowserFiles implements FileEngine {
  readonly can = { choose: CAN_CHOOSE_PLACE, show: false };
  private filing: Filing | null = null;
  private readonly names = new Map<string, string>();
  /** Places that the person chose for what comes next. */
  private readonly places = new Map<string, Sink>();

  constructor(private readonly events: (event: UiEvent) => void) {}

  /** Of the present call; none when it is over. */
  use(filing: Filing | null): void {
    this.filing = filing;
    this.names.clear();
    for (const sink of this.places.values()) void sink.discard().catch(() => {});
    this.places.clear();
  }

  /** Where a file goes that was taken. */
  place(offer: FileOffer): Promise<Sink> {
    const chosen = this.places.get(offer.file);
    this.places.delete(offer.file);
    return chosen ? Promise.resolve(chosen) : ownSink(offer.file, offer.size);
  }

  show(file: FileState | string): Promise<void> {
    if (typeof file === 'string') return Promise.resolve();
    const { offer, ...rest } = file;
    this.names.set(offer.file, safeFileName(offer.name));
    const view: FileView = {
      ...rest,
      file: offer.file,
      name: safeFileName(offer.name),
      size: offer.size,
      kind: offer.kind,
    };
    this.events({ type: 'files', data: [view] });
    return Promise.resolve();
  }

  pick(to: Recipient): Promise<void> {
    return new Promise((resolve, reject) => {
      const input = document.createElement('input');
      input.type = 'file';
      input.multiple = true;
      input.onchange = () => this.offer([...(input.files ?? [])], to).then(resolve, reject);
      input.oncancel = () => resolve();
      input.click();
    });
  }

  async offer(files: File[], to: Recipient): Promise<void> {
    const { filing } = this;
    if (!filing) throw { code: 'files_not_in_call', message: 'there is no call' };
    for (const file of files) {
      await filing.offer(file, to).catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        throw { code: 'file_not_offered', message };
      });
    }
  }

  offerDropped(): Promise<void> {
    return Promise.resolve();
  }

  async accept(file: string, choose: boolean): Promise<void> {
    if (choose) {
      // Who closes the dialog has not decided yet.
      const sink = await chosenSink(this.names.get(file) ?? 'file').catch(() => null);
      if (!sink) return;
      this.places.set(file, sink);
    }
    this.tell({ type: 'accept', file });
  }

  async cancel(file: string): Promise<void> {
    this.tell({ type: 'cancel', file });
  }

  async pause(file: string, paused: boolean): Promise<void> {
    this.tell({ type: 'pause', file, paused });
  }

  async withdraw(file: string, peer: string): Promise<void> {
    this.tell({ type: 'withdraw', file, peer });
  }

  async hold(file: string, held: boolean): Promise<void> {
    this.tell({ type: 'hold', file, held });
  }

  private tell(input: FilesInput): void {
    this.filing?.tell(input);
  }
}
