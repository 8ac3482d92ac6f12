// Secrets, keys and what is derived from them, with the browser's own cryptography (WebCrypto). It
// is there in secure contexts only.

import { decodeId16, encodeId16 } from './core/base64url';
import type { PeerId } from './core/messages';

const ROOM_INFO = new TextEncoder().encode('quartet room 1');
const AUTH_INFO = new TextEncoder().encode('quartet auth 1');

/** 128 random bits: a link's secret, or the key of a visit. */
export function newId16(): string {
  return encodeId16(crypto.getRandomValues(new Uint8Array(16)));
}

/** 256 random bits, from which the nonces of a visit are made. */
export function newSeed(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
}

/** What the server may know of a link's secret: HKDF-SHA256 (RFC 5869). */
export async function roomOf(secret: string): Promise<string> {
  return encodeId16(await derived(secret, ROOM_INFO, 16));
}

/** What the participants prove themselves with: likewise. */
export async function authKeyOf(secret: string): Promise<Uint8Array> {
  return derived(secret, AUTH_INFO, 32);
}

/** One for a whole visit, so that the others see the same one after every reconnect. */
export async function newCertificate(): Promise<RTCCertificate> {
  const ecdsa: EcKeyGenParams = { name: 'ECDSA', namedCurve: 'P-256' };
  return RTCPeerConnection.generateCertificate(ecdsa);
}

async function derived(secret: string, info: Uint8Array<ArrayBuffer>, bytesLong: number) {
  const key = await crypto.subtle.importKey('raw', bytes(secret), 'HKDF', false, ['deriveBits']);
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info };
  return new Uint8Array(await crypto.subtle.deriveBits(derivation, key, bytesLong * 8));
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
