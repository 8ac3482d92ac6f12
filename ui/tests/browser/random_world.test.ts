// Whatever happens to sockets, servers, paths and networks: once it stops, everybody who is in the
// call is connected with everybody else, with one link each. The seed of a failure is in its name.

import { describe, expect, it } from 'vitest';

import { World, type Person } from './network';

/** What happens in a world. */
const TURNS = 40;
/** Within this time after the last mishap all is well: tries are at most 8 s apart. */
const RECOVERY = 60_000;
const IDS = ['0a', '0b', '0c', '0d'].map((id) => id.padStart(16, '0'));

function random(seed: number): (below: number) => number {
  let state = seed * 2654435761;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
}

function mishap(world: World, below: (n: number) => number): void {
  const pick = (): Person => world.people[below(world.people.length)]!;
  const [a, b] = [pick(), pick()];
  const pair = a.id < b.id ? `${a.id} ${b.id}` : `${b.id} ${a.id}`;
  switch (below(8)) {
    case 0:
      return a.socketLost();
    case 1:
      return world.crash();
    case 2:
      world.serverUp = true;
      return;
    case 3:
      return a.tell({ type: 'network_changed' });
    case 4:
      world.cut.add(pair);
      return a.linkSays(b.id, { type: 'state', state: 'failed' });
    case 5:
      return void world.cut.delete(pair);
    case 6:
      return a.linkSays(b.id, { type: 'state', state: 'disconnected' });
    case 7:
      return a.linkSays(b.id, { type: 'broken' });
  }
}

describe('after a random past', () => {
  it.each(Array.from({ length: 60 }, (_, seed) => seed))('all are connected (seed %i)', (seed) => {
    const below = random(seed + 1);
    const world = new World();
    for (const id of IDS) {
      world.person(id);
      world.run(below(2_000));
    }
    world.run(2_000);
    for (let turn = 0; turn < TURNS; turn++) {
      mishap(world, below);
      world.run(below(4_000));
    }
    world.serverUp = true;
    world.cut.clear();
    world.run(RECOVERY);
    for (const person of world.people) {
      const others = IDS.filter((id) => id !== person.id);
      expect(person.end()).toBeUndefined();
      expect(person.connections()).toEqual(
        Object.fromEntries(others.map((id) => [id, 'connected'])),
      );
      expect([...person.links.keys()].sort()).toEqual(others);
    }
  });
});
