// How loud tracks are, where the browser does not say so itself: one audio context for all of them.

/** Samples looked at: 43 ms at 48 kHz, a syllable. */
const WINDOW = 2048;

interface Metered {
  track: MediaStreamTrack;
  source: MediaStreamAudioSourceNode;
  analyser: AnalyserNode;
}

export class Levels {
  private context: AudioContext | null = null;
  private readonly metered = new Map<string, Metered>();
  private readonly samples = new Float32Array(WINDOW);

  constructor() {
    // An audio context, too, may be held until the person has touched the page.
    for (const gesture of ['pointerdown', 'keydown'] as const) {
      addEventListener(gesture, () => void this.context?.resume(), { passive: true });
    }
  }

  /** Root mean square of what the track has now, 0 to 1. The track may change at any time. */
  read(tile: string, track: MediaStreamTrack | null): number {
    const metered = this.meter(tile, track);
    if (!metered) return 0;
    metered.analyser.getFloatTimeDomainData(this.samples);
    const sum = this.samples.reduce((total, sample) => total + sample * sample, 0);
    return Math.min(1, Math.sqrt(sum / WINDOW));
  }

  forget(tile: string): void {
    this.metered.get(tile)?.source.disconnect();
    this.metered.delete(tile);
    if (this.metered.size > 0) return;
    void this.context?.close();
    this.context = null;
  }

  private meter(tile: string, track: MediaStreamTrack | null): Metered | null {
    const known = this.metered.get(tile);
    if (known && known.track === track) return known;
    if (known) this.forget(tile);
    if (!track) return null;
    this.context ??= new AudioContext({ latencyHint: 'playback' });
    const source = this.context.createMediaStreamSource(new MediaStream([track]));
    const analyser = new AnalyserNode(this.context, { fftSize: WINDOW });
    source.connect(analyser);
    const metered = { track, source, analyser };
    this.metered.set(tile, metered);
    return metered;
  }
}
