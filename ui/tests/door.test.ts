// Knocking, locking and removing on the page.

import { afterEach, describe, expect, it } from 'vitest';

import type { DoorView } from '../src/bindings';
import {
  FakeEngine,
  all,
  click,
  find,
  inCall,
  inGreenRoom,
  page,
  peer,
  press,
  settle,
} from './fake_engine';

let close = () => {};
afterEach(() => close());

async function at(first: ReturnType<typeof inCall>, engine = new FakeEngine()) {
  const it = await page(first, engine);
  close = it.close;
  return it;
}

function withDoor(view: ReturnType<typeof inCall>, part: Partial<DoorView>) {
  const { room } = view;
  return { ...view, room: room && { ...room, door: { ...room.door, ...part } } };
}

const somebody = peer('00000000000000a1', { name: 'Ann' });
const kim = { id: '00000000000000c1', name: 'Kim' };

describe('the green room', () => {
  it('lets the first one choose whether newcomers are asked about', async () => {
    const { engine } = await at(inGreenRoom([]));
    click('ask-first');
    click('join');
    expect(engine.join).toHaveBeenCalledWith('Sam', true);
  });

  it('offers no choice where somebody is in already, and says what is ahead', async () => {
    const { engine } = await at(withDoor(inGreenRoom(['Ann']), { policy: 'knock' }));
    expect(all('ask-first')).toEqual([]);
    expect(find('door').textContent).toContain('let you in');
    expect(find('join').textContent).toContain('Ask to join');
    engine.show(withDoor(inGreenRoom(['Ann']), { policy: 'locked' }));
    expect(find('door').textContent).toContain('locked');
  });

  it('says that one waits, and lets one give up', async () => {
    const { engine, app } = await at(inGreenRoom(['Ann']));
    engine.show(inGreenRoom(['Ann'], { phase: { at: 'waiting' } }));
    expect(find('roster').textContent).toContain('Waiting to be let in');
    expect(app.said.at(-1)?.text).toContain('Waiting to be let in');
    expect((find('join') as HTMLButtonElement).disabled).toBe(true);
    click('back');
    expect(engine.leave).toHaveBeenCalled();
  });
});

describe('a knock', () => {
  it('is said, and answered by either button', async () => {
    const { engine, app } = await at(inCall([somebody]));
    expect(all('knock')).toEqual([]);
    const robin = { id: '00000000000000c2', name: '' };
    engine.show(withDoor(inCall([somebody]), { policy: 'knock', knocking: [kim, robin] }));
    expect(app.said.map(({ text }) => text).join()).toContain('Kim\u2069 wants to come in');
    expect(all('knock').length).toBe(2);
    expect(find('admit').getAttribute('aria-label')).toContain('Kim');
    click('admit');
    expect(engine.answerKnock).toHaveBeenLastCalledWith(kim.id, true);
    all('refuse')[1]?.click();
    expect(engine.answerKnock).toHaveBeenLastCalledWith(robin.id, false);
  });

  it('takes no focus from what one is doing', async () => {
    const { engine } = await at(inCall([somebody]));
    find('mute').focus();
    engine.show(withDoor(inCall([somebody]), { knocking: [kim] }));
    expect(document.activeElement).toBe(find('mute'));
  });
});

describe('the menu of the room', () => {
  it('opens with P and changes who can join', async () => {
    const { engine } = await at(inCall([somebody]));
    press('p');
    expect((find('policy-open') as HTMLInputElement).checked).toBe(true);
    click('policy-locked');
    expect(engine.setPolicy).toHaveBeenCalledWith('locked');
  });

  it('removes somebody only after a question', async () => {
    const { engine } = await at(inCall([somebody]));
    click('room');
    click('remove');
    expect(engine.remove).not.toHaveBeenCalled();
    click('remove-confirm');
    await settle();
    expect(engine.remove).toHaveBeenCalledWith(somebody.id);
  });

  it('goes away with the call', async () => {
    const { engine, app } = await at(inCall([somebody]));
    click('room');
    engine.show({ ...inCall([]), phase: { at: 'left', failure: null } });
    expect(app.dialog).toBeNull();
  });
});

describe('the others', () => {
  it.each([
    ['own', 'The call is locked now'],
    [somebody.id, 'Ann\u2069 has locked the call'],
  ])('are told of a lock by %s', async (by, words) => {
    const { engine, app } = await at(inCall([somebody]));
    engine.show(withDoor(inCall([somebody]), { policy: 'locked', by }));
    expect(app.said.at(-1)?.text).toContain(words);
    expect(app.notes.at(-1)?.text).toContain(words);
  });

  it('are told who removed whom', async () => {
    const bo = peer('00000000000000a2', { name: 'Bo' });
    const { engine, app } = await at(inCall([somebody, bo]));
    const removed = { id: somebody.id, by: bo.id };
    engine.show(withDoor(inCall([bo]), { removed }));
    expect(app.said.at(-1)?.text).toMatch(/Bo.* removed .*Ann/);
  });
});
