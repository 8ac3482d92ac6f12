// 16 bytes as 22 characters of base64url without padding (RFC 4648 §5), as all identifiers and the
// secret are written; and the 32 bytes of proofs as 43.

const FORM = /^[A-Za-z0-9_-]{21}[AQgw]$/;

/** 32 bytes likewise, of which the last character carries 4 bits. */
const FORM_32 = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** The last character carries 2 bits only: any other in its place is not how we write it. */
export function isId16(text: string): boolean {
  return FORM.test(text);
}

export function encodeId16(bytes: Uint8Array): string {
  return encodeBytes(bytes);
}

export function encodeBytes(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** `null` when the text is no such identifier. */
export function decodeId16(text: string): Uint8Array<ArrayBuffer> | null {
  return isId16(text) ? decode(text) : null;
}

/** 32 bytes as 43 characters; `null` when the text is not that. */
export function decodeId32(text: string): Uint8Array<ArrayBuffer> | null {
  return FORM_32.test(text) ? decode(text) : null;
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
