// How two participants prove to each other, past the server, that they hold the same link. The same
// bytes as `quartet_proto::trust`; `docs/protocol.md` has them in words, with test vectors.
//
// The hashes are those of `@noble/hashes` and not of WebCrypto, whose every word is a promise: the
// machines here are pure, and look at a proof at the moment in which it comes.

import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { decodeId32, encodeBytes } from './base64url';
import type { Epoch, PeerId } from './messages';

/** What is said beside a description; both are 32 bytes of base64url. */
export interface Proof {
  /** In an offer the commitment to the offerer's nonce, else the sender's nonce. */
  word: string;
  /** HMAC-SHA256 of the statement. */
  mac: string;
}

/** 32 bytes of a certificate. */
export type Fingerprint = Uint8Array;

/** Everything that a proof vouches for. */
export interface Statement {
  about: 'offer' | 'answer' | 'confirm';
  epoch: Epoch;
  from: PeerId;
  to: PeerId;
  /** The sender's certificate. */
  own: Fingerprint;
  /** The addressee's, in an answer and a `confirm`. */
  other: Fingerprint | null;
  /** The `mac` of the offer, the `word` of the answer, nothing for an offer. */
  replyTo: string | null;
  /** Nothing for a `confirm`. */
  sdp: string | null;
}

/** One end of a pair, as far as the code goes. */
export interface CodePart {
  id: PeerId;
  fingerprint: Fingerprint;
  nonce: Uint8Array;
}

/** Four places in the table of emoji. */
export type Code = [number, number, number, number];

const KINDS = { offer: 1, answer: 2, confirm: 3 };
const ABSENT = new Uint8Array(32);

export function prove(key: Uint8Array, statement: Statement, word: string): Proof {
  return { word, mac: encodeBytes(authenticate(key, statement, word)) };
}

/** Takes the same time for every wrong proof. */
export function isProven(key: Uint8Array, statement: Statement, proof: Proof): boolean {
  const [right, said] = [authenticate(key, statement, proof.word), decodeId32(proof.mac)];
  if (!said) return false;
  let difference = 0;
  for (let place = 0; place < right.length; place++) {
    difference |= (right[place] ?? 0) ^ (said[place] ?? 0);
  }
  return difference === 0;
}

/** The nonce of these numbers; another for every other pair of them. */
export function nonceOf(seed: Uint8Array, acquaintance: number, round: number): Uint8Array {
  return hmac(sha256, seed, utf8ToBytes(`${String(acquaintance)} ${String(round)}`));
}

/** What can be shown before a nonce, and binds to it. */
export function commitment(nonce: Uint8Array): string {
  return encodeBytes(sha256(concatBytes(utf8ToBytes('quartet commitment 1'), nonce)));
}

export function codeOf(offerer: CodePart, answerer: CodePart): Code {
  const ends = [offerer, answerer];
  const digest = sha256(
    concatBytes(
      utf8ToBytes('quartet code 1'),
      ...ends.map(({ id }) => idBytes(id)),
      ...ends.map(({ fingerprint }) => fingerprint),
      ...ends.map(({ nonce }) => nonce),
    ),
  );
  const [a = 0, b = 0, c = 0] = digest;
  const bits = (a << 16) | (b << 8) | c;
  return [bits >> 18, (bits >> 12) & 63, (bits >> 6) & 63, bits & 63];
}

/**
 * The one certificate that a description names; `null` when there is none, or anything else beside
 * it. Stricter than RFC 8122, so that the browser cannot find another one in the same text: the
 * word stands only in lines of the one form, whatever ends a line there, and all agree.
 */
export function fingerprintOf(sdp: string): Fingerprint | null {
  let found: string | null = null;
  for (const line of sdp.split(/[\r\n]/)) {
    if (!/fingerprint/i.test(line)) continue;
    const value = /^a=fingerprint:sha-256 ((?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2})$/.exec(line)?.[1];
    if (value === undefined) return null;
    found ??= value.toUpperCase();
    if (found !== value.toUpperCase()) return null;
  }
  if (found === null) return null;
  return Uint8Array.from(found.split(':'), (byte) => parseInt(byte, 16));
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, place) => byte === b[place]);
}

/** Every part has a fixed length, so no two statements have the same bytes. */
function authenticate(key: Uint8Array, it: Statement, word: string): Uint8Array {
  const epoch = new Uint8Array(4);
  new DataView(epoch.buffer).setUint32(0, it.epoch);
  const statement = concatBytes(
    utf8ToBytes('quartet proof 1'),
    Uint8Array.of(KINDS[it.about]),
    epoch,
    idBytes(it.from),
    idBytes(it.to),
    it.own,
    it.other ?? ABSENT,
    decodeId32(word) ?? ABSENT,
    (it.replyTo !== null && decodeId32(it.replyTo)) || ABSENT,
    it.sdp === null ? ABSENT : sha256(utf8ToBytes(it.sdp)),
  );
  return hmac(sha256, key, statement);
}

function idBytes(id: PeerId): Uint8Array {
  return Uint8Array.from(id.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}
