// Names are strangers' texts: shown as they are, but unable to change anything around them.

// C0 and C1 controls, and everything that overrides or isolates direction.
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Thai vowels that are written before the consonant they follow in speech. */
const THAI_LEADING_VOWEL = /^[\u0e40-\u0e44]/u;

/** The name on one line, without invisible characters that act on the text around it. */
export function displayName(name: string, nobody: string): string {
  return name.replace(UNSEEN, ' ').replace(/\s+/gu, ' ').trim() || nobody;
}

/** One or two characters, as readers see characters, that stand for a name. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => /[\p{L}\p{N}\p{Emoji}]/u.test(word));
  const first = words[0] ?? name;
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  return (opening(first) + (last ? opening(last) : '')).toLocaleUpperCase();
}

/** A hue in degrees, always the same one for the same person. */
export function hue(id: string): number {
  let hash = 0;
  for (const character of id) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 100_003;
  // Eight hues that are easy to tell apart.
  return (hash % 8) * 45 + 10;
}

function opening(word: string): string {
  const graphemes = [...new Intl.Segmenter().segment(word)].map((part) => part.segment);
  const count = THAI_LEADING_VOWEL.test(word) ? 2 : 1;
  return graphemes.slice(0, count).join('');
}
