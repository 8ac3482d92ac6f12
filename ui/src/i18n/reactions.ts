// The pictures of the reactions; their names are in the catalogues.

import type { ReactionKind } from '../bindings';

export const REACTION_EMOJI: Readonly<Record<ReactionKind, string>> = {
  thumbs_up: '👍',
  heart: '❤️',
  clap: '👏',
  laugh: '😂',
  wow: '😮',
  party: '🎉',
};

/** In the order in which they are offered. */
export const REACTION_KINDS = Object.keys(REACTION_EMOJI) as ReactionKind[];
