// The signalling messages (docs/protocol.md): one JSON object in one WebSocket text message.
//
// What comes from the server is read field by field: what is missing, malformed or too large makes
// the message unreadable, and an unreadable message costs nothing but itself.

import { decodeId32 } from './base64url';
import { clippedName } from './name';
import {
  MAX_CANDIDATE_BYTES,
  MAX_EXPLANATION,
  MAX_ICE_SERVERS,
  MAX_ICE_URLS,
  MAX_MESSAGE_BYTES,
  MAX_SDP_BYTES,
  MAX_U32,
} from './limits';
import type { Proof } from './trust';

/** 16 lower-case hexadecimal digits; their order as text is their order as numbers. */
export type PeerId = string;
/** The number of the connection of a pair, counted by the side that offers, from 1. */
export type Epoch = number;

/** What somebody sends and withholds. */
export interface MediaState {
  muted: boolean;
  camera_off: boolean;
  /** What is shared beside the camera; left out while nothing is. */
  sharing?: Sharing;
}

/** A tab of the browser counts as a window. */
export type Sharing = 'screen' | 'window';

export interface PeerInfo {
  id: PeerId;
  /** A stranger's text. */
  name: string;
  media: MediaState;
}

export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

export type DescriptionKind = 'offer' | 'answer';

/** As in `RTCIceCandidateInit`; an empty `candidate` ends them. */
export interface Candidate {
  candidate: string;
  sdpMid?: string;
  sdpMLineIndex?: number;
  usernameFragment?: string;
}

/** Why somebody is no longer in the room. */
export type LeaveReason = 'left' | 'lost' | 'removed';
/** Who gets into a room: everybody with the link, whom somebody inside lets in, nobody. */
export type RoomPolicy = 'open' | 'knock' | 'locked';

/** What one participant says to another through the server. */
export type Relayed =
  | { type: 'confirm'; epoch: Epoch; proof: Proof }
  | { type: 'candidate'; epoch: Epoch; candidate: Candidate }
  | { type: 'negotiate'; epoch: Epoch; renew: boolean };

export interface Description {
  type: 'description';
  epoch: Epoch;
  kind: DescriptionKind;
  sdp: string;
}

export type ClientMessage =
  | (Description & { proof: Proof; to: PeerId })
  | { type: 'hello'; version: number; client: string }
  | { type: 'watch'; room: string }
  | {
      type: 'join';
      room: string;
      key: string;
      name: string;
      media: MediaState;
      /** For the room that this makes. */
      policy: RoomPolicy;
      /** Only from somebody who comes back: the others as it knows them. */
      members?: PeerId[];
    }
  | { type: 'policy'; policy: RoomPolicy }
  | { type: 'admit' | 'refuse' | 'remove'; peer: PeerId }
  | { type: 'media'; media: MediaState }
  | { type: 'ping'; nonce: number }
  | { type: 'leave' }
  | (Relayed & { to: PeerId });

/** Who gets into a room, and who waits for it. */
interface Rules {
  policy: RoomPolicy;
  knocking: PeerInfo[];
}

export type ServerMessage =
  /** The proof is missing only where a server has taken it away. */
  | (Description & { proof: Proof | null; from: PeerId })
  | { type: 'hello' }
  | { type: 'roster'; peers: PeerInfo[]; policy: RoomPolicy }
  | ({ type: 'welcome'; you: PeerId; peers: PeerInfo[]; ice_servers: IceServer[] } & Rules)
  | { type: 'ice_servers'; ice_servers: IceServer[] }
  | { type: 'peer_joined'; peer: PeerInfo }
  | { type: 'peer_left'; peer: PeerId; reason: LeaveReason; by: PeerId | null }
  /** Somebody inside has to let the receiver in. */
  | { type: 'waiting' }
  | { type: 'knock'; peer: PeerInfo }
  | { type: 'knock_over'; peer: PeerId }
  | { type: 'policy'; policy: RoomPolicy; by: PeerId }
  | { type: 'peer_media'; peer: PeerId; media: MediaState }
  | { type: 'pong' }
  | { type: 'error'; code: string; message: string }
  | (Relayed & { from: PeerId });

/** People listed by one message; more than these nobody believes anyway. */
const MAX_LISTED = 32;

type Fields = Record<string, unknown>;

class Unreadable extends Error {}

/** `null` for what is no message of this protocol. */
export function readServerMessage(text: string): ServerMessage | null {
  if (text.length > MAX_MESSAGE_BYTES) return null;
  try {
    return serverMessage(fields(JSON.parse(text)));
  } catch {
    return null;
  }
}

function serverMessage(it: Fields): ServerMessage {
  switch (it['type']) {
    case 'hello':
      return { type: 'hello' };
    case 'pong':
      return { type: 'pong' };
    case 'roster':
      return { type: 'roster', peers: peers(it['peers']), policy: policy(it['policy']) };
    case 'welcome':
      return {
        type: 'welcome',
        you: peerId(it['you']),
        peers: peers(it['peers']),
        ice_servers: iceServers(it),
        policy: policy(it['policy']),
        knocking: peers(it['knocking'] ?? []),
      };
    case 'ice_servers':
      return { type: 'ice_servers', ice_servers: iceServers(it) };
    case 'peer_joined':
      return { type: 'peer_joined', peer: peerInfo(it['peer']) };
    case 'peer_left': {
      const reason = oneOf(it['reason'], ['left', 'lost', 'removed']);
      const by = it['by'] == null ? null : peerId(it['by']);
      return { type: 'peer_left', peer: peerId(it['peer']), reason, by };
    }
    case 'peer_media':
      return { type: 'peer_media', peer: peerId(it['peer']), media: media(it['media']) };
    case 'waiting':
      return { type: 'waiting' };
    case 'knock':
      return { type: 'knock', peer: peerInfo(it['peer']) };
    case 'knock_over':
      return { type: 'knock_over', peer: peerId(it['peer']) };
    case 'policy':
      return { type: 'policy', policy: policy(it['policy']), by: peerId(it['by']) };
    case 'error':
      return {
        type: 'error',
        code: text(it['code'], 64),
        message: text(it['message'], MAX_MESSAGE_BYTES).slice(0, MAX_EXPLANATION),
      };
    case 'description':
      return { ...description(it), from: peerId(it['from']) };
    default:
      return { ...relayed(it), from: peerId(it['from']) };
  }
}

function description(it: Fields): Description & { proof: Proof | null } {
  const kind = oneOf(it['kind'], ['offer', 'answer']);
  const sdp = text(it['sdp'], MAX_SDP_BYTES);
  const proven = it['proof'] == null ? null : proof(it['proof']);
  return { type: 'description', epoch: u32(it['epoch']), kind, sdp, proof: proven };
}

function proof(value: unknown): Proof {
  const it = fields(value);
  const [word, mac] = [text(it['word'], 43), text(it['mac'], 43)];
  if (!decodeId32(word) || !decodeId32(mac)) throw new Unreadable();
  return { word, mac };
}

function relayed(it: Fields): Relayed {
  const epoch = u32(it['epoch']);
  switch (it['type']) {
    case 'confirm':
      return { type: 'confirm', epoch, proof: proof(it['proof']) };
    case 'candidate':
      return { type: 'candidate', epoch, candidate: candidate(fields(it['candidate'])) };
    case 'negotiate':
      return { type: 'negotiate', epoch, renew: flag(it['renew']) };
    default:
      throw new Unreadable();
  }
}

function candidate(it: Fields): Candidate {
  const read: Candidate = { candidate: text(it['candidate'], MAX_CANDIDATE_BYTES) };
  const [mid, index, fragment] = [it['sdpMid'], it['sdpMLineIndex'], it['usernameFragment']];
  if (mid != null) read.sdpMid = text(mid, MAX_CANDIDATE_BYTES);
  if (index != null) read.sdpMLineIndex = u32(index);
  if (fragment != null) read.usernameFragment = text(fragment, MAX_CANDIDATE_BYTES);
  return read;
}

function iceServers(it: Fields): IceServer[] {
  return list(it['ice_servers'], MAX_ICE_SERVERS).map(iceServer);
}

function iceServer(value: unknown): IceServer {
  const it = fields(value);
  const urls = list(it['urls'], MAX_ICE_URLS).map((url) => text(url, MAX_CANDIDATE_BYTES));
  const read: IceServer = { urls };
  const { username, credential } = it;
  if (username != null) read.username = text(username, MAX_CANDIDATE_BYTES);
  if (credential != null) read.credential = text(credential, MAX_CANDIDATE_BYTES);
  return read;
}

function policy(value: unknown): RoomPolicy {
  return oneOf(value ?? 'open', ['open', 'knock', 'locked']);
}

function peers(value: unknown): PeerInfo[] {
  return list(value, MAX_LISTED).map(peerInfo);
}

function peerInfo(value: unknown): PeerInfo {
  const it = fields(value);
  const name = clippedName(text(it['name'], MAX_MESSAGE_BYTES));
  return { id: peerId(it['id']), name, media: media(it['media']) };
}

function media(value: unknown): MediaState {
  const it = fields(value);
  const sharing = it['sharing'];
  return {
    muted: flag(it['muted']),
    camera_off: flag(it['camera_off']),
    // What a later version calls otherwise is a screen.
    ...(typeof sharing === 'string' && { sharing: sharing === 'window' ? sharing : 'screen' }),
  };
}

function peerId(value: unknown): PeerId {
  const id = text(value, 16);
  if (!/^[0-9a-f]{16}$/.test(id)) throw new Unreadable();
  return id;
}

function fields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Unreadable();
  return value as Fields;
}

/** The first `most` of a list. */
function list(value: unknown, most: number): unknown[] {
  if (!Array.isArray(value)) throw new Unreadable();
  return value.slice(0, most);
}

function text(value: unknown, longest: number): string {
  if (typeof value !== 'string' || value.length > longest) throw new Unreadable();
  return value;
}

function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new Unreadable();
  return value;
}

function u32(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > MAX_U32) {
    throw new Unreadable();
  }
  return value;
}

function oneOf<const T extends string>(value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((it) => it === value);
  if (found === undefined) throw new Unreadable();
  return found;
}
