// What two participants say to each other past the server, on the data channel `quartet`.

import type { LimitView } from '../../../bindings';
import { MAX_PEER_MESSAGE_BYTES, MAX_ROOM_IDS, MAX_U32, MAX_VIEW } from './limits';
import type { PeerId, RoomPolicy } from './messages';

/** How high the receiver shows the sender's picture, pixels of its screen; 0 for not at all. */
export interface ViewWord {
  type: 'view';
  height: number;
  /** The same of the screen that the sender shares; left out by those who know no screens. */
  screen?: number;
}

/** Whom the sender takes for a participant, so that the server alone cannot let anybody in. */
export interface RoomWord {
  type: 'room';
  policy: RoomPolicy;
  /** How many times that was changed: the higher number is the newer word. */
  change: number;
  admitted: PeerId[];
  /** Whom the sender itself put out. */
  removed: PeerId[];
}

/** The sender's hand: its place in the order of raising, 0 while it is down. */
export interface HandWord {
  type: 'hand';
  raised: number;
}

export const REACTIONS = ['thumbs_up', 'heart', 'clap', 'laugh', 'wow', 'party'] as const;

/** How somebody reacts without a word. */
export type Reaction = (typeof REACTIONS)[number];

/** The sender reacts, for the `count`-th time in its visit. */
export interface ReactionWord {
  type: 'reaction';
  count: number;
  kind: Reaction;
}

/** How the sender is doing, so that the receiver can tell why it gets what it gets. */
export interface ConditionWord {
  type: 'condition';
  limited_by: LimitView;
  busy: boolean;
}

export type PeerMessage = ViewWord | RoomWord | HandWord | ReactionWord | ConditionWord;

const LIMITS: readonly LimitView[] = ['none', 'bandwidth', 'cpu', 'view'];

/** The label and the id that both ends give the channel. */
export const CHANNEL = { label: 'quartet', id: 0 } as const;

/** `null` for what is unknown, too long or malformed: it is ignored. */
export function readPeerMessage(data: unknown): PeerMessage | null {
  if (typeof data !== 'string' || data.length > MAX_PEER_MESSAGE_BYTES) return null;
  let read: unknown;
  try {
    read = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read)) return null;
  const it = read as Record<string, unknown>;
  switch (it['type']) {
    case 'view':
      return view(it);
    case 'room':
      return room(it);
    case 'hand':
      return hand(it);
    case 'reaction':
      return reaction(it);
    case 'condition':
      return condition(it);
    default:
      return null;
  }
}

function hand({ raised }: Record<string, unknown>): HandWord | null {
  return isCount(raised, MAX_U32) ? { type: 'hand', raised } : null;
}

function reaction({ count, kind }: Record<string, unknown>): ReactionWord | null {
  const known = REACTIONS.find((it) => it === kind);
  return isCount(count, MAX_U32) && known ? { type: 'reaction', count, kind: known } : null;
}

function view({ height, screen }: Record<string, unknown>): ViewWord | null {
  if (!isCount(height, MAX_VIEW)) return null;
  if (screen === undefined || screen === null) return { type: 'view', height };
  return isCount(screen, MAX_VIEW) ? { type: 'view', height, screen } : null;
}

function room({ policy, change, ...lists }: Record<string, unknown>): RoomWord | null {
  if (policy !== 'open' && policy !== 'knock' && policy !== 'locked') return null;
  const [admitted, removed] = [ids(lists['admitted']), ids(lists['removed'])];
  if (!isCount(change, MAX_U32) || !admitted || !removed) return null;
  return { type: 'room', policy, change, admitted, removed };
}

function condition({ limited_by, busy }: Record<string, unknown>): ConditionWord | null {
  const limit = LIMITS.find((it) => it === limited_by);
  if (!limit || typeof busy !== 'boolean') return null;
  return { type: 'condition', limited_by: limit, busy };
}

function ids(value: unknown): PeerId[] | null {
  const isId = (it: unknown): it is PeerId => typeof it === 'string' && /^[0-9a-f]{16}$/.test(it);
  return Array.isArray(value) && value.every(isId) ? value.slice(0, MAX_ROOM_IDS) : null;
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}
