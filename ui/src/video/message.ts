// The messages of a tile's channel: a 16-byte little-endian header, then one picture.
//
//   0  flags: 1 = key frame, 2 = decoded
//   2  width, u16        4  height, u16
//   8  timestamp, µs, u64
//  16  a VP8 frame; or, when decoded, the planes Y, U and V of I420, tightly packed

import { i420Bytes } from './i420';

const HEADER_BYTES = 16;
const KEY = 1;
const DECODED = 2;

export interface TileMessage {
  key: boolean;
  decoded: boolean;
  width: number;
  height: number;
  /** Microseconds. */
  timestamp: number;
  payload: Uint8Array<ArrayBuffer>;
}

/** `null` when the bytes are no message. */
export function parseTileMessage(data: ArrayBuffer): TileMessage | null {
  if (data.byteLength <= HEADER_BYTES) return null;
  const view = new DataView(data);
  const flags = view.getUint8(0);
  const message = {
    key: (flags & KEY) !== 0,
    decoded: (flags & DECODED) !== 0,
    width: view.getUint16(2, true),
    height: view.getUint16(4, true),
    timestamp: Number(view.getBigUint64(8, true)),
    payload: new Uint8Array(data, HEADER_BYTES),
  };
  if (message.decoded) {
    const { width, height, payload } = message;
    if (width === 0 || height === 0 || payload.length !== i420Bytes(width, height)) return null;
  }
  return message;
}
