// What two participants say to each other past the server, on the data channel `quartet`.

import { MAX_PEER_MESSAGE_BYTES, MAX_VIEW } from './limits';

/** How high the receiver shows the sender's picture, pixels of its screen; 0 for not at all. */
export interface PeerMessage {
  type: 'view';
  height: number;
}

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
  if (typeof read !== 'object' || read === null) return null;
  if (!('type' in read) || read.type !== 'view' || !('height' in read)) return null;
  const { height } = read;
  if (typeof height !== 'number' || !Number.isInteger(height)) return null;
  return height >= 0 && height <= MAX_VIEW ? { type: 'view', height } : null;
}
