import { afterEach, describe, expect, it, vi } from 'vitest';
import { flushSync } from 'svelte';

import type { ChatLineView } from '../src/bindings';
import { hrefOf, partsOf } from '../src/chat/links';
import { MAX_CHAT_BYTES } from '../src/chat/limits';
import { withLines } from '../src/chat/lines';
import { all, click, FakeEngine, find, inCall, page, peer, press, settle } from './fake_engine';

function line(part: Partial<ChatLineView> = {}): ChatLineView {
  const base = { clock: 1, author: 'a1', seq: 1, own: false, name: 'Ann', text: 'hello' };
  return { ...base, passed_on_by: null, ...part };
}

describe('an address in a text', () => {
  const links = (text: string) => partsOf(text).filter(({ href }) => href !== undefined);

  it('can be followed, and nothing around it', () => {
    expect(partsOf('see https://example.org/a?b=c#d, and http://127.0.0.1:80 80!')).toEqual([
      { text: 'see ' },
      { text: 'https://example.org/a?b=c#d', href: 'https://example.org/a?b=c#d' },
      { text: ', and ' },
      { text: 'http://127.0.0.1/', href: 'http://127.0.0.1/' },
      { text: ' 80!' },
    ]);
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'quartet://join?server=x#y',
    'example.org',
    'https://',
    'https:///',
    'https://bank.example@evil.example/',
    'https://bank.example:x@evil.example/',
    `https://example.org/${'x'.repeat(2000)}`,
  ])('is none: %.50s', (text) => {
    expect(links(text)).toEqual([]);
    expect(
      partsOf(text)
        .map((part) => part.text)
        .join(''),
    ).toBe(text);
  });

  it('is shown as where it goes', () => {
    // Cyrillic letters, a turned direction, and a point that is none.
    expect(links('https://\u0430pple.com/')[0]?.text).toBe('https://xn--pple-43d.com/');
    expect(links('https://example.org/\u202egro.live')[0]?.text).toMatch(
      /^https:\/\/example\.org\/%/,
    );
    expect(links('https://bank.com\u3002evil.org/')[0]?.text).toBe('https://bank.com.evil.org/');
    expect(links('https://example.org/שלום')[0]?.text).toMatch(/^[!-~]+$/);
    expect(links('https://example.org/ตาราง')[0]?.text).toBe('https://example.org/ตาราง');
    for (const { text, href } of links('HTTPS://EXAMPLE.org/x https://ตาราง.example/')) {
      expect(new URL(text).host).toBe(new URL(href ?? '').host);
    }
  });

  it('keeps the bracket that it has opened', () => {
    expect(links('(https://example.org/a_(b))')[0]?.text).toBe('https://example.org/a_(b)');
  });

  it('takes no time, however long the text', () => {
    const start = performance.now();
    partsOf('https://'.repeat(500));
    partsOf('https://a'.repeat(450));
    partsOf(`https://a${')'.repeat(4000)}`);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it('is looked at again before it is opened', () => {
    expect(hrefOf('javascript:alert(1)')).toBeNull();
    expect(hrefOf('https://example.org')).toBe('https://example.org/');
  });
});

describe('lines', () => {
  it('stand in the order that is the same for all', () => {
    const said = [
      line({ clock: 2, author: 'a1', seq: 2 }),
      line({ clock: 1, author: 'b1', seq: 1 }),
      line({ clock: 2, author: '9f', seq: 9 }),
      line({ clock: 2, author: 'a1', seq: 1 }),
    ];
    const names = withLines([], said).map(({ author, seq }) => `${author}-${seq}`);
    expect(names).toEqual(['b1-1', '9f-9', 'a1-1', 'a1-2']);
  });

  it('of a known name take its place', () => {
    const before = [line({ passed_on_by: 'Bob' })];
    expect(withLines(before, [line()])).toEqual([line()]);
  });
});

describe('the chat', () => {
  let close: (() => unknown) | undefined;

  afterEach(() => {
    vi.useRealTimers();
    close?.();
    close = undefined;
  });

  async function open() {
    const opened = await page(inCall([peer('a1', { name: 'Ann' })]), new FakeEngine());
    close = opened.close;
    const say = (...data: ChatLineView[]) => {
      opened.engine.events({ type: 'chat', data });
      flushSync();
    };
    return { ...opened, say };
  }

  const plain = (text: string | null | undefined) => text?.replace(/[\u2068\u2069]/g, '').trim();
  const write = (text: string) => {
    const field = find('chat-field') as HTMLTextAreaElement;
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    flushSync();
  };

  it('opens with its key, takes the focus, and gives it back', async () => {
    await open();
    expect(all('chat')).toHaveLength(0);
    press('t');
    expect(document.activeElement).toBe(find('chat-field'));
    expect(find('chat-toggle').getAttribute('aria-pressed')).toBe('true');
    press('Escape', {}, find('chat-field'));
    expect(all('chat')).toHaveLength(0);
    expect(document.activeElement).toBe(find('chat-toggle'));
    expect(find('chat-toggle').getAttribute('aria-pressed')).toBe('false');
  });

  it('opens in Thai layout and does not hear its key in its own field', async () => {
    const { app } = await open();
    press('ะ', { code: 'KeyT' });
    expect(app.chatOpen).toBe(true);
    press('t', {}, find('chat-field'));
    expect(app.chatOpen).toBe(true);
  });

  it('sends with Enter, makes a new line with Shift, and waits for a word being composed', async () => {
    const { engine } = await open();
    click('chat-toggle');
    expect(find('chat-send')).toHaveProperty('disabled', true);
    write('hello');
    press('Enter', { shiftKey: true }, find('chat-field'));
    press('Enter', { isComposing: true }, find('chat-field'));
    expect(engine.say).not.toHaveBeenCalled();
    press('Enter', {}, find('chat-field'));
    await settle();
    expect(engine.say).toHaveBeenCalledExactlyOnceWith('hello');
    expect(find('chat-field')).toHaveProperty('value', '');
    expect(document.activeElement).toBe(find('chat-field'));
  });

  it('keeps what could not be sent', async () => {
    const { engine } = await open();
    click('chat-toggle');
    engine.say.mockRejectedValueOnce({ code: 'chat_too_long', message: '' });
    write('hello');
    click('chat-send');
    await settle();
    expect(find('chat-field')).toHaveProperty('value', 'hello');
    expect(find('notice').dataset.code).toBe('chat_too_long');
  });

  it('counts bytes where they become few, and sends no more than fit', async () => {
    const { engine } = await open();
    click('chat-toggle');
    write('ก'.repeat(1000));
    expect(plain(find('chat-counter').textContent)).toBe('');
    write('ก'.repeat(1365));
    expect(plain(find('chat-counter').textContent)).toBe('Room for 1 more byte');
    write('x'.repeat(MAX_CHAT_BYTES + 2));
    expect(plain(find('chat-counter').textContent)).toBe('2 bytes too long');
    expect(find('chat-field').getAttribute('aria-invalid')).toBe('true');
    press('Enter', {}, find('chat-field'));
    await settle();
    expect(engine.say).not.toHaveBeenCalled();
  });

  it('marks what was not read, until it is', async () => {
    const { say } = await open();
    say(line({ own: true, author: 'me' }));
    expect(all('chat-toggle-badge')).toHaveLength(0);
    say(line(), line({ seq: 2, clock: 2 }));
    say(line());
    expect(plain(find('chat-toggle-badge').textContent)).toBe('2');
    expect(plain(find('chat-toggle').getAttribute('aria-label'))).toBe('Chat, 2 unread messages');
    press('t');
    expect(all('chat-toggle-badge')).toHaveLength(0);
    say(line({ seq: 3, clock: 3 }));
    press('Escape', {}, find('chat-field'));
    expect(all('chat-toggle-badge')).toHaveLength(0);
  });

  it('says a message politely, and a history in one sentence', async () => {
    const { say } = await open();
    vi.useFakeTimers();
    say(line({ text: 'are you there?' }));
    vi.runOnlyPendingTimers();
    flushSync();
    expect(plain(find('said').textContent)).toContain('Ann: are you there?');
    expect(plain(find('news').textContent)).toContain('Ann: are you there?');
    for (let seq = 2; seq < 30; seq++) say(line({ seq, clock: seq, text: `number ${seq}` }));
    vi.runOnlyPendingTimers();
    flushSync();
    expect(plain(find('said').textContent)).toContain('28 new messages');
    expect(find('said').textContent).not.toContain('number 7');
  });

  it('shows words as words', async () => {
    const { say } = await open();
    press('t');
    say(line({ name: '<b>Ann</b>', text: '<img src=x onerror=alert(1)>\n{name} $&' }));
    const shown = find('chat-line');
    expect(shown.querySelector('img, b')).toBeNull();
    expect(shown.textContent).toContain('<img src=x onerror=alert(1)>\n{name} $&');
    expect(shown.textContent).toContain('<b>Ann</b>');
  });

  it('opens an address through the engine only', async () => {
    const { engine, say } = await open();
    press('t');
    say(line({ text: 'https://example.org/ and javascript:alert(1)' }));
    const links = find('chat-line').querySelectorAll('a');
    expect(links).toHaveLength(1);
    expect(links[0]?.rel).toContain('noopener');
    const event = new MouseEvent('click', { bubbles: true, cancelable: true });
    links[0]?.dispatchEvent(event);
    expect(event.defaultPrevented).toBe(true);
    expect(engine.openUrl).toHaveBeenCalledExactlyOnceWith('https://example.org/');
  });

  it('says whose word it is when it is not the author who says it', async () => {
    const { say } = await open();
    press('t');
    say(line({ author: 'gone', name: 'Ida', passed_on_by: 'Ann' }));
    expect(plain(find('passed-on').textContent)).toBe('according to Ann');
    say(line({ author: 'gone', name: 'Ida' }));
    expect(all('passed-on')).toHaveLength(0);
    expect(all('chat-line')).toHaveLength(1);
  });

  it('begins anew with every call', async () => {
    const { engine, say } = await open();
    press('t');
    say(line());
    write('half a sen');
    engine.show({ ...inCall([]), phase: { at: 'left', failure: null } });
    engine.show(inCall([]));
    expect(all('chat')).toHaveLength(0);
    press('t');
    expect(all('chat-line')).toHaveLength(0);
    expect(find('chat-field')).toHaveProperty('value', '');
  });
});
