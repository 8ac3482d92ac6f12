import { expect, it } from 'vitest';

import { report } from '../../src/doctor/report';
import { call } from './call';

it('tells the figures and nothing that says who or where', () => {
  const situation = call({ first: () => ({ loss_in: 0.1 }), peer: { name: 'Grace Hopper' } });
  const text = report(situation, '1.2.3');
  const read = JSON.parse(text);
  expect(read.quartet).toBe('1.2.3');
  expect(read.findings).toEqual([{ cause: 'lossy_there', person: 1 }]);
  expect(read.people[0].loss_in).toEqual({ least: 0.1, mean: 0.1, most: 0.1 });
  expect(read.people[1].rtt_ms.least).toBeGreaterThan(30);

  const { room } = situation.view;
  const secrets = [
    room?.link,
    room?.server,
    ...(room?.peers ?? []).flatMap((it) => [it.id, it.name]),
  ];
  expect(secrets).toHaveLength(6);
  for (const secret of secrets) expect(text).not.toContain(secret);
  expect(text).not.toMatch(/\d+\.\d+\.\d+\.\d+/);
});

it('can be made before anything is known', () => {
  expect(JSON.parse(report(call({ people: 0, seconds: 0 }), '1')).people).toEqual([]);
  expect(JSON.parse(report(call({ seconds: 0 }), '1')).people[0].rtt_ms).toBeNull();
});
