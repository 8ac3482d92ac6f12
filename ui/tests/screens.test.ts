import { afterEach, describe, expect, it, vi } from 'vitest';
import { flushSync } from 'svelte';

import type { MarkView, PeerFigures, UiEvent } from '../src/bindings';
import { call } from './doctor/call';
import {
  all,
  click,
  FakeEngine,
  find,
  inCall,
  inGreenRoom,
  page,
  peer,
  press,
  settings,
  settle,
  type,
  view,
} from './fake_engine';

let close: (() => unknown) | undefined;

async function open(first = view(), engine = new FakeEngine()) {
  const opened = await page(first, engine);
  close = opened.close;
  return opened;
}

afterEach(() => {
  close?.();
  close = undefined;
});

const text = (testid: string) =>
  find(testid)
    .textContent?.replace(/[\u2068\u2069]/g, '')
    .trim();

describe('home', () => {
  it('begins a call with one press', async () => {
    const { engine } = await open();
    click('new-call');
    expect(engine.newCall).toHaveBeenCalledTimes(1);
  });

  it('opens a pasted link, without the spaces around it', async () => {
    const { engine } = await open();
    expect(find('open-link')).toHaveProperty('disabled', true);
    type('link-input', '  https://example.org/j#AAAAAAAAAAAAAAAAAAAAAA \n');
    click('open-link');
    expect(engine.openLink).toHaveBeenCalledWith('https://example.org/j#AAAAAAAAAAAAAAAAAAAAAA');
  });

  it('says why a link does not work, and goes on', async () => {
    const { engine } = await open();
    engine.openLink.mockRejectedValueOnce({ code: 'invalid_link', message: 'no' });
    type('link-input', 'hello');
    click('open-link');
    await settle();
    const alert = document.querySelector('[role=alert]');
    expect(alert?.getAttribute('data-code')).toBe('invalid_link');
    expect(alert?.textContent).toContain('not a complete link');
    expect(find('open-link')).toHaveProperty('disabled', false);
  });

  it('is in Thai when the system is', async () => {
    const engine = new FakeEngine();
    engine.language = 'th';
    await open(view(), engine);
    expect(text('new-call')).toBe('เริ่มการโทรใหม่');
    expect(document.documentElement.lang).toBe('th');
  });

  it('changes the language at once', async () => {
    const { engine } = await open();
    type('language', 'th');
    expect(text('new-call')).toBe('เริ่มการโทรใหม่');
    expect(engine.saveSettings).toHaveBeenCalledWith({ ...settings, language: 'th' });
  });
});

describe('the green room', () => {
  it.each([
    [null, 'Asking who is already here …'],
    [[], 'You are the first here.'],
    [['Ann'], 'Ann is here.'],
    [['Ann', 'Bob'], 'Ann and Bob are here.'],
    [['A', 'B', 'C', 'D'], 'Four people are here already: the call is full.'],
  ])('with %j inside says so', async (waiting, words) => {
    await open(inGreenRoom(waiting));
    expect(text('roster')).toBe(words);
  });

  it('joins under the name that is there', async () => {
    const { engine } = await open(inGreenRoom([]));
    expect(find('name')).toHaveProperty('value', 'Sam');
    type('name', ' Ann ');
    click('join');
    expect(engine.join).toHaveBeenCalledWith('Ann', false);
  });

  it('asks for a name when there is none', async () => {
    const { engine } = await open(inGreenRoom([]));
    type('name', '  ');
    click('join');
    expect(engine.join).not.toHaveBeenCalled();
    expect(document.activeElement).toBe(find('name'));
    expect(document.querySelector('#name-problem')).not.toBeNull();
  });

  it('keeps its picture while joining, and cannot join twice', async () => {
    const { engine } = await open(inGreenRoom([]));
    expect(engine.showTile).toHaveBeenCalledTimes(1);
    engine.show({ ...inGreenRoom([]), phase: { at: 'joining' } });
    expect(find('join')).toHaveProperty('disabled', true);
    expect(engine.showTile).toHaveBeenCalledTimes(1);
    expect(engine.stopShowing).not.toHaveBeenCalled();
  });

  it('shows the link whole, and whose server it is', async () => {
    const { engine } = await open(inGreenRoom([]));
    expect(text('room-link')).toBe('http://192.0.2.7:4780/j#AAAAAAAAAAAAAAAAAAAAAA');
    expect(text('server')).toBe('The server runs inside this app (192.0.2.7:4780).');
    click('copy-link');
    await settle();
    expect(engine.copyLink).toHaveBeenCalled();
    expect(text('copy-link')).toBe('Link copied');
  });

  it('chooses devices, and keeps one that is not there', async () => {
    const engine = new FakeEngine();
    engine.kept = { ...settings, camera: 'camera:gone' };
    await open(inGreenRoom([]), engine);
    const select = find('device-camera') as HTMLSelectElement;
    expect(select.value).toBe('camera:gone');
    expect(select.selectedOptions[0]?.textContent).toContain('not there now');
    type('device-camera', 'pattern');
    expect(engine.choose).toHaveBeenCalledWith('camera', 'pattern');
    expect((find('device-camera') as HTMLSelectElement).value).toBe('pattern');
  });

  it('keeps what was chosen when no file is picked', async () => {
    const first = inGreenRoom([]);
    first.devices.cameras.push({ id: 'file', label: 'file' });
    const { engine } = await open(first);
    const before = (find('device-camera') as HTMLSelectElement).value;
    engine.choose.mockResolvedValueOnce(before);
    type('device-camera', 'file');
    await settle();
    expect(engine.choose).toHaveBeenCalledWith('camera', 'file');
    expect((find('device-camera') as HTMLSelectElement).value).toBe(before);
  });

  it('has labels of its own, and so have the settings above it', async () => {
    await open(inGreenRoom([]));
    press(',', { code: 'Comma' });
    const lists = all('device-camera') as HTMLSelectElement[];
    expect(lists.map((list) => list.labels?.length)).toEqual([1, 1]);
  });

  it('says what is wrong with a device', async () => {
    const first = inGreenRoom([]);
    first.me = { ...first.me, microphone: { is: 'failed', code: 'busy', message: 'EBUSY' } };
    await open(first);
    expect(document.body.textContent).toContain('Another program is using the device');
    expect(document.body.textContent).not.toContain('EBUSY');
  });

  it('moves the meter', async () => {
    const { engine } = await open(inGreenRoom([]));
    engine.events({ type: 'levels', data: [{ tile: 'own', level: 0.05 }] });
    flushSync();
    expect(find('meter').getAttribute('aria-valuenow')).toBe('64');
  });
});

describe('the code of a pair', () => {
  const ann = (mark: MarkView) =>
    peer('a', { name: 'Ann', trust: { code: [0, 21, 42, 63], mark } });

  it('is shown on demand, with the names of the emoji, and confirmed with one press', async () => {
    const { engine } = await open(inCall([ann('unconfirmed')]));
    expect(find('trust').getAttribute('aria-label')).toContain('Compare codes');
    find('trust').click();
    flushSync();
    const words = [...find('code').querySelectorAll('.word')].map((word) => word.textContent);
    expect(words).toEqual(['Dog', 'Cloud', 'Book', 'Pin']);
    find('confirm').click();
    await settle();
    expect(engine.confirmCode).toHaveBeenCalledWith('a', [0, 21, 42, 63], true);
    engine.show(inCall([ann('confirmed')]));
    expect(find('trust').dataset['mark']).toBe('confirmed');
    expect(find('said').textContent).toContain('Codes compared with');
    find('unconfirm').click();
    await settle();
    expect(engine.confirmCode).toHaveBeenLastCalledWith('a', [0, 21, 42, 63], false);
  });

  it('warns when somebody whose code was compared is another one', async () => {
    const { engine } = await open(inCall([ann('confirmed')]));
    engine.show(inCall([ann('changed')]));
    expect(find('trust').dataset['mark']).toBe('changed');
    expect(find('news').textContent).toContain('has changed');
    find('trust').click();
    flushSync();
    expect(find('verify-dialog').textContent).toContain('another connection has taken that place');
  });

  it('is not there before both have described themselves, or for somebody unverified', async () => {
    const untrusted = { ...ann('unconfirmed'), id: 'b', connection: 'untrusted' as const };
    await open(inCall([peer('a'), untrusted]));
    expect(all('trust')).toEqual([]);
    expect(all('tile')[1]?.textContent).toContain('could not be verified');
  });
});

describe('the call', () => {
  it('has a tile for everybody, with their state', async () => {
    await open(
      inCall([
        peer('a', { name: 'Ann', muted: true }),
        peer('b', { name: 'Bob', connection: 'reconnecting' }),
        peer('c', { name: 'Cid', camera_off: true }),
      ]),
    );
    const tiles = all('tile');
    expect(tiles.map((tile) => tile.dataset['peer'])).toEqual(['a', 'b', 'c']);
    expect(tiles[0]?.dataset).toMatchObject({ muted: 'true', connection: 'connected' });
    expect(tiles[0]?.textContent).toContain('Muted');
    expect(tiles[1]?.textContent).toContain('Connection lost, reconnecting');
    expect(tiles[2]?.dataset['cameraOff']).toBe('true');
    expect(tiles[2]?.querySelector('canvas')).toBeNull();
    expect(tiles[2]?.querySelector('.avatar')?.textContent).toBe('C');
    expect(all('own-tile')).toHaveLength(1);
  });

  it('goes on painting when a new view says the same', async () => {
    const { engine } = await open(inCall([peer('a'), peer('b')]));
    expect(engine.showTile).toHaveBeenCalledTimes(3);
    engine.show(inCall([peer('b', { muted: true }), peer('a')]));
    engine.show(inCall([peer('b'), peer('a'), peer('c')]));
    expect(engine.showTile.mock.calls.map(([tile]) => tile)).toEqual(['a', 'b', 'own', 'c']);
    expect(engine.stopShowing).not.toHaveBeenCalled();
    engine.show(inCall([peer('b'), peer('c')]));
    expect(engine.stopShowing).toHaveBeenCalledTimes(1);
  });

  it('stops painting a camera that is off', async () => {
    const { engine } = await open(inCall([peer('a')]));
    engine.show(inCall([peer('a', { camera_off: true })]));
    expect(engine.stopShowing).toHaveBeenCalledTimes(1);
  });

  it('marks who speaks, and nobody who is muted', async () => {
    const { engine } = await open(inCall([peer('a'), peer('b', { muted: true })]));
    engine.events({
      type: 'levels',
      data: [
        { tile: 'a', level: 0.5 },
        { tile: 'b', level: 0.5 },
      ],
    });
    flushSync();
    expect(all('tile').map((tile) => tile.dataset['speaking'])).toEqual(['true', 'false']);
  });

  it('alone, offers the link', async () => {
    const { engine } = await open(inCall([]));
    expect(text('alone')).toContain('Send this link');
    engine.show(inCall([peer('a')]));
    expect(all('alone')).toHaveLength(0);
  });

  it('says that the server does not answer', async () => {
    await open(inCall([], { phase: { at: 'in_call', signalling_online: false } }));
    expect(text('offline')).toContain('Your call goes on');
  });

  it('shows true switches', async () => {
    const { engine } = await open(inCall([]));
    expect(find('mute').getAttribute('aria-pressed')).toBe('false');
    click('mute');
    expect(engine.setMuted).toHaveBeenCalledWith(true);
    // Not before the app says so.
    expect(find('mute').getAttribute('aria-pressed')).toBe('false');
    const after = inCall([]);
    after.me = { ...after.me, muted: true };
    engine.show(after);
    expect(find('mute').getAttribute('aria-pressed')).toBe('true');
  });

  it('is left at once with the button, and after a question with the key', async () => {
    const { engine } = await open(inCall([peer('a')]));
    press('l', { code: 'KeyL' });
    expect(engine.leave).not.toHaveBeenCalled();
    click('leave-confirm');
    expect(engine.leave).toHaveBeenCalledTimes(1);
    expect(all('leave-dialog')).toHaveLength(0);
    click('leave');
    expect(engine.leave).toHaveBeenCalledTimes(2);
  });

  it('is worked with the keyboard', async () => {
    const { engine } = await open(inCall([peer('a')]));
    press('m', { code: 'KeyM' });
    press('v', { code: 'KeyV' });
    press('c', { code: 'KeyC' });
    expect(engine.setMuted).toHaveBeenCalledWith(true);
    expect(engine.setCameraOff).toHaveBeenCalledWith(true);
    expect(engine.copyLink).toHaveBeenCalled();
    press('?', { code: 'Slash' });
    expect(all('help-dialog')).toHaveLength(1);
    // An open dialog has the keyboard to itself.
    press('m', { code: 'KeyM' });
    expect(engine.setMuted).toHaveBeenCalledTimes(1);
  });

  it('hides the controls when idle, and never while they hold the focus', async () => {
    vi.useFakeTimers();
    try {
      await open(inCall([peer('a')]));
      expect(find('controls').dataset['idle']).toBe('false');
      vi.advanceTimersByTime(4000);
      flushSync();
      expect(find('controls').dataset['idle']).toBe('true');
      press('Tab');
      expect(find('controls').dataset['idle']).toBe('false');
      find('mute').focus();
      vi.advanceTimersByTime(20_000);
      flushSync();
      expect(find('controls').dataset['idle']).toBe('false');
    } finally {
      close?.();
      close = undefined;
      vi.useRealTimers();
    }
  });

  it('says aloud who comes, and shows it', async () => {
    const { engine } = await open(inCall([]));
    engine.show(inCall([peer('a', { name: 'Ann' })]));
    expect(text('said')).toContain('Ann joined');
    expect(text('news')).toContain('Ann joined');
  });
});

describe('names of strangers', () => {
  const hostile = [
    '<img src=x onerror="alert(1)"><script>alert(1)</script>',
    '\u202eevil\u202c \u2067right to left\u2069',
    'محمد صلاح',
    '👩‍👩‍👧‍👦'.repeat(16),
    'x'.repeat(64),
    'Z̷̢̛̤͙͈͑̈́a̶̘͝l̴̬͝g̵̣͂o̷',
    '   ',
    '{name} ${name} {{name}}',
  ];

  it.each(hostile)('%j is text, in the call and before it', async (name) => {
    const { engine } = await open(inGreenRoom([name]));
    expect(document.querySelector('img, script')).toBeNull();
    engine.show(inCall([]));
    engine.show(inCall([peer('a', { name, camera_off: true })]));
    expect(document.querySelector('img, script')).toBeNull();
    const shown = find('tile').querySelector('bdi');
    expect(shown?.textContent).not.toBe('');
    expect(shown?.textContent).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/u);
    expect(shown?.getAttribute('title')).toBe(shown?.textContent);
  });
});

describe('after the call', () => {
  const room = inCall([]).room;

  it('says that one has left, and the way back in', async () => {
    const { engine } = await open(view({ phase: { at: 'left', failure: null }, room }));
    expect(find('left-reason').dataset['code']).toBe('left');
    click('rejoin');
    expect(engine.openLink).toHaveBeenCalledWith(room?.link);
    await settle();
    click('home');
    expect(engine.goHome).toHaveBeenCalled();
  });

  it('says why it is over', async () => {
    const failure = { code: 'room_full', message: 'full' };
    await open(view({ phase: { at: 'left', failure }, room }));
    expect(find('left-reason').dataset['code']).toBe('room_full');
    expect(text('left-reason')).toContain('four people are in it');
  });
});

describe('settings', () => {
  it('open with a key and are kept as they are changed', async () => {
    const { engine } = await open();
    press(',', { code: 'Comma' });
    click('process-voice');
    click('relay-only');
    expect(engine.saveSettings).toHaveBeenLastCalledWith({
      ...settings,
      process_voice: false,
      relay_only: true,
    });
    expect(document.body.textContent).toContain('Without a TURN server');
    type('settings-server', ' https://call.example.org ');
    expect(engine.saveSettings).toHaveBeenLastCalledWith({
      ...settings,
      process_voice: false,
      relay_only: true,
      server: 'https://call.example.org',
    });
  });

  it('keep a server of the list once its address is complete', async () => {
    const { engine } = await open();
    click('settings');
    click('ice-add');
    const url = find('ice-server').querySelector('input') as HTMLInputElement;
    url.value = 'http://nonsense';
    url.dispatchEvent(new Event('input', { bubbles: true }));
    url.dispatchEvent(new Event('change', { bubbles: true }));
    flushSync();
    expect(engine.saveSettings).toHaveBeenLastCalledWith({ ...settings, ice_servers: [] });
    expect(find('ice-server').textContent).toContain('begins with stun:');
    url.value = 'turn:turn.example.org:3478';
    url.dispatchEvent(new Event('input', { bubbles: true }));
    url.dispatchEvent(new Event('change', { bubbles: true }));
    flushSync();
    expect(engine.saveSettings).toHaveBeenLastCalledWith({
      ...settings,
      ice_servers: [{ url: 'turn:turn.example.org:3478', username: '', credential: '' }],
    });
    expect(find('ice-server').querySelectorAll('input')).toHaveLength(3);
  });

  it('keep nothing of a server that the app refuses, but the words stay to be mended', async () => {
    const { engine, app } = await open();
    press(',', { code: 'Comma' });
    engine.saveSettings.mockRejectedValueOnce({ code: 'invalid_server', message: 'no' });
    type('settings-server', 'nonsense');
    await settle();
    expect(find('settings-server')).toHaveProperty('value', 'nonsense');
    expect(find('settings-server').getAttribute('aria-invalid')).toBe('true');
    expect(find('settings-dialog').contains(find('notice'))).toBe(true);
    expect(app.settings?.server).toBe('');
    click('start-muted');
    expect(engine.saveSettings).toHaveBeenLastCalledWith({ ...settings, start_muted: true });
  });

  it('that cannot be kept are said to be so', async () => {
    const { engine } = await open();
    engine.saveSettings.mockRejectedValueOnce({ code: 'internal', message: 'disk full' });
    press(',', { code: 'Comma' });
    click('start-muted');
    await settle();
    expect(find('notice').dataset['code']).toBe('internal');
  });
});

describe('notices', () => {
  it('are shown, said, and can be dismissed', async () => {
    const { engine } = await open();
    engine.events({ type: 'notice', data: { code: 'rate_limited', message: 'slow down' } });
    flushSync();
    expect(text('notice')).toContain('Too much at once');
    expect(text('said')).toContain('Too much at once');
    find('notice').querySelector('button')?.click();
    flushSync();
    expect(all('notice')).toHaveLength(0);
  });

  it('of one kind do not pile up', async () => {
    const { engine } = await open();
    for (let i = 0; i < 9; i++) {
      engine.events({ type: 'notice', data: { code: 'rate_limited', message: 'slow down' } });
      engine.events({ type: 'notice', data: { code: `new_${i}`, message: `thing ${i}` } });
    }
    flushSync();
    expect(all('notice')).toHaveLength(2);
  });

  it('of the call go with it', async () => {
    const { engine } = await open(inCall([]));
    engine.show(inCall([peer('Ann')]));
    expect(text('news')).toContain('Ann joined');
    engine.show({ ...inCall([]), phase: { at: 'left', failure: null } });
    expect(all('news')).toHaveLength(0);
  });

  it('of the call wait while a dialog is open', async () => {
    const { engine } = await open(inCall([]));
    press(',', { code: 'Comma' });
    engine.show(inCall([peer('Ann')]));
    expect(all('news')).toHaveLength(0);
    expect(text('said')).toContain('Ann joined');
  });
});

it('without the app, says that it could not start', async () => {
  const engine = new FakeEngine();
  engine.connect.mockRejectedValueOnce(new Error('no app'));
  await open(view(), engine);
  expect(text('fatal')).toContain('Something went wrong inside the app');
});

describe('the details', () => {
  const figures = (id: string, part: Partial<PeerFigures> = {}): UiEvent => ({
    type: 'figures',
    data: call({ first: () => part })
      .history.slice(0, 1)
      .map(({ load, peers }) => ({
        load,
        peers: peers.slice(0, 1).map((it) => ({ ...it, id })),
      }))[0] ?? { load: null, peers: [] },
  });

  it('open and close by key, and give the focus back', async () => {
    await open(inCall([peer('Ann')]));
    press('d');
    expect(find('details').contains(document.activeElement)).toBe(true);
    press('Escape', {}, document.activeElement ?? document.body);
    expect(all('details')).toHaveLength(0);
    expect(document.activeElement).toBe(find('details-toggle'));
  });

  it('say the most likely cause first, with the figures of each', async () => {
    const { engine } = await open(inCall([peer('Ann')]));
    press('d');
    for (let second = 0; second < 10; second++) {
      engine.events(figures('Ann', { loss_in: 0.123, rtt_ms: 47 }));
    }
    flushSync();
    expect(find('findings').querySelector('li')?.dataset['cause']).toBe('lossy_way');
    expect(text('findings')).toContain('Data is lost between you and Ann.');
    expect(text('connection')).toContain('12.3%');
    expect(text('connection')).toContain('47 ms');
    expect(text('path')).toBe('Straight, across the internet');
  });

  it('give way to the chat, and the chat to them', async () => {
    await open(inCall([peer('Ann')]));
    press('d');
    click('chat-toggle');
    expect([all('details').length, all('chat').length]).toEqual([0, 1]);
    click('details-toggle');
    expect([all('details').length, all('chat').length]).toEqual([1, 0]);
  });

  it('copy a report, or show it where the page may not copy', async () => {
    await open(inCall([peer('Ann')]));
    press('d');
    const write = vi.fn(async (_text: string) => {});
    vi.stubGlobal('navigator', { ...navigator, clipboard: { writeText: write } });
    click('copy-report');
    await settle();
    expect(JSON.parse(write.mock.calls[0]?.[0] ?? '').people).toHaveLength(1);
    expect(text('report-hint')).toContain('Copied');
    write.mockRejectedValueOnce(new Error('no'));
    click('copy-report');
    await settle();
    expect(JSON.parse((find('report') as HTMLTextAreaElement).value).quartet).toBe('0.1.0');
    vi.unstubAllGlobals();
  });
});
