// What goes into the machine of the transfers and what comes out of it.

import type { PeerId } from '../messages';
import type { FileId, FileOffer, FilesMessage } from './message';

export type FileFault =
  | 'refused'
  | 'cancelled'
  | 'withdrawn'
  | 'gone'
  | 'changed'
  | 'unreadable'
  | 'corrupt'
  | 'disk_full'
  | 'unwritable';

export type FilePhase = 'offered' | 'accepted' | 'sending' | 'paused' | 'done' | 'failed';

/** A file between the own side and somebody. */
export interface FileState {
  peer: PeerId;
  outgoing: boolean;
  offer: FileOffer;
  phase: FilePhase;
  error: FileFault | null;
  bytes: number;
  rate: number;
  /** Paused by the other side. */
  held: boolean;
}

/** A chunk by its number, or the list of the hashes. */
export type Part = number | 'hashes';

/** One run at receiving a file: what belongs to an earlier one is told apart. */
export type Job = number;

export type FilesInput =
  | { type: 'offer'; offer: FileOffer; to: PeerId | null }
  | { type: 'withdraw'; file: FileId; peer: PeerId }
  | { type: 'hold'; file: FileId; held: boolean }
  | { type: 'accept'; file: FileId }
  | { type: 'cancel'; file: FileId }
  | { type: 'pause'; file: FileId; paused: boolean }
  | { type: 'joined' | 'left' | 'opened' | 'closed' | 'sent'; peer: PeerId }
  | { type: 'heard'; peer: PeerId; message: FilesMessage }
  | { type: 'piece'; peer: PeerId; id: number; offset: number; content: Uint8Array }
  | { type: 'begun'; job: Job; found: number[] | null; fault: FileFault | null }
  | { type: 'stored'; job: Job; part: Part; fault: FileFault | null }
  | { type: 'finished'; job: Job; fault: FileFault | null }
  | { type: 'read'; token: number; bytes: Uint8Array | null; fault: FileFault | null };

export type FilesOutput =
  | { type: 'say'; to: PeerId; message: FilesMessage }
  /** No more than `SEND_AHEAD` are unanswered at once. */
  | { type: 'send'; to: PeerId; id: number; bytes: Uint8Array }
  | { type: 'begin'; job: Job; offer: FileOffer }
  | { type: 'store'; job: Job; part: Part; bytes: Uint8Array }
  | { type: 'finish' | 'close' | 'discard'; job: Job }
  | { type: 'read'; token: number; file: FileId; part: Part }
  | { type: 'show'; state: FileState };

/** Answers that a link is given before it has sent the first. */
export const SEND_AHEAD = 2;
