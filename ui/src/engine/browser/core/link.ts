// Join links: `https://HOST/j#SECRET` and `quartet://join?server=ORIGIN#SECRET`. The text is a
// stranger's: anything unusual is refused.

import { isId16 } from './base64url';
import { MAX_LINK_BYTES } from './limits';

export interface JoinLink {
  /** The signalling server's origin: scheme, host and port. */
  server: string;
  /** 128 bits, which never reach a server. */
  secret: string;
}

/** `null` when the text is neither of the two forms. */
export function parseLink(text: string): JoinLink | null {
  const trimmed = text.trim();
  if (new TextEncoder().encode(trimmed).length > MAX_LINK_BYTES) return null;
  const url = parseUrl(trimmed);
  const secret = url?.hash.slice(1) ?? '';
  if (!url || !isId16(secret) || url.username || url.password) return null;
  const server = url.protocol === 'quartet:' ? namedServer(url) : ownServer(url);
  return server === null ? null : { server, secret };
}

/** The form that people send. */
export function webLink({ server, secret }: JoinLink): string {
  return `${server}/j#${secret}`;
}

/** The form that opens the app directly. */
export function appLink({ server, secret }: JoinLink): string {
  return `quartet://join?server=${encodeURIComponent(server)}#${secret}`;
}

/** Host and port, for people. */
export function authority(server: string): string {
  return server.slice(server.indexOf('//') + 2);
}

/** Where the signalling is. */
export function webSocketAddress(server: string): string {
  return `${server.replace(/^http/, 'ws')}/ws`;
}

/** `http://HOST[:PORT]` or `https://…`, with nothing else in it. */
function parseServer(text: string): string | null {
  const url = parseUrl(text);
  if (!url || !isWeb(url) || url.username || url.password) return null;
  return url.pathname === '/' && !url.search && !url.hash ? url.origin : null;
}

function ownServer(url: URL): string | null {
  const room = ['/j', '/j/'].includes(url.pathname) && !url.search;
  return isWeb(url) && room ? url.origin : null;
}

function namedServer(url: URL): string | null {
  // Browsers differ in whether an unknown scheme has a host; the text after it is the same.
  const place = url.href.slice(url.protocol.length).replace(/[?#].*$/s, '');
  if (!['//join', '//join/'].includes(place)) return null;
  const pairs = [...url.searchParams];
  const [key, origin] = pairs[0] ?? [];
  return pairs.length === 1 && key === 'server' && origin ? parseServer(origin) : null;
}

function isWeb(url: URL): boolean {
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '';
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
