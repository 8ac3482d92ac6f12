// Secrets, keys and what is derived from them, with the browser's own cryptography (WebCrypto). It
// is there in secure contexts only.

import { decodeId16, encodeId16 } from './core/base64url';
import type { PeerId } from './core/messages';

const ROOM_INFO = new TextEncoder().encode('quartet room 1');

/** 128 random bits: a link's secret, or the key of a visit. */
export function newId16(): string {
  return encodeId16(crypto.getRandomValues(new Uint8Array(16)));
}

/** What the server may know of a link's secret: HKDF-SHA256 (RFC 5869). */
export async function roomOf(secret: string): Promise<string> {
  const key = await crypto.subtle.importKey('raw', bytes(secret), 'HKDF', false, ['deriveBits']);
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: ROOM_INFO };
  return encodeId16(new Uint8Array(await crypto.subtle.deriveBits(derivation, key, 128)));
}

/** The participant that a session key proves to be: the first 8 bytes of its SHA-256. */
export async function participantOf(key: string): Promise<PeerId> {
  const digest = await crypto.subtle.digest('SHA-256', bytes(key));
  const first = new Uint8Array(digest).subarray(0, 8);
  return Array.from(first, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function bytes(id: string): Uint8Array<ArrayBuffer> {
  const read = decodeId16(id);
  if (!read) throw new Error('not 16 bytes of base64url');
  return read;
}
