// Rooms in which somebody has to be let in, as a guest's session sees them.

import { beforeEach, describe, expect, it } from 'vitest';

import { MAX_WAITING } from '../../src/engine/browser/core/limits';
import type {
  ClientMessage,
  PeerInfo,
  ServerMessage,
} from '../../src/engine/browser/core/messages';
import type { SessionEvent } from '../../src/engine/browser/core/output';
import { Session } from '../../src/engine/browser/core/session';
import { JOIN_LIMIT } from '../../src/engine/browser/core/signalling';

const ME = '000000000000000a';
const media = { muted: false, camera_off: false };
const bo: PeerInfo = { id: '000000000000000b', name: 'Bo', media };
const welcome = {
  type: 'welcome',
  you: ME,
  peers: [],
  ice_servers: [],
  policy: 'open',
  knocking: [],
} satisfies ServerMessage;

let session: Session;
let events: SessionEvent[];
let sent: ClientMessage[];

beforeEach(() => {
  events = [];
  sent = [];
  const [auth, seed] = [new Uint8Array(32), new Uint8Array(32)];
  const who = { key: 'key', own: ME, auth, seed, name: 'Me' };
  const config = { room: 'room', ...who, media, policy: 'knock' } as const;
  session = new Session(config, 0);
  session.handle(0, { type: 'socket_opened' });
  carryOut();
});

function carryOut(): void {
  for (let output = session.poll(); output; output = session.poll()) {
    if (output.type === 'event') events.push(output.event);
    if (output.type === 'send') sent.push(output.message);
  }
}

function hear(message: ServerMessage, now = 0): void {
  session.handle(now, { type: 'socket_message', message });
  carryOut();
}

/** The connection is lost, and found again. */
function comeBack(): void {
  session.handle(100, { type: 'socket_closed' });
  session.handleTimeout(1000);
  session.handle(1000, { type: 'socket_opened' });
  carryOut();
}

const types = () => events.map(({ type }) => type);

describe('in front of the door', () => {
  it('one waits as long as it takes, and then is in', () => {
    hear({ type: 'waiting' });
    hear({ type: 'waiting' });
    expect(types()).toEqual(['waiting']);
    for (let now = 0; now < 3 * JOIN_LIMIT; now += 1000) {
      session.handleTimeout(now);
      hear({ type: 'pong' }, now);
    }
    hear(welcome, 3 * JOIN_LIMIT);
    expect(types()).toEqual(['waiting', 'joined']);
  });

  it.each(['refused', 'room_locked', 'room_full'])('one may be told %s', (code) => {
    hear({ type: 'waiting' });
    hear({ type: 'error', code, message: '' });
    expect(events.at(-1)).toMatchObject({ end: { reason: 'refused', code } });
  });

  it('a lost server is looked for, for as long as at first', () => {
    hear({ type: 'waiting' });
    session.handle(60_000, { type: 'socket_closed' });
    for (let now = 60_000; now < 60_000 + JOIN_LIMIT; now += 100) {
      session.handleTimeout(now);
      if (session.poll()?.type === 'open_socket') session.handle(now, { type: 'socket_closed' });
    }
    expect(types()).toEqual(['waiting']);
    session.handleTimeout(60_000 + JOIN_LIMIT);
    carryOut();
    expect(events.at(-1)).toMatchObject({ end: { reason: 'unreachable' } });
  });
});

describe('inside', () => {
  it('one is told who knocks, and answers', () => {
    hear({ ...welcome, policy: 'knock', knocking: [bo] });
    hear({ type: 'knock', peer: bo });
    expect(types()).toEqual(['joined', 'policy', 'knock']);
    for (const type of ['admit', 'refuse'] as const) {
      session.handle(0, { type, peer: bo.id });
      session.handle(0, { type, peer: '00000000000000ff' });
    }
    carryOut();
    expect(sent.slice(2)).toEqual([
      { type: 'admit', peer: bo.id },
      { type: 'refuse', peer: bo.id },
    ]);
    hear({ type: 'knock_over', peer: bo.id });
    hear({ type: 'knock_over', peer: bo.id });
    expect(types().slice(3)).toEqual(['knock_over']);
  });

  it('whoever comes in knocks no more', () => {
    hear({ ...welcome, knocking: [bo] });
    hear({ type: 'peer_joined', peer: bo });
    expect(types()).toEqual(['joined', 'knock', 'knock_over', 'peer_joined']);
  });

  it('a server cannot let crowds knock', () => {
    hear(welcome);
    for (let index = 0; index < 50; index++) {
      const id = (0x100 + index).toString(16).padStart(16, '0');
      hear({ type: 'knock', peer: { ...bo, id } });
    }
    expect(types().filter((type) => type === 'knock')).toHaveLength(MAX_WAITING);
  });

  it('one who was put out does not come back', () => {
    hear(welcome);
    hear({ type: 'error', code: 'removed', message: '' });
    expect(events.at(-1)).toMatchObject({ end: { reason: 'refused', code: 'removed' } });
    expect(session.pollTimeout()).toBeNull();
  });
});

describe('who comes back', () => {
  it('names the policy and the others, and at first only the policy', () => {
    expect(sent[1]).toMatchObject({ type: 'join', policy: 'knock' });
    expect(sent[1]).not.toHaveProperty('members');
    hear({ ...welcome, peers: [bo], policy: 'locked' });
    comeBack();
    expect(sent.at(-1)).toMatchObject({ type: 'join', policy: 'locked', members: [bo.id] });
  });

  it('makes a server that has forgotten it as strict as before', () => {
    hear({ ...welcome, policy: 'locked' });
    comeBack();
    hear({ ...welcome, policy: 'open' }, 1000);
    expect(sent.at(-1)).toEqual({ type: 'policy', policy: 'locked' });
  });

  it('stays in the call while it has to wait', () => {
    hear(welcome);
    comeBack();
    hear({ type: 'waiting' }, 1000);
    expect(types()).toEqual(['joined', 'signalling']);
  });
});
