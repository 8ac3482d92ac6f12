// Display names: what somebody may be called on the others' screens. The server has the same rules
// (`quartet_proto::display_name`); asked here, a refusal needs no round trip.

import { MAX_NAME_CHARS } from './limits';

// Controls, direction marks (UAX #9), line separators, and what is invisible or shows nothing.
const REFUSED =
  /[\p{Cc}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\u2028\u2029\u00AD\u200B\u2060-\u2065\u206A-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}\u115F\u1160\u3164\uFFA0]/u;
// Words and emoji need these, but they show nothing by themselves.
const UNSEEN = /^[\s\u200C\u200D\uFE00-\uFE0F\u2800]*$/u;

/** The name without the white space around it; `null` if it cannot be one. */
export function displayableName(text: string): string | null {
  const name = text.trim();
  if ([...name].length > MAX_NAME_CHARS) return null;
  return REFUSED.test(name) || UNSEEN.test(name) ? null : name;
}

/** No longer than a name may be, whatever a server says. */
export function clippedName(text: string): string {
  return text.length <= MAX_NAME_CHARS ? text : [...text].slice(0, MAX_NAME_CHARS).join('');
}
