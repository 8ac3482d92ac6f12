// Devices in the page's terms: their ids in the settings, and what is said of their failures.

import type { DeviceState, DeviceView } from '../../bindings';
import type { DeviceKind } from '../engine';

const DEFAULT = { camera: 'camera', microphone: 'mic', speaker: 'speaker' } as const;
const INPUT = { camera: 'videoinput', microphone: 'audioinput', speaker: 'audiooutput' } as const;
/** Chromium lists the system's choices again under these. */
const ALIASES = ['default', 'communications'];
/** No machine has so many; a list of the page is read by people. */
const MAX_DEVICES = 32;

/** The browser's id of `camera:ID`, `mic:ID`, `speaker:ID`; `null` for the system's own choice. */
export function idOf(setting: string): string | null {
  const colon = setting.indexOf(':');
  return colon < 0 ? null : setting.slice(colon + 1);
}

/**
 * What can be chosen of a kind: the system's choice, each device that is known, `chosen` with the
 * name that it had when it was last seen, none.
 */
export function choices(
  kind: DeviceKind,
  found: readonly MediaDeviceInfo[],
  chosen: DeviceView | null,
): DeviceView[] {
  const prefix = DEFAULT[kind];
  const known = new Set<string>(ALIASES);
  const named = found.filter(({ kind: is, deviceId, label }) => {
    // Before the person has allowed the page anything, devices have neither ids nor names.
    if (is !== INPUT[kind] || !deviceId || !label || known.has(deviceId)) return false;
    // Firefox may list one twice.
    known.add(deviceId);
    return true;
  });
  const listed = named
    .slice(0, MAX_DEVICES)
    .map(({ deviceId, label }) => ({ id: `${prefix}:${deviceId}`, label }));
  const absent = chosen && !listed.some(({ id }) => id === chosen.id) ? [chosen] : [];
  return [{ id: prefix, label: 'Default' }, ...listed, ...absent, { id: 'none', label: 'None' }];
}

/**
 * What is used for a choice: the system's own in place of a device that is not there. Not before any
 * is known, nor where there is no other one.
 */
export function standInFor(
  kind: DeviceKind,
  chosen: string,
  found: readonly MediaDeviceInfo[],
): string | null {
  const device = idOf(chosen);
  const known = found.filter((it) => it.kind === INPUT[kind] && it.deviceId && it.label);
  if (device === null || known.length === 0) return null;
  return known.some(({ deviceId }) => deviceId === device) ? null : DEFAULT[kind];
}

/** What went wrong with a device (Media Capture and Streams, §10.2), in the page's words. */
export function deviceFailure(error: unknown): DeviceState & { is: 'failed' } {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  return { is: 'failed', code: codeOf(name, message), message };
}

function codeOf(name: string, message: string): string {
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      // Chromium says whose refusal it is.
      return /system/i.test(message) ? 'denied' : 'blocked';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}
