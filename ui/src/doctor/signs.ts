// What the figures of the last seconds say of each connection, in a form that rules can look at.

import type { AppView, ConnectionView, Figures, PeerFigures, PeerView } from '../bindings';

/** Figures come once a second: so many are kept, for the charts and to know a path at rest. */
export const KEPT = 60;
/** So many of the newest say how it is now: fewer would follow every hiccup. */
const RECENT = 6;

/** One connection, as it is now. Times in milliseconds, shares 0..=1. */
export interface Signs {
  id: string;
  /** A stranger's text. */
  name: string;
  connection: ConnectionView;
  /** Seconds of figures there are, up to `KEPT`. */
  seconds: number;
  rtt: number;
  /** The lowest of the last minute: the path without a queue. */
  restRtt: number;
  lossIn: number;
  lossOut: number;
  voiceDelay: number;
  fpsIn: number;
  voiceKbpsIn: number;
  /** Heights of the pictures, pixels. */
  linesIn: number;
  linesOut: number;
  /** The line to them carries no better picture. */
  shortOut: boolean;
  /** They say so of the line to here. */
  shortIn: boolean;
  busyThere: boolean;
  smallHere: boolean;
  relayed: boolean;
  byStream: boolean;
  sendsPicture: boolean;
  sendsVoice: boolean;
}

/** The history with one more second in it. */
export function record(history: readonly Figures[], figures: Figures): Figures[] {
  return [...history, figures].slice(-KEPT);
}

/** Somebody's figures in the history, the newest last. */
export function figuresOf(history: readonly Figures[], id: string): PeerFigures[] {
  return history.flatMap(({ peers }) => peers.find((it) => it.id === id) ?? []);
}

export function signsOf(view: AppView, history: readonly Figures[]): Signs[] {
  return (view.room?.peers ?? []).map((peer) => signs(peer, figuresOf(history, peer.id)));
}

function signs(peer: PeerView, all: readonly PeerFigures[]): Signs {
  const recent = all.slice(-RECENT);
  const last = recent.at(-1);
  const rtts = (some: readonly PeerFigures[]) => some.flatMap(({ rtt_ms }) => rtt_ms ?? []);
  const most = (is: (it: PeerFigures) => boolean) =>
    recent.length > 0 && recent.filter(is).length * 2 > recent.length;
  return {
    id: peer.id,
    name: peer.name,
    connection: peer.connection,
    seconds: all.length,
    rtt: mean(rtts(recent)),
    restRtt: Math.min(...rtts(all), Infinity),
    lossIn: mean(recent.map((it) => it.loss_in)),
    lossOut: mean(recent.map((it) => it.loss_out)),
    voiceDelay: mean(recent.map((it) => it.voice_delay_ms)),
    fpsIn: mean(recent.map((it) => it.picture_in.fps)),
    voiceKbpsIn: mean(recent.map((it) => it.voice_in_kbps)),
    linesIn: last?.picture_in.height ?? 0,
    linesOut: last?.picture_out.height ?? 0,
    shortOut: most((it) => it.limited_by === 'bandwidth'),
    shortIn: most((it) => it.condition?.limited_by === 'bandwidth'),
    busyThere: most((it) => it.condition?.busy === true || it.condition?.limited_by === 'cpu'),
    smallHere: most((it) => it.condition?.limited_by === 'view'),
    relayed: last?.path?.local === 'relay' || last?.path?.remote === 'relay',
    byStream: last?.path?.by_stream === true,
    sendsPicture: !peer.camera_off,
    sendsVoice: !peer.muted,
  };
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, it) => sum + it, 0) / values.length;
}
