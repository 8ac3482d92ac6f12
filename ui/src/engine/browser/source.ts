// One own device: a camera or a microphone, opened, watched and closed. Each opening counts: what an
// earlier one still brings is closed at once.

import type { DeviceState } from '../../bindings';
import type { DeviceKind } from '../engine';
import { deviceFailure, idOf } from './device_words';

export type SourceKind = Exclude<DeviceKind, 'speaker'>;

const TRACK = { camera: 'video', microphone: 'audio' } as const;

/** Reports every change of the state and of the track. */
export type SourceListener = (state: DeviceState, track: MediaStreamTrack | null) => void;

export class Source {
  private state: DeviceState = { is: 'none' };
  private track: MediaStreamTrack | null = null;
  private generation = 0;

  constructor(
    readonly kind: SourceKind,
    private readonly listener: SourceListener,
  ) {}

  get failed(): boolean {
    return this.state.is === 'failed';
  }

  /** Uses what `choice` names (`camera`, `camera:ID`, `none`); `extra` constrains it further. */
  async open(choice: string, extra: MediaTrackConstraints): Promise<void> {
    const generation = this.begin(choice === 'none' ? { is: 'none' } : { is: 'starting' });
    if (choice === 'none') return;
    const device = idOf(choice);
    const constraints = device === null ? extra : { ...extra, deviceId: { exact: device } };
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ [TRACK[this.kind]]: constraints });
      this.take(generation, stream);
    } catch (error) {
      if (generation === this.generation) this.tell(deviceFailure(error), null);
    }
  }

  /** For a track that comes with another one; `take` or `fail` ends it. */
  begin(state: DeviceState): number {
    this.track?.stop();
    this.tell(state, null);
    return ++this.generation;
  }

  /** The tracks of this kind; anything but the latest opening's is stopped. */
  take(generation: number, stream: MediaStream): void {
    const tracks = stream.getTracks().filter((track) => track.kind === TRACK[this.kind]);
    const [track] = tracks;
    if (generation !== this.generation || !track) {
      for (const late of tracks) late.stop();
      return;
    }
    track.onended = () => {
      if (generation !== this.generation) return;
      this.tell({ is: 'failed', code: 'missing', message: 'the device is gone' }, null);
    };
    this.tell({ is: 'running' }, track);
  }

  close(): void {
    this.begin({ is: 'none' });
  }

  private tell(state: DeviceState, track: MediaStreamTrack | null): void {
    this.state = state;
    this.track = track;
    this.listener(state, track);
  }
}
