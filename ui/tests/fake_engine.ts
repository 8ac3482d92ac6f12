// An engine that only notes what it is asked, and views to give to the page.

import { flushSync, mount, unmount } from 'svelte';
import { vi } from 'vitest';

import { App } from '../src/app.svelte';
import type { AppView, Boot, PeerView, ScreenView, Settings, UiEvent } from '../src/bindings';
import type { CallEngine } from '../src/engine/engine';
import Root from '../src/Root.svelte';

export const settings: Settings = {
  name: 'Sam',
  language: 'system',
  camera: 'camera',
  microphone: 'mic',
  speaker: 'speaker',
  start_muted: false,
  start_camera_off: false,
  process_voice: true,
  space: 'talk',
  server: '',
  ice_servers: [],
  relay_only: false,
};

export function view(part: Partial<AppView> = {}): AppView {
  return {
    phase: { at: 'home' },
    room: null,
    me: {
      muted: false,
      camera_off: false,
      sharing: null,
      camera: { is: 'running' },
      microphone: { is: 'running' },
      speaker: { is: 'running' },
      busy: false,
      stand_ins: [],
    },
    devices: {
      cameras: [
        { id: 'camera', label: 'Default' },
        { id: 'pattern', label: 'Pattern' },
        { id: 'none', label: 'None' },
      ],
      microphones: [
        { id: 'mic', label: 'Default' },
        { id: 'tone', label: 'Tone' },
      ],
      speakers: [{ id: 'speaker', label: 'speaker' }],
    },
    ...part,
  };
}

export function peer(id: string, part: Partial<PeerView> = {}): PeerView {
  const trust = { code: null, mark: 'unconfirmed' as const };
  const media = { muted: false, camera_off: false, sharing: null };
  return { id, name: id, ...media, connection: 'connected', trust, volume: 100, ...part };
}

export function inCall(peers: PeerView[], part: Partial<AppView> = {}): AppView {
  return view({
    phase: { at: 'in_call', signalling_online: true },
    room: {
      link: 'http://192.0.2.7:4780/j#AAAAAAAAAAAAAAAAAAAAAA',
      server: '192.0.2.7:4780',
      server_is_here: true,
      waiting: null,
      peers,
      door: { policy: 'open', by: null, knocking: [], removed: null },
      hands: [],
    },
    ...part,
  });
}

export function inGreenRoom(waiting: string[] | null, part: Partial<AppView> = {}): AppView {
  const room = inCall([]).room;
  return view({ phase: { at: 'green_room' }, room: room && { ...room, waiting }, ...part });
}

export class FakeEngine implements CallEngine {
  events: (event: UiEvent) => void = () => {};
  language = 'en';
  kept = settings;
  readonly stopShowing = vi.fn();

  readonly connect = vi.fn(async (events: (event: UiEvent) => void): Promise<Boot> => {
    this.events = events;
    return {
      settings: this.kept,
      system_language: this.language,
      version: '0.1.0',
      software_rendering: true,
    };
  });
  readonly newCall = vi.fn(async () => {});
  readonly openLink = vi.fn(async (_link: string) => {});
  readonly join = vi.fn(async (_name: string, _askFirst: boolean) => {});
  readonly setPolicy = vi.fn(async (_policy: string) => {});
  readonly answerKnock = vi.fn(async (_peer: string, _admit: boolean) => {});
  readonly remove = vi.fn(async (_peer: string) => {});
  readonly raiseHand = vi.fn(async (_up: boolean) => {});
  readonly react = vi.fn(async (_kind: string) => {});
  readonly setVolume = vi.fn(async (_peer: string, _volume: number) => {});
  readonly leave = vi.fn(async () => {});
  readonly goHome = vi.fn(async () => {});
  readonly setMuted = vi.fn(async (_muted: boolean) => {});
  readonly setCameraOff = vi.fn(async (_off: boolean) => {});
  readonly hearSelf = vi.fn(async (_on: boolean) => {});
  readonly choose = vi.fn(async (_kind: string, id: string) => id);
  readonly canShare = true;
  choices: ScreenView[] | null = [];
  readonly screens = vi.fn(async () => this.choices);
  readonly thumbnail = vi.fn(async (_id: string) => null);
  readonly share = vi.fn(async (_id: string | null) => {});
  readonly stopSharing = vi.fn(async () => {});
  readonly saveSettings = vi.fn(async (wanted: Settings) => wanted);
  readonly copyLink = vi.fn(async () => {});
  readonly say = vi.fn(async (_text: string) => {});
  readonly openUrl = vi.fn(async (_url: string) => {});
  readonly confirmCode = vi.fn(async (_peer: string, _code: number[], _matches: boolean) => {});
  readonly showTile = vi.fn((_tile: string, place: HTMLElement, _listener: unknown) => {
    place.append(document.createElement('canvas'));
    return this.stopShowing;
  });
  readonly files = {
    can: { choose: true, show: true },
    pick: vi.fn(async (_to: string | null) => {}),
    offer: vi.fn(async (_files: File[], _to: string | null) => {}),
    offerDropped: vi.fn(async (_to: string | null) => {}),
    accept: vi.fn(async (_file: string, _choose: boolean) => {}),
    cancel: vi.fn(async (_file: string) => {}),
    pause: vi.fn(async (_file: string, _paused: boolean) => {}),
    withdraw: vi.fn(async (_file: string, _peer: string) => {}),
    hold: vi.fn(async (_file: string, _held: boolean) => {}),
    show: vi.fn(async (_file: string) => {}),
  };
  readonly viewTile = vi.fn((_tile: string, _height: number) => {});

  show(next: AppView): void {
    this.events({ type: 'view', data: next });
    flushSync();
  }
}

/** The whole page in front of an engine. */
export async function page(first: AppView, engine = new FakeEngine()) {
  document.body.innerHTML = '';
  const app = new App(engine);
  const root = mount(Root, { target: document.body, props: { app } });
  await app.start();
  engine.show(first);
  return { app, engine, close: () => unmount(root) };
}

export function find(testid: string): HTMLElement {
  const found = document.querySelector(`[data-testid="${testid}"]`);
  if (!(found instanceof HTMLElement)) throw new Error(`no ${testid} on the page`);
  return found;
}

export function all(testid: string): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(`[data-testid="${testid}"]`)];
}

export function click(testid: string): void {
  find(testid).click();
  flushSync();
}

export function type(testid: string, text: string): void {
  const field = find(testid) as HTMLInputElement;
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  field.dispatchEvent(new Event('change', { bubbles: true }));
  flushSync();
}

export function press(key: string, init: KeyboardEventInit = {}, target: Element = document.body) {
  target.dispatchEvent(
    new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init }),
  );
  flushSync();
}

/** Lets the promises of the engine come back. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  flushSync();
}
