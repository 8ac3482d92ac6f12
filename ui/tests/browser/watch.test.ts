import { expect, it } from 'vitest';

import type { ServerMessage } from '../../src/engine/browser/core/messages';
import { Watch } from '../../src/engine/browser/core/watch';

const media = { muted: false, camera_off: false };
const roster = (...names: string[]): ServerMessage => ({
  type: 'roster',
  peers: names.map((name, index) => ({ id: `000000000000000${index}`, name, media })),
  policy: 'open',
});

/** Everything that it wants now, in short. */
function wants(watch: Watch): string[] {
  const all: string[] = [];
  for (let output = watch.poll(); output; output = watch.poll()) {
    all.push(output.type === 'send' ? output.message.type : output.type);
  }
  return all;
}

function opened(): Watch {
  const watch = new Watch('room', 0);
  expect(wants(watch)).toEqual(['open_socket']);
  watch.handle(10, { type: 'socket_opened' });
  expect(wants(watch)).toEqual(['hello', 'watch']);
  return watch;
}

it('knows who is inside, and nothing while the server is gone', () => {
  const watch = opened();
  expect(watch.roster).toBeNull();
  watch.handle(20, { type: 'socket_message', message: roster('Ann') });
  watch.handle(30, { type: 'socket_message', message: roster('Ann', 'Bob') });
  expect(watch.roster).toEqual(['Ann', 'Bob']);
  watch.handle(40, { type: 'socket_closed' });
  expect(watch.roster).toBeNull();
  watch.handleTimeout(600);
  expect(wants(watch)).toEqual(['open_socket']);
});

it('waits for a server as long as it takes', () => {
  const watch = new Watch('room', 0);
  let tries = 0;
  for (let now = 0; now < 60_000; now += 100) {
    for (const want of wants(watch)) {
      if (want !== 'open_socket') continue;
      tries++;
      watch.handle(now, { type: 'socket_closed' });
    }
    watch.handleTimeout(now);
  }
  expect(tries).toBeGreaterThan(7);
  expect(tries).toBeLessThan(20);
});

it('asks again later where the room must not be looked into now', () => {
  const watch = opened();
  watch.handle(20, {
    type: 'socket_message',
    message: { type: 'error', code: 'server_full', message: '' },
  });
  expect(wants(watch)).toEqual(['close_socket']);
  watch.handleTimeout(600);
  expect(wants(watch)).toEqual(['open_socket']);
});

it('is over when it is stopped', () => {
  const watch = opened();
  watch.handle(20, { type: 'stop' });
  expect(wants(watch)).toEqual(['close_socket']);
  expect(watch.pollTimeout()).toBeNull();
  watch.handle(30, { type: 'socket_message', message: roster('Ann') });
  expect(watch.roster).toBeNull();
});
