// What the page keeps in the browser: the settings, and that the person chose the browser. Never a
// room, a key or a secret. A browser may refuse to keep anything; then it holds for this page only.

import type { DeviceView, Settings } from '../../bindings';
import type { DeviceKind } from '../engine';
import { readSettings } from './core/settings';

const SETTINGS = 'quartet.settings';
const DEVICE = 'quartet.device';
const ENTRANCE = 'quartet.entrance';
const BROWSER = 'browser';

export function keptSettings(): Settings {
  return readSettings(get(SETTINGS));
}

/** Whether they could be kept. */
export function keepSettings(settings: Settings): boolean {
  return set(SETTINGS, JSON.stringify(settings));
}

/** A chosen device's name, which browsers tell only after one was allowed. */
export function keepDevice(kind: DeviceKind, { id, label }: DeviceView): void {
  set(`${DEVICE}.${kind}`, `${id}\n${label}`);
}

/** The chosen device, if its name is known. */
export function keptDevice(kind: DeviceKind, chosen: string): DeviceView | null {
  const [id, label] = get(`${DEVICE}.${kind}`)?.split('\n') ?? [];
  return id === chosen && label ? { id, label } : null;
}

/** The person goes on in the browser without being asked. */
export function choseBrowser(): boolean {
  return get(ENTRANCE) === BROWSER;
}

export function keepChoiceOfBrowser(): void {
  set(ENTRANCE, BROWSER);
}

function get(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function set(key: string, value: string): boolean {
  try {
    localStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}
