// The engine of the desktop app: Tauri commands one way, channels the other.

import { Channel, invoke } from '@tauri-apps/api/core';

import type { Boot, PolicyView, ReactionKind, ScreenView, Settings, UiEvent } from '../bindings';
import { TilePainter, type TileFeed } from '../video/painter';
import type { Code } from './browser/core/trust';
import type { CallEngine, DeviceKind, PictureListener, TileId } from './engine';
import { NativeFiles } from './native_files';

export class NativeEngine implements CallEngine {
  readonly files = new NativeFiles();
  private readonly lines = new Map<TileId, TileLine>();

  connect(listener: (event: UiEvent) => void): Promise<Boot> {
    const events = new Channel<UiEvent>(listener);
    return invoke('connect', { events });
  }

  newCall(): Promise<void> {
    return invoke('new_call');
  }

  openLink(link: string): Promise<void> {
    return invoke('open_link', { link });
  }

  join(name: string, askFirst: boolean): Promise<void> {
    return invoke('join', { name, askFirst });
  }

  setPolicy(policy: PolicyView): Promise<void> {
    return invoke('set_policy', { policy });
  }

  answerKnock(peer: string, admit: boolean): Promise<void> {
    return invoke('answer_knock', { peer, admit });
  }

  remove(peer: string): Promise<void> {
    return invoke('remove', { peer });
  }

  raiseHand(up: boolean): Promise<void> {
    return invoke('raise_hand', { up });
  }

  react(kind: ReactionKind): Promise<void> {
    return invoke('react', { kind });
  }

  setVolume(peer: string, volume: number): Promise<void> {
    return invoke('set_volume', { peer, volume });
  }

  leave(): Promise<void> {
    return invoke('leave');
  }

  goHome(): Promise<void> {
    return invoke('go_home');
  }

  setMuted(muted: boolean): Promise<void> {
    return invoke('set_muted', { muted });
  }

  setCameraOff(cameraOff: boolean): Promise<void> {
    return invoke('set_camera_off', { cameraOff });
  }

  hearSelf(on: boolean): Promise<void> {
    return invoke('hear_self', { on });
  }

  choose(kind: DeviceKind, id: string): Promise<string> {
    return invoke('choose', { kind, id });
  }

  saveSettings(settings: Settings): Promise<Settings> {
    return invoke('save_settings', { settings });
  }

  copyLink(): Promise<void> {
    return invoke('copy_link');
  }

  say(text: string): Promise<void> {
    return invoke('say', { text });
  }

  openUrl(url: string): Promise<void> {
    return invoke('open_url', { url });
  }

  confirmCode(peer: string, code: Code, matches: boolean): Promise<void> {
    return invoke('confirm_code', { peer, code, matches });
  }

  showTile(tile: TileId, place: HTMLElement, listener: PictureListener): () => void {
    const canvas = place.appendChild(document.createElement('canvas'));
    const painter = new TilePainter(canvas, new NativeFeed(this.line(tile)), listener);
    return () => {
      painter.stop();
      canvas.remove();
    };
  }

  readonly canShare = true;

  screens(): Promise<ScreenView[]> {
    return invoke('list_screens');
  }

  async thumbnail(id: string): Promise<ImageData | null> {
    const data = await invoke<ArrayBuffer>('screen_thumbnail', { id });
    return readThumbnail(data);
  }

  share(id: string | null): Promise<void> {
    return invoke('share', { id });
  }

  stopSharing(): Promise<void> {
    return invoke('stop_sharing');
  }

  viewTile(tile: TileId, height: number): void {
    this.line(tile).send('view_tile', { height });
  }

  private line(tile: TileId): TileLine {
    let line = this.lines.get(tile);
    if (!line) {
      line = new TileLine(tile);
      this.lines.set(tile, line);
    }
    return line;
  }
}

/**
 * What the shell is told about one tile. A tile has one picture on the page at a time: on a change
 * of screens the new one may attach before the old one has gone.
 */
class TileLine {
  /** Whose messages the shell sends. */
  owner: NativeFeed | null = null;
  // Commands must arrive in their order: a detach that overtakes the attach after it would leave
  // the tile black.
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly tile: TileId) {}

  send(command: string, args: Record<string, unknown> = {}): void {
    // A refusal means that the tile is gone; the next view says so.
    this.last = this.last.then(() => invoke(command, { tile: this.tile, ...args })).catch(() => {});
  }
}

/** One picture's messages out of the shell. */
class NativeFeed implements TileFeed {
  constructor(private readonly line: TileLine) {}

  attach(decoded: boolean, message: (data: ArrayBuffer) => void): void {
    this.line.owner = this;
    this.line.send('attach_tile', { frames: new Channel<ArrayBuffer>(message), decoded });
  }

  detach(): void {
    this.send('detach_tile');
    if (this.line.owner === this) this.line.owner = null;
  }

  shown(count: number): void {
    this.send('tile_shown', { count });
  }

  refresh(): void {
    this.send('refresh_tile');
  }

  private send(command: string, args?: Record<string, unknown>): void {
    if (this.line.owner === this) this.line.send(command, args);
  }
}

/** Two bytes of width, two of height, the lower first, then four of each pixel. */
function readThumbnail(data: ArrayBuffer): ImageData | null {
  const view = new DataView(data);
  if (data.byteLength < 4) return null;
  const [width, height] = [view.getUint16(0, true), view.getUint16(2, true)];
  const pixels = new Uint8ClampedArray(data, 4);
  if (width === 0 || height === 0 || pixels.length !== width * height * 4) return null;
  return new ImageData(pixels, width, height);
}
