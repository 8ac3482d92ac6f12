// 16 bytes as 22 characters of base64url without padding (RFC 4648 §5), as all identifiers and the
// secret are written.

const FORM = /^[A-Za-z0-9_-]{21}[AQgw]$/;

/** The last character carries 2 bits only: any other in its place is not how we write it. */
export function isId16(text: string): boolean {
  return FORM.test(text);
}

export function encodeId16(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** `null` when the text is no such identifier. */
export function decodeId16(text: string): Uint8Array<ArrayBuffer> | null {
  if (!isId16(text)) return null;
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
