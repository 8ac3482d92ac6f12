// The files of a call, as they are listed: pure.

import type { FileView } from '../bindings';

/** Files that are listed; of more, those that are over go first, the oldest first. */
const MOST = 300;

export function keyOf(file: FileView): string {
  return file.outgoing ? `${file.file} ${file.peer}` : file.file;
}

export const isOver = (file: FileView): boolean => file.phase === 'done' || file.phase === 'failed';

/** It waits for the person's answer. */
export const asks = (file: FileView): boolean => !file.outgoing && file.phase === 'offered';

/** The newest first; each takes the place of an earlier one of its key. */
export function withFiles(list: readonly FileView[], added: readonly FileView[]): FileView[] {
  const files = [...list];
  for (const file of added) {
    const place = files.findIndex((it) => keyOf(it) === keyOf(file));
    if (place >= 0) files[place] = file;
    else files.unshift(file);
  }
  while (files.length > MOST) {
    const over = files.findLastIndex(isOver);
    files.splice(over >= 0 ? over : files.length - 1, 1);
  }
  return files;
}

/** Seconds until all of it is there; none where nobody can say. */
export function secondsLeft(file: FileView): number | null {
  if (file.phase !== 'sending' || file.rate <= 0) return null;
  return Math.max(1, Math.round((file.size - file.bytes) / file.rate));
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;

/** «1.5 MB», in the words of the language. */
export function sizeText(bytes: number, language: string, perSecond = false): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 99.95 ? 1 : 0;
  const name = UNITS[unit] ?? 'byte';
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: perSecond ? `${name}-per-second` : name,
    maximumFractionDigits: digits,
  }).format(value);
}

/** «3 minutes»: one unit, for it is a guess. */
export function timeText(seconds: number, language: string): string {
  const [value, unit] =
    seconds < 90
      ? [seconds, 'second']
      : seconds < 5400
        ? [seconds / 60, 'minute']
        : [seconds / 3600, 'hour'];
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit,
    unitDisplay: 'long',
    maximumFractionDigits: 0,
  }).format(Math.round(value));
}
