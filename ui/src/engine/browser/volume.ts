// How loud one voice is played. As it comes, it goes to its element as it is; otherwise through a
// gain, since an element can make nothing louder, and on iOS nothing quieter either.

import type { Playback } from './playback';

/** Seconds in which a change is two thirds done: no click, and at once for an ear. */
const GLIDE = 0.015;

interface Graph {
  context: AudioContext;
  gain: GainNode;
  out: MediaStreamAudioDestinationNode;
  source: MediaStreamAudioSourceNode;
  /** Chromium gives a graph nothing of a track from another person that no element plays. */
  pump: HTMLAudioElement;
}

export class Volume {
  private track: MediaStreamTrack | null = null;
  private graph: Graph | null = null;

  constructor(
    private readonly playback: Playback,
    private gain: number,
  ) {}

  /** What is to be played of a track, which takes the place of an earlier one. */
  of(track: MediaStreamTrack): MediaStream {
    this.track = track;
    this.close();
    return this.gain === 1 ? new MediaStream([track]) : this.build(track, this.gain);
  }

  /** From now on; gives what is to be played instead, if that is something else now. */
  change(gain: number): MediaStream | null {
    this.gain = gain;
    if (this.graph) {
      const { context } = this.graph;
      this.graph.gain.gain.setTargetAtTime(gain, context.currentTime, GLIDE);
      return null;
    }
    // It begins as it was, so that the change can be heard as one.
    if (!this.track || gain === 1) return null;
    const stream = this.build(this.track, 1);
    this.change(gain);
    return stream;
  }

  close(): void {
    if (!this.graph) return;
    this.graph.source.disconnect();
    this.playback.forget(this.graph.pump);
    this.graph.pump.srcObject = null;
    void this.graph.context.close();
    this.graph = null;
  }

  private build(track: MediaStreamTrack, begin: number): MediaStream {
    const context = new AudioContext({ latencyHint: 'interactive' });
    const stream = new MediaStream([track]);
    const pump = new Audio();
    pump.muted = true;
    pump.srcObject = stream;
    this.playback.play(pump);
    const source = context.createMediaStreamSource(stream);
    const gain = new GainNode(context, { gain: begin });
    const out = context.createMediaStreamDestination();
    source.connect(gain).connect(out);
    this.graph = { context, gain, out, source, pump };
    return out.stream;
  }
}
