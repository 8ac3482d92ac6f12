// Calls with something wrong, as the figures show them.

import type { AppView, Figures, PeerFigures, PeerView } from '../../src/bindings';
import type { Situation } from '../../src/doctor/diagnose';
import { inCall, peer } from '../fake_engine';

export interface Fault {
  /** How many others there are. */
  people?: number;
  /** What is different of everybody's figures, or of the first one's only. */
  all?: (second: number) => Partial<PeerFigures>;
  first?: (second: number) => Partial<PeerFigures>;
  /** What is different of the first one. */
  peer?: Partial<PeerView>;
  view?: Partial<AppView>;
  relayOnly?: boolean;
  silentFor?: number;
  seconds?: number;
}

/** Without a fault: two others, half a minute, direct. */
export function call(fault: Fault, seed = 1): Situation {
  const random = randomOf(seed);
  const people = Array.from({ length: fault.people ?? 2 }, (_, index) =>
    peer(`${index}`.repeat(16), { name: `Person ${index}`, ...(index === 0 ? fault.peer : {}) }),
  );
  const history: Figures[] = Array.from({ length: fault.seconds ?? 30 }, (_, second) => ({
    load: 0.3,
    peers: people.map(({ id }, index) => ({
      ...well(id, random),
      ...fault.all?.(second),
      ...(index === 0 ? fault.first?.(second) : {}),
    })),
  }));
  return {
    view: inCall(people, fault.view),
    relayOnly: fault.relayOnly ?? false,
    history,
    silentFor: fault.silentFor ?? 0,
  };
}

/** A good connection, as uneven as they are. */
function well(id: string, random: () => number): PeerFigures {
  const about = (value: number) => value * (0.8 + 0.4 * random());
  return {
    id,
    path: { local: 'host', remote: 'srflx', by_stream: false },
    rtt_ms: about(40),
    estimate_kbps: about(3000),
    loss_out: random() < 0.2 ? 0.01 : 0,
    loss_in: random() < 0.2 ? 0.01 : 0,
    picture_in: { width: 640, height: 360, fps: about(30), kbps: about(600) },
    frozen_ms: 0,
    picture_out: { width: 640, height: 360, fps: about(30), kbps: about(600) },
    limited_by: 'none',
    voice_in_kbps: about(30),
    played_ms: 0,
    concealed_ms: 0,
    voice_delay_ms: about(50),
    voice_out_kbps: about(30),
    condition: { limited_by: 'none', busy: false },
  };
}

/** Numbers that look random, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
