// Addresses in a stranger's words, made clickable without being believed: only http and https, with
// no name or password in them, and shown so that what one reads is where one goes.

import { MAX_URL_CHARS } from './limits';

export interface Part {
  text: string;
  /** Where a click on it goes. */
  href?: string;
}

// To the next white space or character that no address has.
const CANDIDATE = /https?:\/\/[^\s<>"'`{}|\\^]+/giu;
// What ends a sentence rather than an address.
const TRAILING = /[.,;:!?…ฯ)\]]+$/u;
// Letters that keep their order and look like themselves; Thai has no capitals to confuse.
const PLAIN = /^[\u0021-\u007e\u0e01-\u0e5b]+$/;

/** The text, cut where addresses begin and end; nothing of it is left out or changed but theirs. */
export function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(CANDIDATE)) {
    const address = withoutTrailing(found);
    const href = hrefOf(address);
    if (href === null) continue;
    if (index > end) parts.push({ text: text.slice(end, index) });
    parts.push({ text: shown(address, href), href });
    end = index + address.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}

/** Where an address goes; `null` if a click on it may not go anywhere. */
export function hrefOf(address: string): string | null {
  if (address.length > MAX_URL_CHARS || !URL.canParse(address)) return null;
  const { protocol, hostname, username, password, href } = new URL(address);
  const isWeb = (protocol === 'http:' || protocol === 'https:') && hostname !== '';
  // `https://bank.example@evil.example/` is an address of evil.example.
  return isWeb && username === '' && password === '' && href.length <= MAX_URL_CHARS ? href : null;
}

/** As it was written where that cannot deceive; else in its canonical form, which is ASCII. */
function shown(address: string, href: string): string {
  const host = /^https?:\/\/([^/?#]*)/i.exec(address)?.[1] ?? '';
  return PLAIN.test(address) && host.toLowerCase() === new URL(href).host ? address : href;
}

function withoutTrailing(address: string): string {
  const shorter = address.replace(TRAILING, '');
  const closing = address.charAt(shorter.length);
  // A bracket that the address has opened is its own.
  const opened = closing === ')' ? '(' : closing === ']' ? '[' : null;
  return opened && shorter.includes(opened) ? shorter + closing : shorter;
}
