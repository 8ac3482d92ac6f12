// Texts by key, with the parameters that each key needs checked by the compiler.

import type { FailureView } from '../bindings';
import { en } from './en';
import { th } from './th';

type English = typeof en;
export type MessageKey = keyof English;
export type LanguageCode = 'en' | 'th';

interface Plural {
  one: string;
  other: string;
}
/** A language: all keys, in the form that English has. */
export type Catalogue = { [K in MessageKey]: English[K] extends string ? string : Plural };

type Names<Text> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Names<Rest>
  : never;
type Parameters<K extends MessageKey> = English[K] extends string
  ? { [N in Names<English[K]>]: string | number }
  : { [N in Names<English[K][keyof English[K]]>]: string | number } & { count: number };

/** The keys without parameters. */
type Plain = {
  [K in MessageKey]: keyof Parameters<K> extends never ? K : never;
}[MessageKey];

/** A key with its parameters; the second argument is absent when there are none. */
export type MessageArguments =
  | [key: Plain]
  | { [K in Exclude<MessageKey, Plain>]: [key: K, Parameters<K>] }[Exclude<MessageKey, Plain>];

export type Translate = (...message: MessageArguments) => string;

export const catalogues: Record<LanguageCode, Catalogue> = { en, th };

// First strong isolate … pop directional isolate: a stranger's name in a right-to-left script
// cannot turn round the sentence that it stands in.
const ISOLATE = '\u2068';
const POP = '\u2069';

export function isolate(text: string): string {
  return ISOLATE + text + POP;
}

/** Strangers' names as a list in a sentence: «Ann, Bob and Cid». */
export function listOf(names: string[], language: LanguageCode): string {
  const list = new Intl.ListFormat(language, { type: 'conjunction' });
  // Thai is listed with spaces alone, which names have too, and without any around «and».
  const parts = list.formatToParts(names.map(isolate));
  const spaced = (literal: string) =>
    literal.trim() ? literal.replace(/\s*(\p{Script=Thai}+)\s*/u, ' $1 ') : ', ';
  return parts.map(({ type, value }) => (type === 'literal' ? spaced(value) : value)).join('');
}

export function translator(language: LanguageCode): Translate {
  const catalogue = catalogues[language];
  const plural = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);
  return (key: MessageKey, parameters: Record<string, string | number> = {}): string => {
    const entry = catalogue[key];
    const text =
      typeof entry === 'string'
        ? entry
        : entry[plural.select(Number(parameters['count'])) === 'one' ? 'one' : 'other'];
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = parameters[name];
      if (value === undefined) return whole;
      return typeof value === 'number' ? number.format(value) : isolate(value);
    });
  };
}

/** Words for a failure: the page's own, or the English ones that came with it. */
export function failureText(t: Translate, { code, message }: FailureView): string {
  const key = `failure.${code}`;
  return known(key) ? t(key) : t('unknown.failure', { message });
}

function known(key: string): key is Extract<MessageKey, `failure.${string}`> {
  return Object.hasOwn(en, key);
}
