// What a browser keeps of a person's choices: in the page's own storage, never a room or a secret.

import type { IceServerSetting, Settings } from '../../../bindings';
import { MAX_CANDIDATE_BYTES, MAX_ICE_SERVERS, MAX_NAME_CHARS } from './limits';

export const DEFAULTS: Settings = {
  name: '',
  language: 'system',
  camera: 'camera',
  microphone: 'mic',
  speaker: 'speaker',
  start_muted: false,
  start_camera_off: false,
  process_voice: true,
  space: 'talk',
  // A guest's server is the page's own.
  server: '',
  ice_servers: [],
  relay_only: false,
};

/** A device's id in the settings; browsers' own are hashes of 64 characters. */
const MAX_DEVICE_ID = 512;

/** Reads what was kept; whatever is missing or spoilt is as at first. */
export function readSettings(kept: string | null): Settings {
  const it = parse(kept);
  const text = (key: 'name' | 'camera' | 'microphone' | 'speaker', longest: number): string => {
    const value = it[key];
    return typeof value === 'string' && value.length <= longest ? value : DEFAULTS[key];
  };
  const flag = (key: keyof Settings, usual: boolean): boolean => {
    const value = it[key];
    return typeof value === 'boolean' ? value : usual;
  };
  const language = (['system', 'en', 'th'] as const).find((known) => known === it['language']);
  const space = (['talk', 'mute', 'nothing'] as const).find((known) => known === it['space']);
  const servers = Array.isArray(it['ice_servers']) ? it['ice_servers'] : [];
  return {
    name: text('name', 2 * MAX_NAME_CHARS),
    language: language ?? DEFAULTS.language,
    camera: text('camera', MAX_DEVICE_ID),
    microphone: text('microphone', MAX_DEVICE_ID),
    speaker: text('speaker', MAX_DEVICE_ID),
    start_muted: flag('start_muted', DEFAULTS.start_muted),
    start_camera_off: flag('start_camera_off', DEFAULTS.start_camera_off),
    process_voice: flag('process_voice', DEFAULTS.process_voice),
    space: space ?? DEFAULTS.space,
    server: '',
    ice_servers: servers.filter(isIceServer).slice(0, MAX_ICE_SERVERS).map(onlyIceServer),
    relay_only: flag('relay_only', DEFAULTS.relay_only),
  };
}

function parse(kept: string | null): Record<string, unknown> {
  try {
    const read: unknown = JSON.parse(kept ?? '{}');
    return typeof read === 'object' && read !== null ? (read as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isIceServer(value: unknown): value is IceServerSetting {
  if (typeof value !== 'object' || value === null) return false;
  const it = value as Record<string, unknown>;
  const short = (text: unknown) => typeof text === 'string' && text.length <= MAX_CANDIDATE_BYTES;
  return short(it['url']) && short(it['username']) && short(it['credential']);
}

function onlyIceServer({ url, username, credential }: IceServerSetting): IceServerSetting {
  return { url, username, credential };
}
