// Pictures on the page: a video element for each place that shows a tile, fed with the tile's track.
// Plain code outside Svelte; the browser draws by itself.

import type { PictureListener, TileId } from '../engine';
import type { Playback } from './playback';

interface Shown {
  tile: TileId;
  video: HTMLVideoElement;
}

export class Tiles {
  private readonly tracks = new Map<TileId, MediaStreamTrack>();
  private readonly shown = new Set<Shown>();

  constructor(private readonly playback: Playback) {}

  /** Another track for a tile from now on, or none. */
  set(tile: TileId, track: MediaStreamTrack | null): void {
    if (track === this.track(tile)) return;
    if (track) this.tracks.set(tile, track);
    else this.tracks.delete(tile);
    for (const place of this.shown) if (place.tile === tile) this.feed(place);
  }

  track(tile: TileId): MediaStreamTrack | null {
    return this.tracks.get(tile) ?? null;
  }

  /** Shows a tile in a place of the page, until the returned function is called. */
  show(tile: TileId, place: HTMLElement, listener: PictureListener): () => void {
    const video = document.createElement('video');
    // Voices have elements of their own; without sound, pictures may play at once.
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    const resized = () => {
      const { videoWidth: width, videoHeight: height } = video;
      listener(width > 0 && height > 0 ? { width, height } : null);
    };
    video.addEventListener('loadeddata', resized);
    video.addEventListener('resize', resized);
    video.addEventListener('emptied', resized);
    place.append(video);
    const shown = { tile, video };
    this.shown.add(shown);
    this.feed(shown);
    return () => {
      this.shown.delete(shown);
      this.playback.forget(video);
      video.removeEventListener('emptied', resized);
      video.srcObject = null;
      video.remove();
      listener(null);
    };
  }

  private feed({ tile, video }: Shown): void {
    const track = this.track(tile);
    video.srcObject = track && new MediaStream([track]);
    if (track) this.playback.play(video);
  }
}
