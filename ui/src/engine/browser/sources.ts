// The own camera and microphone. Asked for together when both are wanted, so that the browser asks
// the person once; each by itself when that does not work, so that one without the other is enough.

import type { DeviceState, Settings } from '../../bindings';
import { Source, type SourceKind } from './source';

/** What a camera is asked for; others are taken as well. */
const PICTURE: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30, max: 30 },
};

export type SourcesListener = (
  kind: SourceKind,
  state: DeviceState,
  track: MediaStreamTrack | null,
) => void;

type Chosen = Pick<Settings, 'camera' | 'microphone' | 'process_voice'>;

export class Sources {
  private readonly camera: Source;
  private readonly microphone: Source;
  /** What was chosen, while devices are in use at all. */
  private chosen: Chosen | null = null;
  private cameraOff = false;

  constructor(listener: SourcesListener) {
    this.camera = new Source('camera', (state, track) => {
      // For the encoder: rather smooth than sharp.
      if (track) track.contentHint = 'motion';
      listener('camera', state, track);
    });
    this.microphone = new Source('microphone', (state, track) => {
      listener('microphone', state, track);
    });
  }

  /** Opens what is chosen and not open yet. */
  async open(chosen: Chosen, cameraOff: boolean): Promise<void> {
    if (this.chosen) return this.change(chosen, cameraOff);
    this.chosen = chosen;
    this.cameraOff = cameraOff;
    const both = chosen.camera === 'camera' && chosen.microphone === 'mic' && !cameraOff;
    if (both && (await this.openBoth(chosen))) return;
    await Promise.all([this.openCamera(), this.openMicrophone()]);
  }

  /** Takes up another choice; only what has changed is opened anew. */
  async change(chosen: Chosen, cameraOff: boolean): Promise<void> {
    const before = this.chosen;
    if (!before) return;
    this.chosen = chosen;
    const switched = cameraOff !== this.cameraOff;
    this.cameraOff = cameraOff;
    const camera = switched || chosen.camera !== before.camera;
    const microphone =
      chosen.microphone !== before.microphone || chosen.process_voice !== before.process_voice;
    await Promise.all([camera && this.openCamera(), microphone && this.openMicrophone()]);
  }

  /** The same again, for the device that the person has just chosen anew. */
  async again(kind: SourceKind): Promise<void> {
    if (!this.chosen) return;
    await (kind === 'camera' ? this.openCamera() : this.openMicrophone());
  }

  /** Other devices are there: what did not work may work now. */
  async retry(): Promise<void> {
    if (this.camera.failed) await this.again('camera');
    if (this.microphone.failed) await this.again('microphone');
  }

  close(): void {
    this.chosen = null;
    this.camera.close();
    this.microphone.close();
  }

  private async openBoth({ process_voice }: Chosen): Promise<boolean> {
    const camera = this.camera.begin({ is: 'starting' });
    const microphone = this.microphone.begin({ is: 'starting' });
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: PICTURE,
        audio: voice(process_voice),
      });
      this.camera.take(camera, stream);
      this.microphone.take(microphone, stream);
      return true;
    } catch {
      return false;
    }
  }

  private async openCamera(): Promise<void> {
    // Off means off: the lamp of the camera goes out, too.
    const choice = this.cameraOff ? 'none' : this.chosen?.camera;
    await this.camera.open(choice ?? 'none', PICTURE);
  }

  private async openMicrophone(): Promise<void> {
    const chosen = this.chosen;
    await this.microphone.open(chosen?.microphone ?? 'none', voice(chosen?.process_voice ?? true));
  }
}

function voice(processed: boolean): MediaTrackConstraints {
  return {
    echoCancellation: processed,
    noiseSuppression: processed,
    autoGainControl: processed,
  };
}
