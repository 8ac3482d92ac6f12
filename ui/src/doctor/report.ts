// What somebody who helps may see of a call: figures, and nothing that says who, where or what.
// Names, ids, addresses, the link and the server are left out, so that it can be posted anywhere.

import type { Figures, PeerFigures } from '../bindings';
import { diagnose, type Situation } from './diagnose';
import { figuresOf, mean } from './signs';

/** A text of JSON: the causes found, and of each number the least, the mean and the most. */
export function report(situation: Situation, version: string): string {
  const { view, history } = situation;
  const peers = view.room?.peers ?? [];
  const number = (id: string | null) => {
    const index = peers.findIndex((it) => it.id === id);
    return index < 0 ? null : index + 1;
  };
  return JSON.stringify(
    {
      quartet: version,
      findings: diagnose(situation).map(({ cause, peer }) => ({ cause, person: number(peer) })),
      seconds: history.length,
      relay_only: situation.relayOnly,
      me: {
        muted: view.me.muted,
        camera_off: view.me.camera_off,
        camera: view.me.camera.is,
        microphone: view.me.microphone.is,
        speaker: view.me.speaker.is,
        busy: view.me.busy,
        load: range(history.flatMap(({ load }: Figures) => load ?? [])),
      },
      people: peers.map((peer) => ({
        person: number(peer.id),
        connection: peer.connection,
        muted: peer.muted,
        camera_off: peer.camera_off,
        ...summary(figuresOf(history, peer.id)),
      })),
    },
    null,
    2,
  );
}

function summary(figures: readonly PeerFigures[]) {
  const of = (read: (it: PeerFigures) => number | null) =>
    range(figures.flatMap((it) => read(it) ?? []));
  const last = figures.at(-1);
  return {
    path: last?.path ?? null,
    condition: last?.condition ?? null,
    limited_by: last?.limited_by ?? null,
    picture_in: last && `${last.picture_in.width}×${last.picture_in.height}`,
    picture_out: last && `${last.picture_out.width}×${last.picture_out.height}`,
    frozen_ms: last?.frozen_ms ?? 0,
    rtt_ms: of((it) => it.rtt_ms),
    estimate_kbps: of((it) => it.estimate_kbps),
    loss_in: of((it) => it.loss_in),
    loss_out: of((it) => it.loss_out),
    fps_in: of((it) => it.picture_in.fps),
    fps_out: of((it) => it.picture_out.fps),
    kbps_in: of((it) => it.picture_in.kbps),
    kbps_out: of((it) => it.picture_out.kbps),
    voice_kbps_in: of((it) => it.voice_in_kbps),
    voice_kbps_out: of((it) => it.voice_out_kbps),
    voice_delay_ms: of((it) => it.voice_delay_ms),
  };
}

function range(values: readonly number[]) {
  if (values.length === 0) return null;
  const rounded = (value: number) => Math.round(value * 1000) / 1000;
  return {
    least: rounded(Math.min(...values)),
    mean: rounded(mean(values)),
    most: rounded(Math.max(...values)),
  };
}
