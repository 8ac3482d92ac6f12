// The others' voices: one audio element for each, on the chosen speaker, as loud as the person wants.

import type { DeviceState } from '../../bindings';
import type { PeerId } from './core/messages';
import { deviceFailure, idOf } from './device_words';
import type { Playback } from './playback';
import { Volume } from './volume';

/** Browsers without it play on the system's own speaker only. */
export const SPEAKERS_CAN_BE_CHOSEN =
  typeof HTMLMediaElement !== 'undefined' && 'setSinkId' in HTMLMediaElement.prototype;

interface Voice {
  element: HTMLAudioElement;
  volume: Volume;
}

export class Voices {
  private readonly voices = new Map<PeerId, Voice>();
  /** How loud each person is to be, also those who may come back in this call; 1 as they come. */
  private readonly gains = new Map<PeerId, number>();
  private speaker = 'speaker';

  constructor(
    private readonly playback: Playback,
    private readonly state: (state: DeviceState) => void,
  ) {}

  set(peer: PeerId, track: MediaStreamTrack | null): void {
    if (!track) return this.remove(peer);
    let voice = this.voices.get(peer);
    if (!voice) {
      const element = document.createElement('audio');
      element.dataset['peer'] = peer;
      voice = { element, volume: new Volume(this.playback, this.gains.get(peer) ?? 1) };
      this.voices.set(peer, voice);
      // Safari plays nothing that is not on the page.
      document.body.append(element);
      void this.direct(element);
    }
    this.play(voice, voice.volume.of(track));
  }

  /** So many times as loud as they come, for the rest of the call. */
  setGain(peer: PeerId, gain: number): void {
    this.gains.set(peer, gain);
    const voice = this.voices.get(peer);
    const stream = voice?.volume.change(gain);
    if (voice && stream) this.play(voice, stream);
  }

  /** Another call: nobody in it was made louder or quieter. */
  forgetGains(): void {
    this.gains.clear();
  }

  remove(peer: PeerId): void {
    const voice = this.voices.get(peer);
    if (!voice) return;
    this.voices.delete(peer);
    voice.volume.close();
    this.playback.forget(voice.element);
    voice.element.srcObject = null;
    voice.element.remove();
  }

  /** `speaker`, `speaker:ID` or `none`. */
  async choose(speaker: string): Promise<void> {
    this.speaker = speaker;
    this.state({ is: speaker === 'none' ? 'none' : 'running' });
    // Also without a voice: a speaker that is not there is said to be so before the call.
    const elements = Array.from(this.voices.values(), ({ element }) => element);
    if (elements.length === 0) elements.push(new Audio());
    await Promise.all(elements.map((element) => this.direct(element)));
  }

  private play({ element }: Voice, stream: MediaStream): void {
    element.srcObject = stream;
    this.playback.play(element);
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
