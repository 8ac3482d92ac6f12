// Reactions that are being shown, each over its tile for a moment.

import type { ReactionKind, ReactionView } from './bindings';

/** How long one is shown, milliseconds: as long as its movement in `Cheers.svelte`. */
export const SHOWN_MS = 4_000;
/** On one tile at once; the oldest makes room. What comes is limited before it gets here. */
const MAX_SHOWN = 8;
/** The same of the same person is said to screen readers once in this time, milliseconds. */
const SAID_EVERY_MS = 5_000;

export interface Cheer extends ReactionView {
  id: number;
}

export class Cheers {
  shown = $state.raw<readonly Cheer[]>([]);
  private readonly saidAt = new Map<string, number>();
  private nextId = 0;

  /** Shows one; true when screen readers are to be told. */
  add(reaction: ReactionView, now: number): boolean {
    const id = this.nextId++;
    const ofTile = this.of(reaction.tile);
    const tooMany = ofTile.length < MAX_SHOWN ? undefined : ofTile[0]?.id;
    const rest = this.shown.filter((it) => it.id !== tooMany);
    this.shown = [...rest, { ...reaction, id }];
    setTimeout(() => (this.shown = this.shown.filter((it) => it.id !== id)), SHOWN_MS);
    const what = `${reaction.tile} ${reaction.kind}`;
    const news = now - (this.saidAt.get(what) ?? -Infinity) >= SAID_EVERY_MS;
    if (news) this.saidAt.set(what, now);
    return news;
  }

  of(tile: string): readonly { id: number; kind: ReactionKind }[] {
    return this.shown.filter((it) => it.tile === tile);
  }

  /** Another call. */
  clear(): void {
    this.shown = [];
    this.saidAt.clear();
  }
}
