// The others' voices: one audio element for each, on the chosen speaker.

import type { DeviceState } from '../../bindings';
import type { PeerId } from './core/messages';
import { deviceFailure, idOf } from './device_words';
import type { Playback } from './playback';

/** Browsers without it play on the system's own speaker only. */
export const SPEAKERS_CAN_BE_CHOSEN =
  typeof HTMLMediaElement !== 'undefined' && 'setSinkId' in HTMLMediaElement.prototype;

export class Voices {
  private readonly elements = new Map<PeerId, HTMLAudioElement>();
  private speaker = 'speaker';

  constructor(
    private readonly playback: Playback,
    private readonly state: (state: DeviceState) => void,
  ) {}

  set(peer: PeerId, track: MediaStreamTrack | null): void {
    if (!track) return this.remove(peer);
    let element = this.elements.get(peer);
    if (!element) {
      element = document.createElement('audio');
      element.dataset['peer'] = peer;
      this.elements.set(peer, element);
      // Safari plays nothing that is not on the page.
      document.body.append(element);
      void this.direct(element);
    }
    element.srcObject = new MediaStream([track]);
    this.playback.play(element);
  }

  remove(peer: PeerId): void {
    const element = this.elements.get(peer);
    if (!element) return;
    this.elements.delete(peer);
    this.playback.forget(element);
    element.srcObject = null;
    element.remove();
  }

  /** `speaker`, `speaker:ID` or `none`. */
  async choose(speaker: string): Promise<void> {
    this.speaker = speaker;
    this.state({ is: speaker === 'none' ? 'none' : 'running' });
    // Also without a voice: a speaker that is not there is said to be so before the call.
    const elements = this.elements.size > 0 ? this.elements.values() : [new Audio()];
    await Promise.all(Array.from(elements, (element) => this.direct(element)));
  }

  private async direct(element: HTMLAudioElement): Promise<void> {
    const { speaker } = this;
    element.muted = speaker === 'none';
    if (!SPEAKERS_CAN_BE_CHOSEN || speaker === 'none') return;
    try {
      await element.setSinkId(idOf(speaker) ?? '');
    } catch (error) {
      if (speaker === this.speaker) this.state(deviceFailure(error));
    }
  }
}
