import { describe, expect, it } from 'vitest';

import { actionFor, actionsAt, bindings, type Place } from '../src/keys';

function pressed(init: KeyboardEventInit, target?: Element): KeyboardEvent {
  const event = new KeyboardEvent('keydown', { bubbles: true, ...init });
  (target ?? document.body).dispatchEvent(event);
  return event;
}

function field(html: string): Element {
  document.body.innerHTML = html;
  const found = document.body.querySelector('[data-target]');
  if (!found) throw new Error('no target');
  return found;
}

it('letters do what the tooltips say', () => {
  expect(actionFor(pressed({ key: 'm', code: 'KeyM' }), 'in_call')).toBe('mute');
  expect(actionFor(pressed({ key: 'V', code: 'KeyV', shiftKey: true }), 'in_call')).toBe('camera');
  expect(actionFor(pressed({ key: ',', code: 'Comma' }), 'home')).toBe('settings');
  expect(actionFor(pressed({ key: '?', code: 'Slash', shiftKey: true }), 'left')).toBe('help');
});

it('the same keys work on a Thai keyboard', () => {
  expect(actionFor(pressed({ key: 'ท', code: 'KeyM' }), 'in_call')).toBe('mute');
  expect(actionFor(pressed({ key: 'อ', code: 'KeyV' }), 'in_call')).toBe('camera');
  expect(actionFor(pressed({ key: 'ม', code: 'Comma' }), 'home')).toBe('settings');
  expect(actionFor(pressed({ key: 'ฦ', code: 'Slash', shiftKey: true }), 'home')).toBe('help');
  expect(actionFor(pressed({ key: 'ฝ', code: 'Slash' }), 'home')).toBeNull();
});

it('on Dvorak the letter counts, not the place', () => {
  expect(actionFor(pressed({ key: 'm', code: 'KeyM' }), 'in_call')).toBe('mute');
  expect(actionFor(pressed({ key: 'k', code: 'KeyV' }), 'in_call')).toBe('large');
});

it('a control works only where it is', () => {
  expect(actionFor(pressed({ key: 'l', code: 'KeyL' }), 'green_room')).toBeNull();
  expect(actionFor(pressed({ key: 'n', code: 'KeyN' }), 'in_call')).toBeNull();
});

it.each([{ ctrlKey: true }, { metaKey: true }, { altKey: true }, { repeat: true }])(
  'a key with %o belongs to somebody else',
  (modifier) => {
    expect(actionFor(pressed({ key: 'c', code: 'KeyC', ...modifier }), 'in_call')).toBeNull();
  },
);

describe.each([
  '<input data-target>',
  '<textarea data-target></textarea>',
  '<select data-target></select>',
  '<dialog><button data-target></button></dialog>',
])('inside %s', (html) => {
  it('keys are not commands', () => {
    expect(actionFor(pressed({ key: 'm', code: 'KeyM' }, field(html)), 'in_call')).toBeNull();
  });
});

it('no two controls of one place share a key', () => {
  for (const place of ['home', 'green_room', 'joining', 'in_call', 'left'] satisfies Place[]) {
    const keys = actionsAt(place).map((action) => bindings[action].key);
    expect(new Set(keys).size).toBe(keys.length);
  }
});
