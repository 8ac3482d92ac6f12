// What the page needs from whoever runs the call. The desktop shell is one such engine; the page
// itself becomes another when a browser guest joins. Nothing outside this folder knows which.

import type {
  AppView,
  Boot,
  FailureView,
  PolicyView,
  ReactionKind,
  ScreenView,
  Settings,
  UiEvent,
} from '../bindings';
import type { Entrance } from './browser/core/entrance';
import type { Code } from './browser/core/trust';
import type { FileEngine } from './files';

/** Before an engine has said anything: at home, without devices. */
export const NOWHERE: AppView = {
  phase: { at: 'home' },
  room: null,
  me: {
    muted: false,
    camera_off: false,
    sharing: null,
    camera: { is: 'none' },
    microphone: { is: 'none' },
    speaker: { is: 'none' },
    busy: false,
    stand_ins: [],
  },
  devices: { cameras: [], microphones: [], speakers: [] },
};

export type DeviceKind = 'camera' | 'microphone' | 'speaker';

/** `own`, a peer's id, or `screen:` and a peer's id. */
export type TileId = string;

const SCREEN = 'screen:';

/** The tile of what somebody shares. */
export function screenOf(peer: string): TileId {
  return SCREEN + peer;
}

/** Whose screen a tile shows; `null` for a person's own tile. */
export function sharerOf(tile: TileId): string | null {
  return tile.startsWith(SCREEN) ? tile.slice(SCREEN.length) : null;
}

export interface PictureSize {
  width: number;
  height: number;
}

/** Told the size with the first picture and whenever it changes; `null` when pictures stop. */
export type PictureListener = (size: PictureSize | null) => void;

/** Every promise rejects with a `FailureView`. */
export interface CallEngine {
  /** Called once, first. */
  connect(events: (event: UiEvent) => void): Promise<Boot>;

  /** Makes a room and goes to its green room. */
  newCall(): Promise<void>;
  /** Goes to the green room of a link. */
  openLink(link: string): Promise<void>;
  /** `askFirst`: whoever comes later waits until somebody inside lets them in. */
  join(name: string, askFirst: boolean): Promise<void>;
  /** Who gets into the room from now on. */
  setPolicy(policy: PolicyView): Promise<void>;
  /** Lets somebody in who knocks, or turns them away. */
  answerKnock(peer: string, admit: boolean): Promise<void>;
  /** Puts somebody out of the room. */
  remove(peer: string): Promise<void>;
  /** The own hand; it shows in the view. */
  raiseHand(up: boolean): Promise<void>;
  /** Reacts without a word; it comes back as an event, unless it was too often. */
  react(kind: ReactionKind): Promise<void>;
  /** How loud somebody is to be heard for the rest of the call, in percent: 0 to 200. */
  setVolume(peer: string, volume: number): Promise<void>;
  /** Ends the call; in front of a room, goes home. */
  leave(): Promise<void>;
  goHome(): Promise<void>;

  setMuted(muted: boolean): Promise<void>;
  setCameraOff(cameraOff: boolean): Promise<void>;
  /** Plays the own voice on the own speaker, where the microphone is open. */
  hearSelf(on: boolean): Promise<void>;
  /** The system lets this page share screens at all. */
  readonly canShare: boolean;
  /** What can be shared; `null` where the system asks the person by itself. */
  screens(): Promise<ScreenView[] | null>;
  /** What one of them looks like now; `null` where that is not known. */
  thumbnail(id: string): Promise<ImageData | null>;
  /** Shares one of them, or what the system lets the person choose. */
  share(id: string | null): Promise<void>;
  stopSharing(): Promise<void>;
  /**
   * Uses another device or test source; `file` lets the person pick a file. Resolves to what is
   * chosen now, which is what was before when nothing was picked.
   */
  choose(kind: DeviceKind, id: string): Promise<string>;
  /** Resolves to what was kept. */
  saveSettings(settings: Settings): Promise<Settings>;
  copyLink(): Promise<void>;
  /** Says something in the chat, to everybody; it comes back as a line. */
  say(text: string): Promise<void>;
  /** Opens an address of the web in the browser, beside the call. */
  openUrl(url: string): Promise<void>;
  /** The person has compared somebody's code with them, or takes that back. */
  confirmCode(peer: string, code: Code, matches: boolean): Promise<void>;

  /**
   * Shows a tile's pictures in a place of the page, with an element of the engine's own that fills
   * it, until the returned function is called.
   */
  showTile(tile: TileId, place: HTMLElement, listener: PictureListener): () => void;
  /**
   * The tile's whole picture is now so high on the screen, pixels of the screen; 0 while nobody can
   * see it. Whoever sends it need not send more.
   */
  viewTile(tile: TileId, height: number): void;

  /** Files from person to person. */
  readonly files?: FileEngine;

  /** Of a page that runs in a browser. The app has none. */
  readonly guest?: GuestPage;
}

/** What is different where the page is a guest: it is opened by a link, and has one server. */
export interface GuestPage {
  /** What stands between opening the page and using it. */
  readonly entrance: Entrance;
  /** Goes where the page's address says; `remember`: without being asked the next time. */
  begin(remember: boolean): Promise<void>;
}

/** What a promise rejected with, whatever it was. */
export function failureOf(error: unknown): FailureView {
  if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error) {
    return { code: String(error.code), message: String(error.message) };
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
