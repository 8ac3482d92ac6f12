// The screen, window or tab that the person shares. The browser shows what there is, asks, says that
// it is shared, and has a button of its own to end it.

import type { FailureView, SharingView } from '../../bindings';

/** What is asked for: no larger than an encoder can follow, and every movement. */
const PICTURE: MediaTrackConstraints = {
  width: { max: 1920 },
  height: { max: 1080 },
  frameRate: { ideal: 30, max: 30 },
};

/** What is shared, or nothing any more. */
export type SharedListener = (track: MediaStreamTrack | null, what: SharingView | null) => void;

/** Telephones cannot. */
export function canShareScreens(): boolean {
  return typeof navigator.mediaDevices?.getDisplayMedia === 'function';
}

export class SharedScreen {
  private track: MediaStreamTrack | null = null;

  constructor(private readonly listener: SharedListener) {}

  /** Lets the person choose; the failure, if it is one: to choose nothing is none. */
  async ask(): Promise<FailureView | null> {
    let stream: MediaStream;
    try {
      // Without sound: what a system plays has the others' own voices in it.
      stream = await navigator.mediaDevices.getDisplayMedia({ video: PICTURE, audio: false });
    } catch (error) {
      return failureOf(error);
    }
    const [track] = stream.getVideoTracks();
    if (!track) return { code: 'sharing_failed', message: 'the browser gave no picture' };
    this.end();
    this.track = track;
    // For the encoder: rather sharp than smooth.
    track.contentHint = 'detail';
    // Ended by the browser's own button, or with the window that was shared.
    track.onended = () => this.track === track && this.stop();
    this.listener(track, kindOf(track));
    return null;
  }

  stop(): void {
    if (!this.track) return;
    this.end();
    this.listener(null, null);
  }

  private end(): void {
    this.track?.stop();
    this.track = null;
  }
}

function kindOf(track: MediaStreamTrack): SharingView {
  const { displaySurface } = track.getSettings() as { displaySurface?: string };
  return displaySurface === 'window' || displaySurface === 'browser' ? 'window' : 'screen';
}

function failureOf(error: unknown): FailureView | null {
  const name = error instanceof DOMException ? error.name : '';
  // The person chose nothing; browsers say the same when the system forbids it.
  if (name === 'NotAllowedError' || name === 'AbortError') return null;
  return {
    code: 'sharing_failed',
    message: error instanceof Error ? error.message : String(error),
  };
}
