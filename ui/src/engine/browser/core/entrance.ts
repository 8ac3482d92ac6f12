// What a page does first, when it is opened in a browser: go in, offer the app, or say why this
// browser cannot.

import { appLink, parseLink } from './link';

/** What the browser and the address say. */
export interface Arrival {
  /** The page's own address. */
  href: string;
  /** Cameras, microphones and cryptography are there in a secure context only. */
  secure: boolean;
  /** What calls need is there. */
  capable: boolean;
  /** The person chose the browser before. */
  remembered: boolean;
}

export type Entrance =
  /** Nothing stands in the way. */
  | { at: 'open' }
  /** A link was opened for the first time: the app, or here? */
  | { at: 'choice'; app: string }
  /** Not a secure context, or too old a browser: the app only, if there is a link to open in it. */
  | { at: 'insecure' | 'too_old'; app: string | null };

export function entrance({ href, secure, capable, remembered }: Arrival): Entrance {
  const link = parseLink(href);
  const app = link && appLink(link);
  if (!secure) return { at: 'insecure', app };
  if (!capable) return { at: 'too_old', app };
  return app === null || remembered ? { at: 'open' } : { at: 'choice', app };
}
