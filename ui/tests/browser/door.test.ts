// Who gets into a room, as a guest's session sees it: the members' rules of the protocol page.

import { beforeEach, expect, it } from 'vitest';

import type { PeerInfo, RoomPolicy } from '../../src/engine/browser/core/messages';
import { type Person, World } from './network';

const [A, B, C] = ['000000000000000a', '000000000000000b', '000000000000000c'];
const cyd: PeerInfo = { id: C, name: 'Cyd', media: { muted: false, camera_off: false } };

let world: World;
let ann: Person;
let bob: Person;

beforeEach(() => {
  world = new World();
  [ann, bob] = [world.person(A), world.person(B)];
  world.run(2_000);
});

function choose(policy: RoomPolicy): void {
  ann.tell({ type: 'policy', policy });
  world.run(200);
}

/** Whom the person is asked about now. */
function asked(person: Person): string[] {
  const now = new Set<string>();
  for (const event of person.events) {
    if (event.type === 'knock') now.add(event.peer.id);
    if (event.type === 'knock_over') now.delete(event.peer);
  }
  return [...now];
}

function policyOf(person: Person): RoomPolicy | undefined {
  return person.events.flatMap((it) => (it.type === 'policy' ? [it.policy] : [])).at(-1);
}

it('tells the members what was chosen, past the server', () => {
  world.crash();
  choose('locked');
  expect([policyOf(ann), policyOf(bob)]).toEqual(['locked', 'locked']);
  choose('open');
  expect(policyOf(bob)).toBe('open');
});

it('connects nobody whom the server lists and nobody let in, and asks', () => {
  choose('knock');
  const opened = ann.opened;
  ann.hear({ type: 'peer_joined', peer: cyd });
  world.run(2_900);
  expect(asked(ann)).toEqual([]);
  world.run(200);
  expect(asked(ann)).toEqual([C]);
  ann.tell({ type: 'refuse', peer: C });
  expect([asked(ann), ann.opened]).toEqual([[], opened]);
  expect(ann.sent.at(-1)).toEqual({ type: 'remove', peer: C });
  ann.hear({ type: 'peer_joined', peer: cyd });
  world.run(10_000);
  expect([asked(ann), ann.opened]).toEqual([[], opened]);
});

it('believes a member who has let somebody in', () => {
  choose('knock');
  bob.hear({ type: 'knock', peer: cyd });
  ann.hear({ type: 'knock', peer: cyd });
  world.run(100);
  expect([asked(ann), asked(bob)]).toEqual([[C], [C]]);
  bob.tell({ type: 'admit', peer: C });
  expect(bob.sent.at(-1)).toEqual({ type: 'admit', peer: C });
  world.run(100);
  ann.hear({ type: 'knock_over', peer: C });
  ann.hear({ type: 'peer_joined', peer: cyd });
  world.run(100);
  expect(Object.keys(ann.connections())).toEqual([B, C]);
  world.run(10_000);
  expect(asked(ann)).toEqual([]);
});

it('lets no server open the door, and tells it again what it has forgotten', () => {
  choose('locked');
  bob.hear({ type: 'policy', policy: 'open', by: A });
  world.run(100);
  expect(policyOf(bob)).toBe('locked');
  bob.sent.length = 0;
  bob.socketLost();
  world.run(10_000);
  const join = bob.sent.find((it) => it.type === 'join');
  expect(join).toMatchObject({ policy: 'locked', members: [A] });
  expect(bob.sent).toContainEqual({ type: 'policy', policy: 'locked' });
});

it('puts somebody out for everybody, and closes an open door', () => {
  world.crash();
  const outs = () => ann.events.filter((it) => it.type === 'peer_removed');
  ann.tell({ type: 'remove', peer: B });
  expect(outs()).toEqual([{ type: 'peer_removed', peer: B, by: A }]);
  expect(ann.connections()).toEqual({});
  expect(policyOf(ann)).toBe('knock');
  world.serverUp = true;
  world.run(15_000);
  expect(ann.connections()).toEqual({});
  expect(ann.sent).toContainEqual({ type: 'remove', peer: B });
});

it('waits for as long as those inside take', () => {
  const late = world.person(C);
  world.take = (person, message) => {
    if (message.type === 'join') person.hear({ type: 'waiting' });
    if (message.type === 'ping') person.hear({ type: 'pong' });
  };
  world.run(60_000);
  expect(late.events).toEqual([{ type: 'waiting' }]);
  late.hear({ type: 'error', code: 'refused', message: '' });
  world.run(100);
  expect(late.end()).toMatchObject({ end: { reason: 'refused', code: 'refused' } });
});
