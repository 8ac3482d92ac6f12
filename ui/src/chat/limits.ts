/** Bytes of UTF-8 in one message, as `docs/protocol.md` gives them. */
export const MAX_CHAT_BYTES = 4096;
/** Characters of an address that is made clickable: what every browser takes. */
export const MAX_URL_CHARS = 2000;
/** Lines on the page; then the oldest goes. */
export const MAX_LINES = 2000;

const encoder = new TextEncoder();

/** Bytes of UTF-8. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}
