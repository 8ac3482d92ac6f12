// What the page knows of files, and what it can be asked to do with them.

import type { FileView, PeerView } from '../bindings';
import type { FileEngine, Recipient } from '../engine/files';
import { displayName } from '../i18n/names';
import type { MessageArguments, MessageKey, Translate } from '../i18n/translate';
import { asks, keyOf, withFiles } from './shelf';

/** Bytes of what is pasted: it goes through memory, a picture of a screen is a tenth of it. */
export const MAX_PASTED_BYTES = 64 * 1024 * 1024;

/** What of the page is needed here. */
export interface Page {
  readonly t: Translate;
  readonly peers: readonly PeerView[];
  attempt(go: () => Promise<void>): Promise<void>;
  /** To screen readers, and, `visible`, as a note. */
  mention(text: string, visible: boolean): void;
}

export interface Preparing {
  name: string;
  bytes: number;
  of: number;
}

export class Files {
  list = $state.raw<FileView[]>([]);
  open = $state(false);
  /** Whom what is sent next is for. */
  recipient = $state<Recipient>(null);
  preparing = $state.raw<Preparing | null>(null);
  readonly waiting = $derived(this.list.filter(asks).length);

  constructor(
    /** None where files cannot go. */
    readonly engine: FileEngine | undefined,
    private readonly page: Page,
  ) {}

  /** Another call has begun. */
  begin(): void {
    this.list = [];
    this.open = false;
    this.recipient = null;
    this.preparing = null;
  }

  /** The focus goes back to what opens it. */
  close(): void {
    this.open = false;
    document.querySelector<HTMLElement>('[data-testid="files-toggle"]')?.focus();
  }

  take(files: FileView[]): void {
    const before = new Map(this.list.map((file) => [keyOf(file), file]));
    this.list = withFiles(this.list, files);
    for (const file of files) {
      const known = before.get(keyOf(file));
      if (known?.phase !== file.phase) this.announce(file);
    }
  }

  hashing(preparing: Preparing): void {
    this.preparing = preparing.bytes < preparing.of ? preparing : null;
  }

  pick(): Promise<void> {
    return this.page.attempt(async () => this.engine?.pick(this.present()));
  }

  dropped(): Promise<void> {
    this.open = true;
    return this.page.attempt(async () => this.engine?.offerDropped(this.present()));
  }

  offer(files: File[]): Promise<void> {
    if (files.length === 0) return Promise.resolve();
    this.open = true;
    return this.page.attempt(async () => this.engine?.offer(files, this.present()));
  }

  accept(file: FileView, choose: boolean): Promise<void> {
    return this.page.attempt(async () => this.engine?.accept(file.file, choose));
  }

  cancel(file: FileView): Promise<void> {
    return this.page.attempt(async () =>
      file.outgoing ? this.engine?.withdraw(file.file, file.peer) : this.engine?.cancel(file.file),
    );
  }

  pause(file: FileView, paused: boolean): Promise<void> {
    return this.page.attempt(async () =>
      file.outgoing ? this.engine?.hold(file.file, paused) : this.engine?.pause(file.file, paused),
    );
  }

  show(file: FileView): Promise<void> {
    return this.page.attempt(async () => this.engine?.show(file.file));
  }

  /** What somebody is called, also when they are gone. */
  nameOf(peer: string): string {
    const nobody = this.page.t('name.nobody');
    const name = this.page.peers.find((it) => it.id === peer)?.name;
    return name === undefined ? nobody : displayName(name, nobody);
  }

  problemOf(file: FileView): string {
    const key = `files.error.${file.error ?? ''}`;
    const known = Object.hasOwn(problems, key);
    return this.page.t(known ? problems[key as keyof typeof problems] : 'files.error.unwritable');
  }

  /** Somebody who has left is nobody to send anything to. */
  private present(): Recipient {
    const there = this.page.peers.some((peer) => peer.id === this.recipient);
    if (!there) this.recipient = null;
    return this.recipient;
  }

  private announce(file: FileView): void {
    const name = this.nameOf(file.peer);
    const message = ((): MessageArguments | null => {
      switch (file.phase) {
        case 'offered':
          return file.outgoing ? null : ['said.fileOffered', { name, file: file.name }];
        case 'done':
          return file.outgoing
            ? ['said.fileReceived', { name, file: file.name }]
            : ['said.fileSaved', { file: file.name }];
        case 'failed':
          return ['said.fileFailed', { file: file.name, problem: this.problemOf(file) }];
        default:
          return null;
      }
    })();
    if (message) this.page.mention(this.page.t(...message), !this.open);
  }
}

type Problem = Extract<MessageKey, `files.error.${string}`>;
/** The errors that there are words for. */
const problems = Object.fromEntries(
  (
    [
      'files.error.refused',
      'files.error.cancelled',
      'files.error.withdrawn',
      'files.error.gone',
      'files.error.changed',
      'files.error.unreadable',
      'files.error.corrupt',
      'files.error.disk_full',
      'files.error.unwritable',
    ] satisfies Problem[]
  ).map((key) => [key, key]),
) as { [K in Problem]: K };
