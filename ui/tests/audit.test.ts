// Every screen read by an automated auditor (axe-core, WCAG 2.2 AA and its best practices). It
// finds what is wrong for everybody: controls without names, ids used twice, broken roles. jsdom
// draws nothing, so contrast is not among it.

import axe from 'axe-core';
import { afterEach, expect, it } from 'vitest';

import type { AppView } from '../src/bindings';
import type { LanguageCode } from '../src/i18n/translate';
import {
  all,
  FakeEngine,
  find,
  inCall,
  inGreenRoom,
  page,
  peer,
  press,
  settle,
  view,
} from './fake_engine';

let close: (() => unknown) | undefined;

afterEach(() => {
  close?.();
  close = undefined;
});

const broken = inGreenRoom(['Ann']);
broken.me = { ...broken.me, camera: { is: 'failed', code: 'busy', message: 'EBUSY' } };
const company = inCall([
  peer('Ann'),
  peer('Bob', { muted: true, camera_off: true }),
  peer('Cid', { connection: 'reconnecting' }),
]);

const atDoor = inCall(company.room?.peers ?? []);
if (atDoor.room) {
  const knocking = [
    { id: 'c1', name: 'Kim' },
    { id: 'd1', name: '' },
  ];
  atDoor.room = { ...atDoor.room, door: { ...atDoor.room.door, policy: 'knock', knocking } };
}

const screens: [string, AppView, key?: string][] = [
  ['home', view()],
  ['the green room', inGreenRoom(['Ann', 'Bob'])],
  ['the green room without a camera', broken],
  ['joining', inGreenRoom([], { phase: { at: 'joining' } })],
  ['waiting to be let in', inGreenRoom(['Ann'], { phase: { at: 'waiting' } })],
  ['a call alone', inCall([])],
  ['a call of four', company],
  ['a call without a server', inCall([], { phase: { at: 'in_call', signalling_online: false } })],
  ['people at the door', atDoor],
  ['who can join, and who is in', atDoor, 'p'],
  ['the layout', company, 'g'],
  ['the settings above the green room', inGreenRoom([]), ','],
  ['the settings above the call', company, ','],
  ['the chat beside the call', company, 't'],
  ['the details beside the call', company, 'd'],
  ['the help', company, '?'],
  ['the question before leaving', company, 'l'],
  ['the end', { ...inCall([]), phase: { at: 'left', failure: null } }],
  [
    'a bad end',
    { ...inCall([]), phase: { at: 'left', failure: { code: 'room_full', message: '' } } },
  ],
];

it.each(screens)('%s has nothing for an auditor to find', async (_, shown, key) => {
  await look(new FakeEngine(), shown, key);
});

it.each(['unconfirmed', 'confirmed', 'changed'] as const)('nor has a code (%s)', async (mark) => {
  const ann = peer('Ann', { trust: { code: [0, 21, 42, 63], mark } });
  await look(new FakeEngine(), inCall([ann]), undefined, () => find('trust').click());
});

it('nor has the question before removing somebody', async () => {
  await look(new FakeEngine(), atDoor, 'p', () => all('remove')[0]?.click());
});

it.each(['choice', 'insecure'] as const)('nor has the entrance (%s)', async (at) => {
  const entrance = { at, app: 'quartet://join?server=https%3A%2F%2Fquartet.example#A' };
  const begin = async () => {};
  await look(Object.assign(new FakeEngine(), { guest: { entrance, begin } }), view());
});

async function look(
  engine: FakeEngine,
  shown: AppView,
  key?: string,
  first = () => {},
): Promise<void> {
  engine.kept = {
    ...engine.kept,
    language: 'th' satisfies LanguageCode,
    ice_servers: [{ url: 'turn:turn.example.org', username: 'sam', credential: 'secret' }],
  };
  document.title = 'Quartet';
  ({ close } = await page(shown, engine));
  if (key) press(key);
  const said = { clock: 1, seq: 1, own: false, name: 'Ann', text: 'https://example.org' };
  engine.events({ type: 'chat', data: [{ ...said, author: 'a1', passed_on_by: 'Bob' }] });
  first();
  engine.events({ type: 'notice', data: { code: 'rate_limited', message: '' } });
  await settle();
  const audit = await axe.run(document, {
    rules: {
      'color-contrast': { enabled: false },
      // It takes the vowels of Thai for punctuation; `i18n.test.ts` compares these texts.
      'label-content-name-mismatch': { enabled: false },
      // Seen or not, which jsdom does not know either.
      'landmark-one-main': { enabled: false },
      'page-has-heading-one': { enabled: false },
    },
    resultTypes: ['violations', 'incomplete'],
  });
  const findings = [...audit.violations, ...audit.incomplete].map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`,
  );
  expect(findings).toEqual([]);
}
