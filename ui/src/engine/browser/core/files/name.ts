// What a received file is called: the twin of `proto::safe_file_name`. The browser has rules of its
// own for what it downloads; this is what is shown, and what is sent.

import { bytesOf } from '../../../../chat/limits';

const MOST_BYTES = 200;
const MOST_EXTENSION = 32;
const HIDES =
  /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\u00ad\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\u115f\u1160\u3164\uffa0]/gu;
const FORBIDDEN = /[\0-\x1f\x7f-\x9f<>:"|?*/\\]/g;
const EDGES = /^[.\p{White_Space}]+|[.\p{White_Space}]+$/gu;
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)/iu;

/** A name that names one ordinary, visible file, and shows what it is. Never empty. */
export function safeFileName(text: string): string {
  const parts = text
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(HIDES, '')
    .split(/[/\\]/);
  const last = parts.findLast((part) => part.replace(EDGES, '') !== '') ?? '';
  const name = shorten(last.replace(FORBIDDEN, '_').replace(EDGES, ''));
  if (name === '') return 'file';
  return DEVICE.test(name) ? `_${name}` : name;
}

function shorten(name: string): string {
  if (bytesOf(name) <= MOST_BYTES) return name;
  const [, stem = name, extension] =
    /^(.+)\.([^.\s]+)$/su.exec(name)?.filter((it) => it !== undefined) ?? [];
  const keeps = extension !== undefined && bytesOf(extension) <= MOST_EXTENSION;
  const end = keeps ? `.${extension}` : '';
  let short = '';
  for (const character of keeps ? stem : name) {
    if (bytesOf(short + character + end) > MOST_BYTES) break;
    short += character;
  }
  return short.replace(EDGES, '') + end;
}
