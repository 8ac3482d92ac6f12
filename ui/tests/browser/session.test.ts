import { beforeEach, describe, expect, it } from 'vitest';

import { MAX_PEERS, Session } from '../../src/engine/browser/core/session';
import { JOIN_LIMIT } from '../../src/engine/browser/core/signalling';
import type { PeerInfo, ServerMessage } from '../../src/engine/browser/core/messages';
import { World, type Person } from './network';

const A = '000000000000000a';
const B = '000000000000000b';
const C = '000000000000000c';

let world: World;

beforeEach(() => {
  world = new World();
});

/** The pair's path ends, as its browsers notice. */
function disconnect(a: Person, b: Person): void {
  for (const [person, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const link = person.links.get(other.id);
    if (link) link.connected = false;
    person.linkSays(other.id, { type: 'state', state: 'disconnected' });
  }
}

describe('a session', () => {
  it('says hello and joins in one go', () => {
    const ann = world.person(A);
    world.run(500);
    expect(ann.sent.slice(0, 2).map((message) => message.type)).toEqual(['hello', 'join']);
    expect(ann.events.map((event) => event.type)).toEqual(['joined']);
  });

  it.each([
    [A, B],
    [B, A],
  ])('connects %s and then %s; the lower id offers', (first, second) => {
    const early = world.person(first);
    world.run(1000);
    const late = world.person(second);
    world.run(1000);
    expect(early.connections()).toEqual({ [second]: 'connected' });
    expect(late.connections()).toEqual({ [first]: 'connected' });
    const offers = (person: Person) =>
      person.sent.filter((it) => it.type === 'description' && it.kind === 'offer').length;
    expect([offers(world.find(A)!), offers(world.find(B)!)]).toEqual([1, 0]);
  });

  it('tells the others of a switch, once', () => {
    const [ann, bob] = [world.person(A), world.person(B)];
    world.run(1000);
    for (let i = 0; i < 2; i++) {
      ann.tell({ type: 'media', media: { muted: true, camera_off: false } });
    }
    world.run(200);
    expect(bob.events.filter((event) => event.type === 'peer_media')).toHaveLength(1);
  });

  it('that leaves is gone for the others at once', () => {
    const [ann, bob] = [world.person(A), world.person(B)];
    world.run(1000);
    ann.tell({ type: 'leave' });
    world.run(100);
    expect(bob.connections()).toEqual({});
    expect(ann.end()).toEqual({ type: 'ended', end: { reason: 'left' } });
    expect(ann.links.size + bob.links.size).toBe(0);
    expect(ann.session.pollTimeout()).toBeNull();
  });

  it('that cannot reach the server says so in time', () => {
    world.serverUp = false;
    const ann = world.person(A);
    world.run(JOIN_LIMIT - 1);
    expect(ann.end()).toBeUndefined();
    world.run(1);
    expect(ann.end()).toEqual({ type: 'ended', end: { reason: 'unreachable' } });
  });

  it('goes on without the server, and comes back as the same', () => {
    const [ann, bob] = [world.person(A), world.person(B)];
    world.run(1000);
    world.crash();
    world.run(3000);
    expect(ann.events.at(-1)).toEqual({ type: 'signalling', online: false });
    expect(ann.connections()).toEqual({ [B]: 'connected' });
    world.serverUp = true;
    world.run(10_000);
    expect(ann.events.at(-1)).toEqual({ type: 'signalling', online: true });
    expect(ann.connections()).toEqual({ [B]: 'connected' });
    expect([ann.opened, bob.opened]).toEqual([1, 1]);
    ann.tell({ type: 'leave' });
    world.run(100);
    expect(bob.connections()).toEqual({});
  });

  it('tells what was switched while the server was gone', () => {
    const [ann, bob] = [world.person(A), world.person(B)];
    world.run(1000);
    ann.socketLost();
    ann.tell({ type: 'media', media: { muted: true, camera_off: true } });
    world.run(2000);
    const join = ann.sent.filter((message) => message.type === 'join').at(-1);
    expect(join).toMatchObject({ media: { muted: true, camera_off: true } });
    expect(bob.connections()).toEqual({ [A]: 'connected' });
  });

  it('is pinging, and gives up a silent server', () => {
    const ann = world.person(A);
    world.run(7000);
    expect(ann.sent.filter((message) => message.type === 'ping')).toHaveLength(3);
    world.take = () => {};
    world.run(5100);
    expect(ann.events.at(-1)).toEqual({ type: 'signalling', online: false });
  });

  it('that was replaced does not come back', () => {
    const ann = world.person(A);
    world.run(1000);
    ann.hear({ type: 'error', code: 'replaced', message: 'elsewhere' });
    world.run(60_000);
    expect(ann.end()).toMatchObject({ end: { reason: 'refused', code: 'replaced' } });
    expect(ann.sent.filter((message) => message.type === 'join')).toHaveLength(1);
  });

  it('refused at first ends; refused later goes on', () => {
    const ann = world.person(A);
    world.take = (person) => person.hear({ type: 'error', code: 'room_full', message: 'full' });
    world.run(1000);
    expect(ann.end()).toMatchObject({ end: { reason: 'refused', code: 'room_full' } });

    world = new World();
    const [bob, cid] = [world.person(B), world.person(C)];
    world.run(1000);
    const { take } = world;
    world.take = (person) => person.hear({ type: 'error', code: 'room_full', message: 'full' });
    bob.socketLost();
    world.run(20_000);
    expect(bob.end()).toBeUndefined();
    expect(bob.events.filter((event) => event.type === 'error')).toHaveLength(1);
    expect(bob.connections()).toEqual({ [C]: 'connected' });
    world.take = take;
    world.run(10_000);
    expect(bob.events.at(-1)).toEqual({ type: 'signalling', online: true });
    expect(cid.connections()).toEqual({ [B]: 'connected' });
  });

  it('believes in a bounded number of people, each once, and not in itself', () => {
    const [auth, seed] = [new Uint8Array(32), new Uint8Array(32)];
    const who = { key: '', own: A, auth, seed, name: '' };
    const config = { room: '', ...who, media: quiet, policy: 'open' } as const;
    const session = new Session(config, 0);
    session.handle(0, { type: 'socket_opened' });
    const peers = Array.from({ length: 40 }, (_, index) => somebody(index % 20));
    peers.push({ ...somebody(0), id: A });
    const welcome: ServerMessage = {
      type: 'welcome',
      you: A,
      peers,
      ice_servers: [],
      policy: 'open',
      knocking: [],
    };
    session.handle(0, { type: 'socket_message', message: welcome });
    for (let i = 20; i < 40; i++) {
      session.handle(0, {
        type: 'socket_message',
        message: { type: 'peer_joined', peer: somebody(i) },
      });
    }
    let joined = 0;
    for (let output = session.poll(); output; output = session.poll()) {
      if (output.type === 'event' && output.event.type === 'peer_joined') joined++;
    }
    expect(joined).toBe(MAX_PEERS);
  });

  it('does not take another id from the server', () => {
    const ann = world.person(A);
    world.take = (person) => {
      person.hear({
        type: 'welcome',
        you: B,
        peers: [],
        ice_servers: [],
        policy: 'open',
        knocking: [],
      });
    };
    world.run(1000);
    expect(ann.end()).toMatchObject({ end: { reason: 'refused', code: 'bad_message' } });
  });
});

describe('a pair', () => {
  let ann: Person;
  let bob: Person;

  beforeEach(() => {
    [ann, bob] = [world.person(A), world.person(B)];
    world.run(1000);
  });

  it('that is silent for 2 s is restarted on the same link', () => {
    disconnect(ann, bob);
    world.run(1900);
    const restarts = () =>
      ann.sent.filter((it) => it.type === 'description' && it.kind === 'offer').length - 1;
    expect(restarts()).toBe(0);
    world.run(1000);
    expect(restarts()).toBe(1);
    expect(ann.connections()).toEqual({ [B]: 'connected' });
    expect([ann.opened, bob.opened]).toEqual([1, 1]);
  });

  it('looks for new paths when either machine changes its network', () => {
    // An offer as young as the pair's first would count as the answer to the wish.
    world.run(1000);
    bob.tell({ type: 'network_changed' });
    world.run(500);
    expect(bob.sent.filter((it) => it.type === 'negotiate')).toEqual([
      { type: 'negotiate', to: A, epoch: 1, renew: false },
    ]);
    expect(ann.sent.filter((it) => it.type === 'description')).toHaveLength(2);
    expect([ann.opened, bob.opened]).toEqual([1, 1]);
  });

  const offers = () =>
    ann.sent.filter((it) => it.type === 'description' && it.kind === 'offer').length;

  it.each([
    ['the side that offers', A],
    ['the side that answers', B],
  ])('hears of a new address of %s though its socket was from the old one', (_, id) => {
    world.run(1000);
    world.find(id)?.silenceSocket();
    world.find(id)?.tell({ type: 'network_changed' });
    world.run(1000);
    expect(offers()).toBe(2);
    expect(ann.connections()).toEqual({ [B]: 'connected' });
    expect([ann.opened, bob.opened]).toEqual([1, 1]);
  });

  it('is offered a restart again whose offer was lost', () => {
    disconnect(ann, bob);
    world.run(1500);
    bob.silenceSocket();
    // Until bob misses the server and comes back, and the deadline of the restart is not over.
    world.run(8000);
    expect(offers()).toBeGreaterThanOrEqual(3);
    expect(ann.connections()).toEqual({ [B]: 'connected' });
    expect(bob.connections()).toEqual({ [A]: 'connected' });
    expect([ann.opened, bob.opened]).toEqual([1, 1]);
  });

  it('whose path is lost 9 s after a restart is restarted again, and not made anew', () => {
    world.run(1000);
    bob.tell({ type: 'network_changed' });
    world.run(9000);
    expect(offers()).toBe(2);
    disconnect(ann, bob);
    world.run(3000);
    expect(offers()).toBe(3);
    expect(ann.connections()).toEqual({ [B]: 'connected' });
    expect([ann.opened, bob.opened]).toEqual([1, 1]);
  });

  it('is restarted once more after a change of the network during a restart', () => {
    ann.tell({ type: 'network_changed' });
    world.run(70);
    expect(offers()).toBe(2);
    ann.tell({ type: 'network_changed' });
    world.run(5000);
    expect(offers()).toBeGreaterThanOrEqual(3);
    expect([ann.opened, bob.opened]).toEqual([1, 1]);
  });

  it.each([
    ['the side that offers', A],
    ['the side that answers', B],
  ])('that failed for %s gets a new link under the next epoch', (_, id) => {
    const person = world.find(id)!;
    const other = id === A ? B : A;
    person.linkSays(other, { type: 'state', state: 'failed' });
    world.run(3000);
    expect(ann.connections()).toEqual({ [B]: 'connected' });
    expect(bob.connections()).toEqual({ [A]: 'connected' });
    expect([ann.links.get(B)?.epoch, bob.links.get(A)?.epoch]).toEqual([2, 2]);
  });

  it('without a path is tried again and again, and says that it failed', () => {
    world.cut.add(`${A} ${B}`);
    ann.linkSays(B, { type: 'state', state: 'failed' });
    bob.linkSays(A, { type: 'state', state: 'failed' });
    world.run(40_000);
    expect(ann.connections()).toEqual({ [B]: 'failed' });
    expect(bob.connections()).toEqual({ [A]: 'failed' });
    expect(ann.opened).toBeGreaterThan(2);
    expect(ann.opened).toBeLessThan(8);
    world.cut.clear();
    world.run(20_000);
    expect(ann.connections()).toEqual({ [B]: 'connected' });
    expect(bob.connections()).toEqual({ [A]: 'connected' });
  });

  it('drops what belongs to another epoch or to the wrong side', () => {
    const before = { opened: ann.opened, epoch: ann.links.get(B)?.epoch };
    const answer = { type: 'description', from: B, kind: 'answer', sdp: 'x', proof: null } as const;
    ann.hear({ ...answer, epoch: 0 });
    ann.hear({ ...answer, epoch: 1 });
    ann.hear({ ...answer, epoch: 9 });
    ann.hear({ ...answer, epoch: 9, kind: 'offer' });
    world.run(100);
    expect({ opened: ann.opened, epoch: ann.links.get(B)?.epoch }).toEqual(before);
    expect(ann.connections()).toEqual({ [B]: 'connected' });
  });

  it('costs a bounded number of links, whatever a peer offers', () => {
    const before = bob.opened;
    for (let epoch = 2; epoch < 200; epoch++) {
      bob.hear({ type: 'description', from: A, epoch, kind: 'offer', sdp: 'x', proof: null });
    }
    world.run(100);
    expect(bob.opened - before).toBeLessThanOrEqual(10);
  });

  it('ends for somebody whom the server has lost and who is not connected', () => {
    disconnect(ann, bob);
    world.remove(B, 'lost');
    world.run(100);
    expect(ann.connections()).toEqual({});
  });
});

const quiet = { muted: false, camera_off: false };

function somebody(index: number): PeerInfo {
  return { id: (0x100 + index).toString(16).padStart(16, '0'), name: 'x', media: quiet };
}
