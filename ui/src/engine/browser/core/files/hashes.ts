// What proves that the bytes of a file are its bytes: a hash for each chunk, and one over them all,
// which names the file.

import { blake3 } from '@noble/hashes/blake3.js';

import { encodeBytes } from '../base64url';
import { chunkCount, chunkRange, type FileId } from './message';

const HASH_BYTES = 32;
const CONTEXT = new TextEncoder().encode('quartet file 1');

export const hashChunk = (bytes: Uint8Array): Uint8Array => blake3(bytes);

/** What a file of this size is named whose chunks have these hashes. */
export function fileOf(size: number, list: Uint8Array): FileId {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setBigUint64(0, BigInt(size));
  return encodeBytes(blake3.create().update(CONTEXT).update(head).update(list).digest());
}

/** Whether this is the list of the hashes that a file is named for. */
export function isListOf(file: FileId, size: number, list: Uint8Array): boolean {
  return list.length === chunkCount(size) * HASH_BYTES && fileOf(size, list) === file;
}

/** Whether these are the bytes of that chunk. */
export function proves(list: Uint8Array, size: number, chunk: number, bytes: Uint8Array): boolean {
  const wanted = list.subarray(chunk * HASH_BYTES, (chunk + 1) * HASH_BYTES);
  if (wanted.length < HASH_BYTES || chunkRange(size, chunk).length !== bytes.length) return false;
  const hash = hashChunk(bytes);
  return hash.every((byte, index) => byte === wanted[index]);
}
