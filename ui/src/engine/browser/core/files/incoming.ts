// A file that others offer: who has it, what of it is here. The twin of
// `core::transfer::incoming`.

import type { PeerId } from '../messages';
import { chunkCount, chunkRange, type FileOffer, type FileProgress } from './message';
import { Meter } from './meter';
import type { FileFault, FilePhase, FileState, Job, Part } from './types';

export type Stage =
  'offered' | 'beginning' | 'listing' | 'fetching' | 'finishing' | 'done' | { failed: FileFault };

/** Parts that may wait for the disk. */
const MOST_STORING = 16;

export class Incoming {
  stage: Stage = 'offered';
  job: Job = 0;
  paused = false;
  /** Who offers it, and whether they hold it back. */
  readonly offerers = new Map<PeerId, boolean>();
  havers = new Set<PeerId>();
  readonly meter = new Meter();
  private readonly banned = new Set<PeerId>();
  private missing = new Set<number>();
  private readonly storing = new Map<Part, PeerId>();
  private bytes = 0;

  constructor(
    readonly offer: FileOffer,
    public from: PeerId,
    public shared: boolean,
  ) {}

  get fault(): FileFault | null {
    return typeof this.stage === 'object' ? this.stage.failed : null;
  }

  get isWanted(): boolean {
    return (
      this.stage === 'beginning' ||
      this.stage === 'listing' ||
      this.stage === 'fetching' ||
      this.stage === 'finishing'
    );
  }

  get isAsking(): boolean {
    return (
      !this.paused && this.offer.size > 0 && (this.stage === 'listing' || this.stage === 'fetching')
    );
  }

  private holders(): PeerId[] {
    const havers = this.shared ? [...this.havers] : [];
    return [...this.offerers.keys(), ...havers].filter((peer) => !this.banned.has(peer));
  }

  get hasHolder(): boolean {
    return this.holders().length > 0;
  }

  mayAsk(peer: PeerId): boolean {
    const held = this.offerers.get(peer);
    const gives = held === undefined ? this.shared && this.havers.has(peer) : !held;
    return this.isAsking && gives && !this.banned.has(peer);
  }

  get isHeld(): boolean {
    return this.hasHolder && this.holders().every((peer) => this.offerers.get(peer) === true);
  }

  ban(peer: PeerId): void {
    this.banned.add(peer);
  }

  begin(job: Job): void {
    this.stage = 'beginning';
    this.job = job;
    this.paused = false;
    this.banned.clear();
    this.missing.clear();
    this.storing.clear();
    this.meter.clear();
  }

  begun(found: readonly number[] | null): void {
    this.missing = new Set(Array.from({ length: chunkCount(this.offer.size) }, (_, it) => it));
    this.bytes = 0;
    this.stage = found ? 'fetching' : 'listing';
    for (const chunk of found ?? []) {
      if (this.missing.delete(chunk)) this.bytes += chunkRange(this.offer.size, chunk).length;
    }
  }

  nextPart(asked: ReadonlySet<Part>): Part | null {
    if (this.storing.size >= MOST_STORING) return null;
    if (this.stage === 'listing') {
      return asked.has('hashes') || this.storing.has('hashes') ? null : 'hashes';
    }
    for (const chunk of this.missing) if (!asked.has(chunk)) return chunk;
    return null;
  }

  came(now: number, part: Part, from: PeerId, bytes: number): void {
    if (part !== 'hashes') {
      this.missing.delete(part);
      this.meter.add(now, bytes);
    }
    this.storing.set(part, from);
  }

  /** Gives the fault that the whole file suffers from. */
  stored(part: Part, fault: FileFault | null): FileFault | null {
    const from = this.storing.get(part);
    if (from === undefined) return null;
    this.storing.delete(part);
    if (fault === 'corrupt') {
      if (part !== 'hashes') this.missing.add(part);
      this.ban(from);
      return this.hasHolder ? null : 'corrupt';
    }
    if (fault) return fault;
    if (part === 'hashes') this.stage = 'fetching';
    else this.bytes += chunkRange(this.offer.size, part).length;
    return null;
  }

  get isComplete(): boolean {
    return this.stage === 'fetching' && this.missing.size === 0 && this.storing.size === 0;
  }

  progress(): FileProgress | null {
    const { fault } = this;
    if (fault === 'refused' || fault === 'cancelled') return fault;
    if (fault === 'withdrawn' || fault === 'gone' || this.stage === 'offered') return null;
    if (fault) return 'failed';
    if (this.stage === 'done') return 'done';
    if (this.paused) return 'paused';
    return this.stage === 'beginning' ? 'accepted' : 'sending';
  }

  get here(): number {
    return this.stage === 'done' ? this.offer.size : this.bytes;
  }

  state(now: number, reachable: boolean): FileState {
    const held = this.isHeld;
    const phase = this.phase(held, reachable);
    return {
      peer: this.from,
      outgoing: false,
      offer: this.offer,
      phase,
      error: this.fault,
      bytes: this.here,
      rate: phase === 'sending' ? this.meter.rate(now) : 0,
      held: held && !this.paused,
    };
  }

  private phase(held: boolean, reachable: boolean): FilePhase {
    if (this.stage === 'offered') return 'offered';
    if (this.fault) return 'failed';
    if (this.stage === 'done') return 'done';
    if (this.paused || held) return 'paused';
    return this.stage === 'beginning' || !reachable ? 'accepted' : 'sending';
  }
}
