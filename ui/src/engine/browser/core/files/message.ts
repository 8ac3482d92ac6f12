// What two participants say about files, and how their bytes travel (docs/protocol.md), read field
// by field.

import { bytesOf } from '../../../../chat/limits';
import {
  CHUNK_BYTES,
  MAX_CHUNKS,
  MAX_FILE_BYTES,
  MAX_FILE_KIND_BYTES,
  MAX_FILE_NAME_BYTES,
  MAX_FILE_REQUESTS,
  MAX_FILES_MESSAGE_BYTES,
  MAX_PIECE_BYTES,
  MAX_U32,
} from '../limits';

/** The labels and ids that both ends give the channels. */
export const CONTROL_CHANNEL = { label: 'files-control', id: 2 } as const;
export const DATA_CHANNEL = { label: 'files', id: 3 } as const;

/** What a file is: a hash of all of it, 43 characters of base64url. */
export type FileId = string;

export interface FileOffer {
  file: FileId;
  /** A stranger's text. */
  name: string;
  size: number;
  kind: string;
}

const PROGRESS = [
  'accepted',
  'sending',
  'paused',
  'done',
  'refused',
  'cancelled',
  'failed',
] as const;
export type FileProgress = (typeof PROGRESS)[number];

const ABSENCE = ['unknown', 'changed', 'unreadable'] as const;
export type FileAbsence = (typeof ABSENCE)[number];

export type FilesMessage =
  | { type: 'ready'; met: boolean }
  | { type: 'offer'; offer: FileOffer; shared: boolean; paused: boolean }
  | { type: 'withdraw'; file: FileId }
  | { type: 'have'; file: FileId }
  | { type: 'report'; file: FileId; state: FileProgress; bytes: number }
  /** Without a chunk, the list of the hashes is wanted. */
  | { type: 'get'; id: number; file: FileId; chunk: number | null }
  | { type: 'stop'; ids: number[] }
  | { type: 'absent'; id: number; reason: FileAbsence }
  | { type: 'ack'; bytes: number; at: number };

export function isValidOffer({ name, size, kind }: FileOffer): boolean {
  const length = bytesOf(name);
  return (
    size <= MAX_FILE_BYTES &&
    length >= 1 &&
    length <= MAX_FILE_NAME_BYTES &&
    bytesOf(kind) <= MAX_FILE_KIND_BYTES
  );
}

export function writeFilesMessage(message: FilesMessage): string {
  switch (message.type) {
    case 'offer': {
      const { offer, shared, paused } = message;
      return JSON.stringify({ type: 'offer', ...offer, shared, paused });
    }
    case 'get': {
      const { type, id, file, chunk } = message;
      return JSON.stringify(chunk === null ? { type, id, file } : message);
    }
    default:
      return JSON.stringify(message);
  }
}

/** `null` for what is unknown, too long or malformed: it is ignored. */
export function readFilesMessage(data: unknown): FilesMessage | null {
  if (typeof data !== 'string' || data.length > MAX_FILES_MESSAGE_BYTES) return null;
  if (bytesOf(data) > MAX_FILES_MESSAGE_BYTES) return null;
  let read: unknown;
  try {
    read = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof read !== 'object' || read === null) return null;
  const it = read as Record<string, unknown>;
  const { file, id, bytes } = it;
  switch (it.type) {
    case 'ready':
      return typeof it.met === 'boolean' ? { type: 'ready', met: it.met } : null;
    case 'offer':
      return readOffer(it);
    case 'withdraw':
    case 'have':
      return isFile(file) ? { type: it.type, file } : null;
    case 'report': {
      const state = PROGRESS.find((known) => known === it.state);
      return isFile(file) && state && isNumber(bytes)
        ? { type: 'report', file, state, bytes }
        : null;
    }
    case 'get': {
      const chunk = it.chunk ?? null;
      return isFile(file) && isNumber(id, MAX_U32) && (chunk === null || isNumber(chunk, MAX_U32))
        ? { type: 'get', id, file, chunk }
        : null;
    }
    case 'stop': {
      const ids: unknown = it.ids;
      if (!Array.isArray(ids) || !ids.every((one) => isNumber(one, MAX_U32))) return null;
      return { type: 'stop', ids: ids.slice(0, 2 * MAX_FILE_REQUESTS) };
    }
    case 'absent': {
      const reason = ABSENCE.find((known) => known === it.reason);
      return isNumber(id, MAX_U32) && reason ? { type: 'absent', id, reason } : null;
    }
    case 'ack':
      return isNumber(bytes) && isNumber(it.at) ? { type: 'ack', bytes, at: it.at } : null;
    default:
      return null;
  }
}

function readOffer(it: Record<string, unknown>): FilesMessage | null {
  const { file, name, size, kind = '', shared, paused } = it;
  if (!isFile(file) || typeof name !== 'string' || !isNumber(size)) return null;
  if (typeof kind !== 'string' || typeof shared !== 'boolean' || typeof paused !== 'boolean') {
    return null;
  }
  return { type: 'offer', offer: { file, name, size, kind }, shared, paused };
}

function isNumber(it: unknown, most = Number.MAX_SAFE_INTEGER): it is number {
  return typeof it === 'number' && Number.isInteger(it) && it >= 0 && it <= most;
}

function isFile(it: unknown): it is FileId {
  return typeof it === 'string' && /^[\w-]{42}[AEIMQUYcgkosw048]$/.test(it);
}

/** Bytes before the content of a piece. */
export const PIECE_HEADER_BYTES = 8;

export function writePiece(id: number, offset: number, content: Uint8Array): ArrayBuffer {
  const message = new ArrayBuffer(PIECE_HEADER_BYTES + content.length);
  const view = new DataView(message);
  view.setUint32(0, id);
  view.setUint32(4, offset);
  new Uint8Array(message, PIECE_HEADER_BYTES).set(content);
  return message;
}

export function readPiece(
  data: ArrayBuffer,
): { id: number; offset: number; content: Uint8Array } | null {
  const length = data.byteLength - PIECE_HEADER_BYTES;
  if (length < 1 || length > MAX_PIECE_BYTES) return null;
  const view = new DataView(data);
  const content = new Uint8Array(data, PIECE_HEADER_BYTES);
  return { id: view.getUint32(0), offset: view.getUint32(4), content };
}

/** Bytes of each chunk of a file of this size, but the last. */
export function chunkBytes(size: number): number {
  let bytes = CHUNK_BYTES;
  while (Math.ceil(size / bytes) > MAX_CHUNKS) bytes *= 2;
  return bytes;
}

export function chunkCount(size: number): number {
  return Math.ceil(size / chunkBytes(size));
}

/** Where a chunk begins, and how long it is; 0 when there is none of this number. */
export function chunkRange(size: number, chunk: number): { begin: number; length: number } {
  const bytes = chunkBytes(size);
  const begin = Math.min(chunk * bytes, size);
  return { begin, length: Math.min(bytes, size - begin) };
}
