// Runs the files of a call: the machine with its clock and its one timer, and the disk. What it
// wants to say and send goes to the links.

import { FileDisk, type Progress } from './file_disk';
import type { FileOffer } from './core/files/message';
import type { FilesMessage } from './core/files/message';
import { Transfers } from './core/files/transfers';
import type { FilesInput, FileState } from './core/files/types';
import type { PeerId } from './core/messages';
import type { Sink } from './file_sink';

export interface FilingListener {
  say(to: PeerId, message: FilesMessage): void;
  send(to: PeerId, id: number, bytes: Uint8Array): void;
  show(state: FileState): void;
  hashing(progress: Progress): void;
  place(offer: FileOffer): Promise<Sink>;
}

/** Between two words about how far hashing is, milliseconds. */
const PROGRESS_INTERVAL = 250;

export class Filing {
  private readonly transfers = new Transfers();
  private readonly disk: FileDisk;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly inputs: FilesInput[] = [];
  private running = false;

  constructor(private readonly listener: FilingListener) {
    this.disk = new FileDisk(
      (input) => this.tell(input),
      (offer) => listener.place(offer),
    );
  }

  /** Hashes a file and offers it. Rejects when it cannot be read, or is one too many. */
  async offer(file: File, to: PeerId | null): Promise<void> {
    if (!this.transfers.mayOffer) throw new Error('too many files');
    let said = 0;
    const offer = await this.disk.hash(file, (progress) => {
      const now = performance.now();
      if (now - said < PROGRESS_INTERVAL && progress.bytes < progress.of) return;
      said = now;
      this.listener.hashing(progress);
    });
    this.tell({ type: 'offer', offer, to });
  }

  /** What is told while something is carried out waits for its turn. */
  tell(input: FilesInput): void {
    this.inputs.push(input);
    this.run();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.disk.stop();
  }

  private run(): void {
    if (this.running) return;
    this.running = true;
    do {
      const input = this.inputs.shift();
      if (input) this.transfers.handle(performance.now(), input);
      for (let output = this.transfers.poll(); output; output = this.transfers.poll()) {
        if (output.type === 'say') this.listener.say(output.to, output.message);
        else if (output.type === 'send') this.listener.send(output.to, output.id, output.bytes);
        else if (output.type === 'show') this.listener.show(output.state);
        else this.disk.obey(output);
      }
    } while (this.inputs.length > 0);
    this.running = false;
    this.arm();
  }

  private arm(): void {
    clearTimeout(this.timer);
    const at = this.transfers.pollTimeout();
    if (at === null) return;
    this.timer = setTimeout(
      () => {
        this.transfers.handleTimeout(performance.now());
        this.run();
      },
      Math.max(0, at - performance.now()),
    );
  }
}
