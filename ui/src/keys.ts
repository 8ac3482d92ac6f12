// The keys of the app. One table serves the handler, the tooltips and the help.

import type { MessageKey } from './i18n/translate';

export type Action =
  | 'newCall'
  | 'mute'
  | 'camera'
  | 'hand'
  | 'react'
  | 'share'
  | 'chat'
  | 'details'
  | 'files'
  | 'look'
  | 'large'
  | 'own'
  | 'fullScreen'
  | 'copyLink'
  | 'room'
  | 'leave'
  | 'settings'
  | 'help';
export type Place = 'home' | 'green_room' | 'joining' | 'waiting' | 'in_call' | 'left';

interface Binding {
  /** What the key says on a Latin layout, and what people are told. */
  key: string;
  /** Where it sits, for layouts without Latin letters such as Thai; see `KeyboardEvent.code`. */
  code: string;
  places: readonly Place[];
  label: Extract<MessageKey, `keys.${string}`>;
}

const anywhere: readonly Place[] = ['home', 'green_room', 'joining', 'waiting', 'in_call', 'left'];
const withDevices: readonly Place[] = ['green_room', 'joining', 'waiting', 'in_call'];

export const bindings: Record<Action, Binding> = {
  newCall: { key: 'N', code: 'KeyN', places: ['home', 'left'], label: 'keys.newCall' },
  mute: { key: 'M', code: 'KeyM', places: withDevices, label: 'keys.mute' },
  camera: { key: 'V', code: 'KeyV', places: withDevices, label: 'keys.camera' },
  hand: { key: 'H', code: 'KeyH', places: ['in_call'], label: 'keys.hand' },
  react: { key: 'E', code: 'KeyE', places: ['in_call'], label: 'keys.react' },
  share: { key: 'S', code: 'KeyS', places: ['in_call'], label: 'keys.share' },
  chat: { key: 'T', code: 'KeyT', places: ['in_call'], label: 'keys.chat' },
  details: { key: 'D', code: 'KeyD', places: ['in_call'], label: 'keys.details' },
  files: { key: 'F', code: 'KeyF', places: ['in_call'], label: 'keys.files' },
  look: { key: 'G', code: 'KeyG', places: ['in_call'], label: 'keys.look' },
  large: { key: 'K', code: 'KeyK', places: ['in_call'], label: 'keys.large' },
  own: { key: 'O', code: 'KeyO', places: ['in_call'], label: 'keys.own' },
  fullScreen: { key: 'X', code: 'KeyX', places: ['in_call'], label: 'keys.fullScreen' },
  copyLink: { key: 'C', code: 'KeyC', places: withDevices, label: 'keys.copyLink' },
  room: { key: 'P', code: 'KeyP', places: ['in_call'], label: 'keys.room' },
  leave: { key: 'L', code: 'KeyL', places: ['in_call'], label: 'keys.leave' },
  settings: { key: ',', code: 'Comma', places: anywhere, label: 'keys.settings' },
  help: { key: '?', code: 'Slash', places: anywhere, label: 'keys.help' },
};

export function actionsAt(place: Place): Action[] {
  return (Object.keys(bindings) as Action[]).filter((it) => bindings[it].places.includes(place));
}

/** What a key press means here, if anything. */
export function actionFor(event: KeyboardEvent, place: Place): Action | null {
  // Ctrl+C copies, Alt+letter opens menus, a held key repeats: none of them is ours.
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) {
    return null;
  }
  if (event.defaultPrevented || writes(event.target)) return null;
  return actionsAt(place).find((action) => presses(event, bindings[action])) ?? null;
}

function presses(event: KeyboardEvent, binding: Binding): boolean {
  const key = event.key.toUpperCase();
  if (key === binding.key) return true;
  // The position counts only where the key writes no Latin letter: on Dvorak the letter does.
  const latin = /^[\u0021-\u007e]$/.test(event.key);
  return !latin && event.code === binding.code && (binding.key !== '?' || event.shiftKey);
}

/** Keys pressed in a field, a list or an open dialog belong to it. */
function writes(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest('input:not([type=checkbox]), textarea, select, [contenteditable], dialog') !==
      null
  );
}
